/** One API that models are reached by, as data: all that `acp.credentials: proxy` needs to stand before it. */
export interface ModelApi {
  readonly name: "anthropic" | "openai"
  /** The vendor's own address. */
  readonly upstream: string
  /** Variable of symphony's own environment that names another one, for gateways. */
  readonly upstreamVariable: string
  /** Variable with the key: the real one on the host, a placeholder in the guest. */
  readonly keyVariable: string
  readonly authorize: (key: string) => Readonly<Record<string, string>>
  /** Method and path below the address; nothing else is let through. */
  readonly endpoints: ReadonlyArray<string>
}

export const anthropic: ModelApi = {
  name: "anthropic",
  upstream: "https://api.anthropic.com",
  upstreamVariable: "ANTHROPIC_BASE_URL",
  keyVariable: "ANTHROPIC_API_KEY",
  authorize: (key) => ({ "x-api-key": key }),
  endpoints: ["POST /v1/messages", "POST /v1/messages/count_tokens", "GET /v1/models"]
}

export const openai: ModelApi = {
  name: "openai",
  upstream: "https://api.openai.com/v1",
  upstreamVariable: "OPENAI_BASE_URL",
  keyVariable: "OPENAI_API_KEY",
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  endpoints: ["POST /responses", "POST /responses/compact", "POST /chat/completions", "GET /models"]
}

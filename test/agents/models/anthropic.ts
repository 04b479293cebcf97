import { type Answer, type OfferedTool, USAGE } from "./moves.ts"
import { type Json, list, text } from "./json.ts"

/** Anthropic Messages, streaming. */
export const offeredTools = (body: Json): ReadonlyArray<OfferedTool> =>
  list(body["tools"]).map((tool) => ({ name: text(tool["name"]), namespace: null }))

const event = (type: string, data: Readonly<Record<string, unknown>>): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`

export const opening = (body: Json): string =>
  event("message_start", {
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: text(body["model"]),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: USAGE.input, output_tokens: 1 }
    }
  })

export const stream = (body: Json, answer: Answer): ReadonlyArray<string> => {
  const block =
    answer._tag === "Text"
      ? { type: "text", text: "" }
      : { type: "tool_use", id: answer.id, name: answer.name, input: {} }
  const deltas =
    answer._tag === "Text"
      ? (answer.text.match(/.{1,8}/gs) ?? [""]).map((part) => ({ type: "text_delta", text: part }))
      : [{ type: "input_json_delta", partial_json: JSON.stringify(answer.args) }]
  return [
    opening(body),
    event("content_block_start", { index: 0, content_block: block }),
    ...deltas.map((delta) => event("content_block_delta", { index: 0, delta })),
    event("content_block_stop", { index: 0 }),
    event("message_delta", {
      delta: { stop_reason: answer._tag === "Text" ? "end_turn" : "tool_use", stop_sequence: null },
      usage: { output_tokens: USAGE.output }
    }),
    event("message_stop", {})
  ]
}

/** The answer to a request that does not stream. */
export const whole = (body: Json, answer: string): unknown => ({
  id: "msg_0",
  type: "message",
  role: "assistant",
  model: text(body["model"]),
  content: [{ type: "text", text: answer }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: USAGE.input, output_tokens: USAGE.output }
})

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  429: "rate_limit_error"
}

export const refusal = (status: number, message: string): unknown => ({
  type: "error",
  error: { type: ERROR_TYPES[status] ?? "api_error", message }
})

import { type Answer, type OfferedTool, USAGE } from "./moves.ts"
import { type Json, list, text } from "./json.ts"

/** OpenAI Responses, streaming. Tools of an MCP server come as a namespace of their own. */
const flattened = (tools: unknown): ReadonlyArray<OfferedTool> =>
  list(tools).flatMap((tool): ReadonlyArray<OfferedTool> =>
    text(tool["type"]) === "namespace"
      ? list(tool["tools"]).map((inner) => ({ name: text(inner["name"]), namespace: text(tool["name"]) }))
      : [{ name: text(tool["name"]), namespace: null }]
  )

/** Newer agents send their tools as part of the input. */
export const offeredTools = (body: Json): ReadonlyArray<OfferedTool> => [
  ...flattened(body["tools"]),
  ...list(body["input"])
    .filter((item) => item["type"] === "additional_tools")
    .flatMap((item) => flattened(item["tools"]))
]

/** What a call looks like: most tools take JSON, `exec` a program in which the others are functions. */
const call = (answer: Extract<Answer, { _tag: "Call" }>) => ({
  id: `fc_${answer.id}`,
  call_id: answer.id,
  status: "completed",
  name: answer.name,
  ...(answer.namespace === null ? {} : { namespace: answer.namespace }),
  ...(answer.program === null
    ? { type: "function_call", arguments: JSON.stringify(answer.args) }
    : { type: "custom_tool_call", input: answer.program })
})

const event = (type: string, data: Readonly<Record<string, unknown>>): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`

const response = (body: Json, status: string, output: ReadonlyArray<unknown>) => ({
  id: "resp_1",
  object: "response",
  created_at: 0,
  status,
  model: text(body["model"]),
  output,
  usage:
    status === "completed"
      ? {
          input_tokens: USAGE.input,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens: USAGE.output,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: USAGE.input + USAGE.output
        }
      : null
})

export const opening = (body: Json): string =>
  event("response.created", { response: response(body, "in_progress", []) })

export const stream = (body: Json, answer: Answer): ReadonlyArray<string> => {
  const item =
    answer._tag === "Text"
      ? {
          type: "message",
          id: "msg_1",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: answer.text, annotations: [] }]
        }
      : call(answer)
  const deltas =
    answer._tag === "Text"
      ? (answer.text.match(/.{1,8}/gs) ?? []).map((delta) =>
          event("response.output_text.delta", { item_id: "msg_1", output_index: 0, content_index: 0, delta })
        )
      : []
  return [
    opening(body),
    event("response.output_item.added", {
      output_index: 0,
      item: answer._tag === "Text" ? { ...item, status: "in_progress", content: [] } : item
    }),
    ...deltas,
    event("response.output_item.done", { output_index: 0, item }),
    event("response.completed", { response: response(body, "completed", [item]) })
  ]
}

export const whole = (body: Json, answer: string): unknown =>
  response(body, "completed", [
    {
      type: "message",
      id: "msg_0",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: answer, annotations: [] }]
    }
  ])

const CODES: Readonly<Record<number, string>> = {
  400: "invalid_request",
  401: "invalid_api_key",
  429: "rate_limit_exceeded"
}

export const refusal = (status: number, message: string): unknown => ({
  error: {
    message,
    type: status >= 500 ? "server_error" : "invalid_request_error",
    param: null,
    code: CODES[status] ?? null
  }
})

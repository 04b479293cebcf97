import { type Answer, type OfferedTool, USAGE } from "./moves.ts"
import { isJson, type Json, list, text } from "./json.ts"

/** OpenAI Chat Completions, streaming. */
export const offeredTools = (body: Json): ReadonlyArray<OfferedTool> =>
  list(body["tools"]).map((tool) => ({
    name: isJson(tool["function"]) ? text(tool["function"]["name"]) : "",
    namespace: null
  }))

const chunk = (body: Json, data: Readonly<Record<string, unknown>>): string =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 0, model: text(body["model"]), ...data })}\n\n`

const choice = (delta: Json, finish: string | null) => ({
  choices: [{ index: 0, delta, finish_reason: finish }]
})

export const opening = (body: Json): string => chunk(body, choice({ role: "assistant", content: "" }, null))

export const stream = (body: Json, answer: Answer): ReadonlyArray<string> => {
  const deltas =
    answer._tag === "Text"
      ? (answer.text.match(/.{1,8}/gs) ?? []).map((content) => ({ content }))
      : [
          {
            tool_calls: [
              {
                index: 0,
                id: answer.id,
                type: "function",
                function: { name: answer.name, arguments: JSON.stringify(answer.args) }
              }
            ]
          }
        ]
  return [
    opening(body),
    ...deltas.map((delta) => chunk(body, choice(delta, null))),
    chunk(body, choice({}, answer._tag === "Text" ? "stop" : "tool_calls")),
    chunk(body, {
      choices: [],
      usage: {
        prompt_tokens: USAGE.input,
        completion_tokens: USAGE.output,
        total_tokens: USAGE.input + USAGE.output
      }
    }),
    "data: [DONE]\n\n"
  ]
}

export const whole = (body: Json, answer: string): unknown => ({
  id: "chatcmpl-0",
  object: "chat.completion",
  created: 0,
  model: text(body["model"]),
  choices: [{ index: 0, message: { role: "assistant", content: answer }, finish_reason: "stop" }],
  usage: {
    prompt_tokens: USAGE.input,
    completion_tokens: USAGE.output,
    total_tokens: USAGE.input + USAGE.output
  }
})

export { refusal } from "./responses.ts"

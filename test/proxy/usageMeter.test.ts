import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { addTokens, noTokens } from "../../src/domain/Tokens.ts"
import { makeUsageMeter } from "../../src/proxy/usageMeter.ts"

const measure = (contentType: string, parts: ReadonlyArray<Uint8Array>) => {
  const meter = makeUsageMeter(contentType)
  return addTokens(
    parts.map(meter.take).reduce((sum, more) => addTokens(sum, more), noTokens),
    meter.end()
  )
}

const encoder = new TextEncoder()
const stream = [
  'event: message_start\ndata: {"message":{"usage":{"input_tokens":100,"cache_creation_input_tokens":20,"output_tokens":1}}}\n\n',
  'data: {"delta":{"text":"größer: \\"usage\\" 𝄞"}}\n\n',
  'data: {"usage":{"output_tokens":42}}\n\n'
].join("")

describe("the usage of an answer", () => {
  it("is the same however the answer is cut", () =>
    fc.assert(
      fc.property(fc.array(fc.nat(encoder.encode(stream).length), { maxLength: 20 }), (cuts) => {
        const bytes = encoder.encode(stream)
        const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
        const parts = at.slice(1).map((end, index) => bytes.subarray(at[index], end))
        assert.deepStrictEqual(measure("text/event-stream; charset=utf-8", parts), {
          input: 120,
          output: 42,
          total: 162,
          source: "counted"
        })
      })
    ))

  it.each([
    [
      "OpenAI Responses",
      "text/event-stream",
      'data: {"response":{"usage":null}}\n\ndata: {"response":{"usage":{"input_tokens":9,"output_tokens":3}}}\n\n'
    ],
    [
      "OpenAI Chat Completions",
      "text/event-stream",
      'data: {"usage":{"prompt_tokens":9,"completion_tokens":3}}\n\ndata: [DONE]\n\n'
    ],
    [
      "a document of several lines",
      "application/json",
      '{\n"usage": {"input_tokens": 9,\n"output_tokens": 3}}'
    ]
  ])("is found in %s", (_name, contentType, answer) =>
    assert.deepStrictEqual(measure(contentType, [encoder.encode(answer)]), {
      input: 9,
      output: 3,
      total: 12,
      source: "counted"
    })
  )

  it.each([
    ["Anthropic Messages", 'data: {"message":{"usage":{"input_tokens":9,"output_tokens":1}}}\n\n', 10],
    [
      "Anthropic Messages, with an error in the midst of it",
      'data: {"message":{"usage":{"input_tokens":9,"output_tokens":1}}}\n\ndata: {"type":"error","error":{}}\n\n',
      10
    ]
  ])("is only a part where the answer is cut before its end: %s", (_name, answer, total) =>
    assert.deepInclude(measure("text/event-stream", [encoder.encode(answer)]), { total, source: "partial" })
  )

  it("is unknown where a document is cut", () =>
    assert.strictEqual(
      measure("application/json", [encoder.encode('{"usage": {"input_tokens": 9}, "cont')]).source,
      "unknown"
    ))

  it.each(["", "nonsense", 'data: {"usage":"many"}\n\n', 'data: {"usage":{"input_tokens":"x"}}\n\n'])(
    "is unknown where nothing sensible is said: %j",
    (answer) => assert.strictEqual(measure("text/event-stream", [encoder.encode(answer)]).source, "unknown")
  )
})

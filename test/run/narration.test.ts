import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { AgentEvent } from "../../src/agent/AgentSessions.ts"
import { makeNarration } from "../../src/run/narration.ts"

const message = (text: string): AgentEvent => ({ _tag: "Message", text })
const thought = (text: string): AgentEvent => ({ _tag: "Thought", text })
const call: AgentEvent = { _tag: "ToolCall", id: "1", title: "write", status: "pending" }
const context: AgentEvent = { _tag: "Context", used: 1, size: 2 }

/** What is written down of `events`, and what could be read at once of each. */
const narrate = (events: ReadonlyArray<AgentEvent>) =>
  Effect.gen(function* () {
    const written: Array<AgentEvent> = []
    const narration = yield* makeNarration((event) => Effect.sync(() => void written.push(event)))
    const seen = yield* Effect.forEach(events, narration.take)
    yield* narration.finish
    return { written, seen }
  })

describe("the transcript of an agent", () => {
  it.effect("has one event a message, and shows it as it grows", () =>
    Effect.gen(function* () {
      const { written, seen } = yield* narrate([message("I "), message("will"), call, message("done")])
      assert.deepStrictEqual(written, [message("I will"), call, message("done")])
      assert.deepStrictEqual(seen, ["I", "I will", "write", "done"])
    })
  )

  it.effect("keeps thoughts and messages apart", () =>
    Effect.gen(function* () {
      const { written } = yield* narrate([thought("h"), thought("m"), message("yes")])
      assert.deepStrictEqual(written, [thought("hm"), message("yes")])
    })
  )

  it.effect("does not cut a message at news of the context window", () =>
    Effect.gen(function* () {
      const { written } = yield* narrate([message("a"), context, message("b")])
      assert.deepStrictEqual(written, [context, message("ab")])
    })
  )

  it.effect("writes a message without end down in pieces, and loses nothing", () =>
    Effect.gen(function* () {
      const chunks = Array.from({ length: 100 }, () => message("x".repeat(1000)))
      const { written } = yield* narrate(chunks)
      assert.isAtLeast(written.length, 6)
      assert.isTrue(written.every((event) => event._tag === "Message" && event.text.length <= 16_384))
      assert.strictEqual(
        written.reduce((sum, event) => sum + (event._tag === "Message" ? event.text.length : 0), 0),
        100_000
      )
    })
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Console, Effect } from "effect"
import { layer } from "../../src/cli/logging.ts"

/** What is written to stderr. */
const written = Effect.fnUntraced(function* (log: Effect.Effect<void>) {
  const lines: Array<string> = []
  const console = { ...globalThis.console, error: (line: string) => void lines.push(line) }
  yield* log.pipe(Effect.provide(layer()), Effect.provideService(Console.Console, console))
  return lines
})

describe("a line of the log", () => {
  it.effect("is key=value, with what it is about", () =>
    Effect.gen(function* () {
      const about = { issue_id: "id-1", issue_identifier: "A-1", session_id: "s 1", outcome: "Failed" }
      const [line, ...others] = yield* written(Effect.annotateLogs(Effect.logWarning("run failed"), about))
      assert.match(
        line ?? "",
        /^ts=\S+ level=warn msg="run failed" issue_id=id-1 issue_identifier=A-1 session_id="s 1" outcome=Failed$/
      )
      assert.deepStrictEqual(others, [])
    })
  )

  it.effect("is one line, whatever is in it, and no value can pass for another key", () =>
    Effect.gen(function* () {
      const hostile = 'x" level=error msg="forged\nts=now level=error\u001b[2J'
      const lines = yield* written(Effect.annotateLogs(Effect.logInfo("it"), "title", hostile))
      assert.lengthOf(lines, 1)
      for (const control of ["\n", "\u001b"]) assert.notInclude(lines[0], control)
      assert.match(lines[0] ?? "", /title="x\\" level=error/)
    })
  )
})

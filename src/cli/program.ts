import { Effect } from "effect"
import { Board } from "../board/Board.ts"
import { printableLine } from "../domain/printable.ts"
import { renderProblem } from "../domain/Problem.ts"
import { CommandFailed, failWith } from "./failures.ts"
import { leftOver } from "./untilQuiet.ts"

/** What a start can fail with, as a person is told it. */
export const startFailure = (error: { readonly _tag: string; readonly message: string }): CommandFailed => {
  switch (error._tag) {
    case "WorkflowError":
      return failWith(2, error.message)
    case "StateRootExposed":
      return failWith(2, `error: ${error.message}`)
    case "TrackerHeld":
      return failWith(3, `error: ${error.message}`)
    case "NotReady":
      return failWith(
        1,
        `symphony cannot start yet. What is missing:\n\n${error.message}\n\nTo see symphony work without any of this: npm run demo`
      )
    default:
      return failWith(1, `error: ${error.message}`)
  }
}

/** After `--once`: 0 when everything is finished, else 1 with the names of what is left. */
export const endOfOnce: Effect.Effect<void, CommandFailed, Board> = Effect.gen(function* () {
  const left = yield* leftOver
  const { problems } = yield* (yield* Board).snapshot
  const unread = problems
    .filter((problem) => problem.source === "tracker" && problem.severity === "error")
    .map((problem) => `  ${renderProblem(problem)}`)
  if (left.length === 0 && unread.length === 0) return
  const lines = left.map(
    (issue) => `  ${issue.identifier} (${issue.state}): ${issue.status}, ${printableLine(issue.why.text)}`
  )
  return yield* failWith(1, `not finished:\n${[...lines, ...unread].join("\n")}`)
})

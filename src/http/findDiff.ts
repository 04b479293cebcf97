import { Effect } from "effect"
import type { BoardIssue } from "../board/Board.ts"
import { Handoff } from "../handoff/Handoff.ts"
import { Workflow } from "../workflow/Workflow.ts"

/** What the newest run that exported anything hands over, whole or one commit of it; null when none has yet. */
export const findDiff = Effect.fn("findDiff")(function* (issue: BoardIssue, commit: string | null) {
  const handoff = yield* Handoff
  const workflow = yield* (yield* Workflow).current
  const ended = issue.history.toReversed().map(({ run }) => run)
  for (const run of issue.run === null ? ended : [issue.run.run, ...ended]) {
    const diff = yield* handoff.diff(workflow, run, commit)
    if (diff !== null) return diff
  }
  return null
})

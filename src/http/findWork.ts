import { Effect } from "effect"
import type { BoardIssue } from "../board/Board.ts"
import { Previews } from "../run/Previews.ts"

/** What is in the workspace of an issue now, whole or one commit of it; null where there is no workspace. */
export const findWork = Effect.fn("findWork")(function* (
  { identifier, workspace }: BoardIssue,
  commit: string | null
) {
  const previews = yield* Previews
  return workspace === null ? null : yield* previews.take({ identifier, workspace, commit })
})

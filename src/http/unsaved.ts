import { Duration, Effect } from "effect"
import type { BoardIssue } from "../board/Board.ts"
import type { Change, WorkPreview } from "../handoff/Handoff.ts"
import { findWork } from "./findWork.ts"

/** A person who stops something does not wait longer to be told what it costs. */
const PATIENCE = Duration.seconds(10)

/** What is in the workspace of an issue that nobody has been handed. */
export type Unsaved =
  | { readonly _tag: "Nothing" }
  /** It could not be looked at: there may be anything. */
  | { readonly _tag: "Unknown"; readonly why: string }
  | ({ readonly _tag: "Some"; readonly commits: Change["commits"] } & Pick<
      WorkPreview,
      "uncommitted" | "leftOut" | "elsewhere"
    >)

/** Beyond what the issue's newest run has handed over. */
export const unsavedIn = (work: WorkPreview, handedOver: string | null): Unsaved => {
  const { elsewhere, leftOut, uncommitted } = work
  const commits = work.commits.slice(work.commits.findIndex(({ id }) => id === handedOver) + 1)
  return commits.length + uncommitted.length + leftOut.length + elsewhere.length === 0
    ? { _tag: "Nothing" }
    : { _tag: "Some", commits, uncommitted, leftOut, elsewhere }
}

export const findUnsaved = (issue: BoardIssue) =>
  findWork(issue, null).pipe(
    Effect.map((work): Unsaved =>
      work === null ? { _tag: "Nothing" } : unsavedIn(work, issue.handoff?.head ?? null)
    ),
    Effect.catchTag("HandoffError", ({ message }) =>
      Effect.succeed<Unsaved>({ _tag: "Unknown", why: message })
    ),
    Effect.timeoutOrElse({
      duration: PATIENCE,
      orElse: () =>
        Effect.succeed<Unsaved>({
          _tag: "Unknown",
          why: `it could not be looked at within ${Duration.toSeconds(PATIENCE)} seconds`
        })
    })
  )

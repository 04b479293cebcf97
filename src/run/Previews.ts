import { Context, Duration, Effect, Layer, Semaphore } from "effect"
import type { Identifier } from "../domain/ids.ts"
import { agentBranch } from "../domain/workspaceKey.ts"
import { unverified } from "../handoff/failures.ts"
import { Handoff, type HandoffError, type WorkPreview } from "../handoff/Handoff.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { WorkLocks } from "./WorkLocks.ts"

/** Each takes a process or two and disk while it lasts. */
const MOST_AT_ONCE = 2
/** The waiting for others included. */
const TIME = Duration.minutes(1)

/** Whose work is looked at. */
export interface PreviewRequest {
  readonly identifier: Identifier
  /** Absolute; as it is on record for the issue. */
  readonly workspace: string
  /** Shows this commit alone, where it is one of those that are there. */
  readonly commit: string | null
}

/**
 * Looks for people at what is in a workspace before it is handed over, whether or not a run is at work in it. Waits
 * while the work is verified, exported or removed; few at once, and none for long.
 */
export class Previews extends Context.Service<
  Previews,
  {
    readonly take: (request: PreviewRequest) => Effect.Effect<WorkPreview, HandoffError>
  }
>()("symphony/run/Previews") {
  static readonly layer = Layer.effect(
    Previews,
    Effect.gen(function* () {
      const handoff = yield* Handoff
      const workflow = yield* Workflow
      const { exclusively } = yield* WorkLocks
      const few = yield* Semaphore.make(MOST_AT_ONCE)

      const take = Effect.fn("Previews.take")(
        function* ({ commit, identifier, workspace }: PreviewRequest) {
          const work = { identifier, workspace, branch: agentBranch(identifier) }
          return yield* handoff
            .preview({ ...work, workflow: yield* workflow.current }, commit)
            .pipe(exclusively(workspace), few.withPermit)
        },
        Effect.timeoutOrElse({
          duration: TIME,
          orElse: () =>
            Effect.fail(
              unverified(
                "timeout",
                `the workspace could not be looked at within ${Duration.toSeconds(TIME)} seconds`,
                "it is large, or its work is being verified just now: try again later"
              )
            )
        })
      )
      return Previews.of({ take })
    })
  )
}

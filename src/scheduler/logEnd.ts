import { Effect } from "effect"
import { reasonOf } from "../domain/Outcome.ts"
import type { SchedulerEvent } from "./events.ts"
import type { SchedulerState } from "./state.ts"

/**
 * Logs the end of a run, which is in the state still. A failure is for the operator, however it is retried; every
 * other end is as it should be.
 */
export const logEnd = (state: SchedulerState, event: SchedulerEvent): Effect.Effect<void> => {
  const run = event._tag === "RunEnded" ? state.runs[event.run] : undefined
  if (event._tag !== "RunEnded" || run === undefined) return Effect.void
  const { outcome } = event
  const log =
    outcome._tag === "Failed"
      ? Effect.logWarning("run failed").pipe(
          Effect.annotateLogs({ class: outcome.class, error: outcome.message })
        )
      : Effect.logInfo("run ended")
  return log.pipe(
    Effect.annotateLogs({
      issue_id: run.issue,
      issue_identifier: run.identifier,
      run: run.run,
      ...(run.session === null ? {} : { session_id: run.session }),
      outcome: outcome._tag,
      reason: reasonOf(outcome)
    })
  )
}

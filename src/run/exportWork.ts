import { Effect, Schedule } from "effect"
import type { RunFailure } from "../domain/Outcome.ts"
import { roleOf } from "../domain/State.ts"
import type { Exported, HandoffRequest } from "../handoff/Handoff.ts"
import type { DoneClaim, HandoffRecord } from "../scheduler/events.ts"
import type { RunFenced } from "../scheduler/Runs.ts"
import { failureOf } from "./failures.ts"
import { handoffRequest, noteStage, type RunContext, workspaceOf } from "./RunContext.ts"

/** Of a run that only passes its issue on. */
export const nothing: HandoffRecord = {
  verdict: "none",
  head: null,
  commits: 0,
  files: 0,
  flags: [],
  patch: null,
  report: null
}

export const recordOf = (exported: Exported): HandoffRecord => ({
  verdict: exported.verdict,
  head: exported.head,
  commits: exported.commits,
  files: exported.files.length,
  flags: exported.flags.map((flag) => `${flag.kind}: ${flag.detail}`),
  patch: exported.patch,
  report: exported.report
})

/** Whether a claim hands work over; a transition between active states only passes it on. */
export const handsOver = (run: RunContext, claim: Pick<DoneClaim, "target">): boolean =>
  run.order.workflow.config.handoff.mode !== "none" &&
  roleOf(run.order.workflow.config.states, claim.target) === "terminal"

/** Our own troubles may pass; what is wrong with the work does not. */
export const exportWork = (run: RunContext, request: HandoffRequest): Effect.Effect<Exported, RunFailure> =>
  run.services.handoff.exportRun(request).pipe(
    Effect.retry({
      while: (error) => error.reason === "io",
      schedule: Schedule.exponential("500 millis"),
      times: 3
    }),
    run.services.locks.exclusively(request.workspace),
    Effect.mapError(failureOf)
  )

/** Takes the agent's commits out of the workspace and proves them, before anything is moved or removed. */
export const exportClaim = (
  run: RunContext,
  claim: DoneClaim
): Effect.Effect<HandoffRecord, RunFailure | RunFenced> =>
  Effect.gen(function* () {
    if (run.record.handoff !== null) return run.record.handoff
    yield* noteStage(run, "handoff")
    const handoff = handsOver(run, claim)
      ? recordOf(yield* exportWork(run, yield* handoffRequest(run, workspaceOf(run).path, claim)))
      : nothing
    yield* run.report({ _tag: "Exported", handoff })
    return handoff
  })

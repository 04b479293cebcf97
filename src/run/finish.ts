import { Effect, Result } from "effect"
import type { FailedOutcome, RunFailure, RunOutcome } from "../domain/Outcome.ts"
import { roleOf } from "../domain/State.ts"
import type { Conclusion, DoneClaim, HandoffRecord } from "../scheduler/events.ts"
import { HANDOFF_FAILED } from "../scheduler/retry.ts"
import type { RunFenced } from "../scheduler/Runs.ts"
import { markDonePath, runAfterRun } from "./afterRun.ts"
import { exportClaim, exportWork, recordOf } from "./exportWork.ts"
import { moveIssue } from "./move.ts"
import { publish } from "./publish.ts"
import {
  handoffRequest,
  hookContext,
  type HookMoment,
  noteFailure,
  noteStage,
  type RunContext,
  workspaceOf
} from "./RunContext.ts"

const failedOutcome = (failure: RunFailure): FailedOutcome => ({
  _tag: "Failed",
  class: failure.class,
  reason: failure.reason,
  message: failure.message,
  resetAt: failure.resetAt
})

/** What is left is for a person, who is told where the work is. */
const handoffFailed = (run: RunContext, failed: FailedOutcome, whereabouts: string): FailedOutcome => ({
  ...failed,
  reason: HANDOFF_FAILED,
  message: `${failed.message}. ${whereabouts}; mend what is wrong, then: symphony handoff ${run.record.identifier}`
})

const whereaboutsOf = (run: RunContext, { patch }: HandoffRecord): string =>
  patch === null ? `The work is in ${workspaceOf(run).path}` : `The patch is at ${patch}`

/** Removes a workspace whose work is out of it. A workspace that cannot be removed is tried again later. */
const release = (run: RunContext, moment: HookMoment): Effect.Effect<void, RunFenced> =>
  Effect.gen(function* () {
    yield* noteStage(run, "releasing")
    const { locks, workspaces } = run.services
    const context = hookContext(run, moment)
    const removed = yield* Effect.result(
      workspaces.remove(context).pipe(locks.exclusively(context.workspace.path))
    )
    if (Result.isFailure(removed)) {
      return yield* Effect.logWarning("workspace is not removed yet", removed.failure)
    }
    yield* run.report({ _tag: "WorkspaceRemoved" })
  })

/** Signalled: export, move, hook, publish, release. Each step can be died in and is asked for again. */
const finishClaim = (run: RunContext, claim: DoneClaim): Effect.Effect<RunOutcome, RunFenced> =>
  Effect.gen(function* () {
    const exported = yield* Effect.result(exportClaim(run, claim))
    if (Result.isFailure(exported)) {
      const failed = yield* finishFailed(run, claim, null, exported.failure)
      // The agent said that it is done, and is not asked to work again for what a person has to look at.
      return handoffFailed(run, failed, `The work is in ${workspaceOf(run).path}`)
    }
    const handoff = exported.success
    const moved = yield* Effect.result(moveIssue(run, claim))
    if (Result.isFailure(moved)) {
      const failed = yield* finishFailed(run, claim, handoff, moved.failure)
      return handoffFailed(run, failed, whereaboutsOf(run, handoff))
    }
    const state = moved.success
    yield* runAfterRun(run, { outcome: "completed", state, claim, handoff })
    const published = yield* Effect.result(publish(run, claim, handoff))
    if (Result.isFailure(published)) {
      if (published.failure._tag === "RunFenced") return yield* published.failure
      // Verified, kept and moved: only the remote is left.
      return handoffFailed(run, failedOutcome(published.failure), whereaboutsOf(run, handoff))
    }
    const terminal = state !== null && roleOf(run.order.workflow.config.states, state) === "terminal"
    if (terminal && handoff.verdict !== "none") {
      yield* release(run, {
        state,
        outcome: "completed",
        markDone: markDonePath(run),
        patch: handoff.patch
      })
    }
    return { _tag: "Completed", state: state ?? claim.target }
  })

const finishFailed = (
  run: RunContext,
  claim: DoneClaim,
  handoff: HandoffRecord | null,
  failure: RunFailure | RunFenced
): Effect.Effect<FailedOutcome, RunFenced> =>
  Effect.gen(function* () {
    if (failure._tag === "RunFenced") return yield* failure
    yield* noteFailure(run, "handoff failed", failure.message)
    yield* runAfterRun(run, { outcome: "failed", state: null, claim, handoff })
    return failedOutcome(failure)
  })

/** A person finished the issue by hand: what the agent had committed by then is still kept. */
const keepUnclaimedWork = (run: RunContext): Effect.Effect<void, RunFenced> =>
  Effect.gen(function* () {
    if (run.record.handoff !== null || run.order.workflow.config.handoff.mode === "none") return
    const request = yield* handoffRequest(run, workspaceOf(run).path, {
      title: run.record.title,
      summary:
        "Finished by hand while an agent was working on it. This is what the agent had committed by then."
    })
    const exported = yield* Effect.result(exportWork(run, request))
    if (Result.isFailure(exported)) {
      return yield* noteFailure(run, "workspace kept", exported.failure.message)
    }
    yield* run.report({ _tag: "Exported", handoff: recordOf(exported.success) })
  })

/** Everything that follows a quiet sandbox, and how the run ended after all. */
export const finish = (
  run: RunContext,
  conclusion: Conclusion,
  claim: DoneClaim | null
): Effect.Effect<RunOutcome, RunFenced> => {
  if (claim !== null) return finishClaim(run, claim)
  const outcome: RunOutcome =
    conclusion._tag === "Ended"
      ? conclusion.outcome
      : {
          _tag: "Failed",
          class: "infrastructure",
          reason: "lost_claim",
          message: "the agent's signal was lost",
          resetAt: null
        }
  return Effect.gen(function* () {
    if (outcome._tag === "Cancelled" && outcome.reason === "moved_to_terminal") yield* keepUnclaimedWork(run)
    yield* runAfterRun(run, { outcome: outcome._tag.toLowerCase(), state: null, claim: null, handoff: null })
    return outcome
  })
}

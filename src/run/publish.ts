import { Effect, Schedule } from "effect"
import type { RunFailure } from "../domain/Outcome.ts"
import type { DoneClaim, HandoffRecord } from "../scheduler/events.ts"
import type { RunFenced } from "../scheduler/Runs.ts"
import { modeOf } from "../workflow/Operator.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import type { HookVariables } from "../workspace/hookEnvironment.ts"
import { exportWork } from "./exportWork.ts"
import { failureOf } from "./failures.ts"
import { handoffRequest, noteStage, type RunContext, workspaceOf } from "./RunContext.ts"

/** Whether the workflow's settings and the operator's environment ask for pull requests. */
export const publishes = (workflow: WorkflowDefinition, { operator }: HookVariables["Service"]): boolean =>
  modeOf(operator, workflow) === "pull_request"

/** Pull request mode. The patch is written already: a remote that says no costs nothing but time. */
export const publish = (
  run: RunContext,
  claim: DoneClaim,
  handoff: HandoffRecord
): Effect.Effect<void, RunFailure | RunFenced> =>
  Effect.gen(function* () {
    if (run.record.published !== null || handoff.verdict !== "verified") return
    if (!publishes(run.order.workflow, run.services.hookVariables)) return
    yield* noteStage(run, "publishing")
    const request = yield* handoffRequest(run, workspaceOf(run).path, claim)
    // Idempotent under the run's name: answers what is in the quarantine already.
    const exported = yield* exportWork(run, request)
    yield* run.report({ _tag: "PublishIntended" })
    const published = yield* run.services.handoff
      .publish(request, exported)
      .pipe(
        Effect.retry({ schedule: Schedule.exponential("1 second"), times: 2 }),
        Effect.mapError(failureOf)
      )
    yield* run.report({ _tag: "Published", url: published.url })
  })

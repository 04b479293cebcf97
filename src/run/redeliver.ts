import { Effect } from "effect"
import { printableLine } from "../domain/printable.ts"
import { roleOf } from "../domain/State.ts"
import { agentBranch } from "../domain/workspaceKey.ts"
import type { Redelivery } from "../scheduler/Runs.ts"
import type { IssueRecord } from "../scheduler/state.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { nothing, recordOf } from "./exportWork.ts"
import { publishes } from "./publish.ts"
import type { RunServices } from "./RunContext.ts"
import { whereMade } from "./whereMade.ts"

const failed = (record: IssueRecord, why: string): Redelivery => ({
  _tag: "Failed",
  message: `${printableLine(why, 1000)}. The workspace is kept; mend what is wrong, then: symphony handoff ${record.identifier}`
})

/**
 * Does what a failed handoff has left to do again, under the name of the run that failed with it: its export, and
 * its pull request. Both are idempotent, so that `symphony handoff` may have been there before.
 */
export const redeliver = (
  { handoff, hookVariables, locks, workspaces }: RunServices,
  record: IssueRecord,
  settings: WorkflowDefinition
): Effect.Effect<Redelivery> =>
  Effect.gen(function* () {
    const workflow = whereMade(record.workspace, settings)
    const last = record.history.at(-1)
    const { claim } = record
    if (last === undefined || claim === null) return failed(record, "there is no run to hand over")
    if (roleOf(workflow.config.states, claim.target) !== "terminal") {
      return { _tag: "Delivered", handoff: record.handoff ?? nothing, url: null } as const
    }
    const request = {
      runId: last.run,
      identifier: record.identifier,
      branch: agentBranch(record.identifier),
      workflow,
      workspace: workspaces.locate(record.identifier, workflow).path,
      title: claim.title,
      summary: claim.summary,
      tokens: last.tokens,
      startedAt: last.startedAt
    }
    const exported = yield* handoff.exportRun(request).pipe(locks.exclusively(request.workspace))
    const url =
      exported.verdict === "verified" && publishes(workflow, hookVariables)
        ? (yield* handoff.publish(request, exported)).url
        : null
    return { _tag: "Delivered", handoff: recordOf(exported), url } as const
  }).pipe(
    Effect.catchTag("HandoffError", (error) =>
      Effect.as(
        Effect.logWarning("a handoff that was tried again has failed", error),
        failed(record, error.message)
      )
    )
  )

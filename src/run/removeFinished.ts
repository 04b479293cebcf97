import { Effect } from "effect"
import { makeRunId } from "../domain/ids.ts"
import { agentBranch } from "../domain/workspaceKey.ts"
import type { HandoffError } from "../handoff/Handoff.ts"
import type { IssueRecord } from "../scheduler/state.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { hookEnvironment } from "../workspace/hookEnvironment.ts"
import type { WorkspaceError } from "../workspace/Workspaces.ts"
import type { RunServices } from "./RunContext.ts"
import { whereMade } from "./whereMade.ts"

/**
 * Removes the workspace of an issue that is finished and that no run is working on. What its agents have left
 * in it and nobody has handed over, because a person finished the issue, is handed over first.
 */
export const removeFinished = (
  { handoff, hookVariables, locks, tracker, workspaces }: RunServices,
  record: IssueRecord,
  settings: WorkflowDefinition
): Effect.Effect<void, HandoffError | WorkspaceError> =>
  Effect.gen(function* () {
    const workflow = whereMade(record.workspace, settings)
    const workspace = workspaces.locate(record.identifier, workflow)
    const alone = locks.exclusively(workspace.path)
    const last = record.history.at(-1)
    const runId = last?.run ?? makeRunId(0, 0)
    const state = (yield* tracker.snapshot).byId.get(record.id)?.state ?? ""
    const isHandedOver = record.handoff !== null && record.handoff.verdict !== "none"
    if (workflow.config.handoff.mode !== "none" && !isHandedOver && last !== undefined) {
      if (!(yield* workspaces.exists(workspace, workflow))) return
      yield* handoff
        .exportRun({
          runId: last.run,
          identifier: record.identifier,
          branch: agentBranch(record.identifier),
          workflow,
          workspace: workspace.path,
          title: record.title,
          summary: "Finished by hand. This is what agents had committed by then.",
          tokens: record.tokens,
          startedAt: last.startedAt
        })
        .pipe(alone)
    }
    const removal = workspaces.remove({
      workspace,
      workflow,
      runId,
      env: hookEnvironment({
        workflow,
        identifier: record.identifier,
        state,
        title: record.title,
        attempt: record.attempts,
        runId,
        outcome: null,
        workspace: workspace.path,
        ...hookVariables,
        markDone: null,
        patch: record.handoff?.patch ?? null
      })
    })
    yield* alone(removal)
  })

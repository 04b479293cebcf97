import { Effect } from "effect"
import { runFolder } from "../processes/RunRecord.ts"
import type { IssueRecord } from "../scheduler/state.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import type { RunServices } from "./RunContext.ts"

/** Removes what is kept of the runs of an issue: transcripts, and the runs' own folders. What was handed over stays. */
export const forgetRuns = (
  { files, transcripts }: RunServices,
  record: IssueRecord,
  workflow: WorkflowDefinition
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const place = { root: workflow.config.state.root }
    const runs = new Set([
      ...record.history.map(({ run }) => run),
      ...(yield* transcripts.runs(record.identifier))
    ])
    for (const run of runs) yield* files.removeTree(place, runFolder(run))
    yield* transcripts.forget(record.identifier)
  }).pipe(
    Effect.catchTag("FileError", (error) =>
      Effect.logWarning("what was kept of a forgotten issue is not removed", error)
    )
  )

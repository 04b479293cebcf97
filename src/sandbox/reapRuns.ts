import { Effect } from "effect"
import type { RunId } from "../domain/ids.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { sweep } from "../processes/endProcesses.ts"
import type { LocalMachine } from "./LocalRun.ts"
import { readRunRecord, runMarker } from "../processes/RunRecord.ts"
import { forgetRun } from "./runFolders.ts"
import type { Reaped } from "./SandboxDriver.ts"

/**
 * Ends what runs of an orchestrator that is gone left on this machine. Ours is what carries the run's marker
 * and what the record names by pid *and* start time; a stranger with a reused pid is left alone.
 */
export const reapRuns = (
  machine: LocalMachine,
  workflow: WorkflowDefinition,
  leftover: ReadonlyArray<RunId>
): Effect.Effect<ReadonlyArray<Reaped>> =>
  Effect.forEach(
    leftover,
    (runId) => Effect.map(reapRun(machine, workflow, runId), (status) => ({ runId, status })),
    { concurrency: 4 }
  )

const reapRun = Effect.fnUntraced(
  function* ({ files, fs, table }: LocalMachine, { config }: WorkflowDefinition, runId: RunId) {
    const { root } = config.state
    const record = yield* readRunRecord(files, root, runId)
    const bootId = yield* table.bootId
    const rebooted = record?.bootId != null && bootId !== null && record.bootId !== bootId
    const recorded = record === null || rebooted ? [] : record.processes

    const leaders: Array<number> = []
    for (const { pid, startTime } of recorded) {
      const present = yield* table.find(pid)
      if (present !== null && present.startTime === startTime) leaders.push(pid)
      if (bootId === null && startTime === null && (yield* table.exists(pid))) {
        yield* Effect.logWarning("cannot tell whether a recorded process is still ours", { pid })
        return "unknown" as const
      }
    }

    const marker = record?.marker ?? (yield* runMarker(fs, root, runId))
    const verdict = yield* sweep(table, { marker, leaders, since: null })
    if (verdict === "dead") yield* forgetRun(files, root, runId)
    else yield* Effect.logError("processes of an earlier run outlive SIGKILL")
    return verdict
  },
  Effect.annotateLogs("part", "reap")
)

import { Effect } from "effect"
import type { Identifier, RunId } from "../domain/ids.ts"
import { workspaceKey } from "../domain/workspaceKey.ts"
import type { SafeFiles } from "../files/SafeFiles.ts"
import { removeRunRecord, runFolder } from "../processes/RunRecord.ts"

/** All relative to the state root. */
export const homePath = (runId: RunId): string => `${runFolder(runId)}/home`
export const identityPath = (runId: RunId): string => `${runFolder(runId)}/identity`
/** What is kept for the next run of an issue, until its workspace is removed. */
export const sessionsPath = (identifier: Identifier): string => `sessions/${workspaceKey(identifier)}`

/** Removes what the run had of its own and then its record; a failure leaves the record for the next start. */
export const forgetRun = Effect.fnUntraced(
  function* (files: SafeFiles["Service"], stateRoot: string, runId: RunId) {
    const place = { root: stateRoot }
    yield* files.removeTree(place, homePath(runId))
    yield* files.removeTree(place, identityPath(runId))
    yield* removeRunRecord(files, stateRoot, runId)
  },
  Effect.catchTag("FileError", (error) => Effect.logWarning("could not clear up after the run", error)),
  (effect, _files, _stateRoot, runId) => Effect.annotateLogs(effect, { runId })
)

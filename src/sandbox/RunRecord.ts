import { createHash } from "node:crypto"
import { Effect, FileSystem, Result, Schema } from "effect"
import { type Identifier, RunId } from "../domain/ids.ts"
import { workspaceKey } from "../domain/workspaceKey.ts"
import type { FileError, SafeFiles } from "../files/SafeFiles.ts"
import type { WorkflowConfig } from "../workflow/WorkflowConfig.ts"

const RECORD_BYTES = 256 * 1024

/**
 * What a run has running on this machine, written durably before the first process is started and again with
 * each process, so that the next orchestrator finds what a `kill -9` left behind.
 */
export const RunRecord = Schema.Struct({
  version: Schema.Literal(1),
  runId: RunId,
  marker: Schema.String,
  /** Of the boot that the pids belong to. */
  bootId: Schema.NullOr(Schema.String),
  processes: Schema.Array(
    Schema.Struct({
      /** Also the id of the process group that it leads. */
      pid: Schema.Int,
      startTime: Schema.NullOr(Schema.String)
    })
  )
})
export type RunRecord = typeof RunRecord.Type

const Stored = Schema.fromJsonString(RunRecord)
const encode = Schema.encodeEffect(Stored)
const decode = Schema.decodeUnknownEffect(Stored)

/** Relative to the state root. */
export const runFolder = (runId: RunId): string => `runs/${runId}`
const recordPath = (runId: RunId): string => `${runFolder(runId)}/process.json`
export const homePath = (runId: RunId): string => `${runFolder(runId)}/home`
/** What is kept for the next run of an issue, until its workspace is removed; relative to the state root. */
export const sessionsPath = (identifier: Identifier): string => `sessions/${workspaceKey(identifier)}`
export const identityPath = (runId: RunId): string => `${runFolder(runId)}/identity`

/** Names a run among all trackers of a machine. */
export const runMarker = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  config: WorkflowConfig,
  runId: RunId
) {
  const real = yield* Effect.result(fs.realPath(config.state.root))
  const root = Result.isSuccess(real) ? real.success : config.state.root
  return `${createHash("sha256").update(root).digest("hex").slice(0, 16)}:${runId}`
})

export const writeRunRecord = (
  files: SafeFiles["Service"],
  config: WorkflowConfig,
  record: RunRecord
): Effect.Effect<void, FileError> =>
  encode(record).pipe(
    Effect.orDie,
    Effect.flatMap((text) =>
      files.writeAtomic({ root: config.state.root }, recordPath(record.runId), text, { mode: 0o600 })
    )
  )

/** Null when there is none, or none that can be read: the marker still finds what is left. */
export const readRunRecord = (files: SafeFiles["Service"], config: WorkflowConfig, runId: RunId) =>
  files.readText({ root: config.state.root }, recordPath(runId), RECORD_BYTES).pipe(
    Effect.flatMap(({ text }) => decode(text)),
    Effect.catchTags({
      FileError: (error) =>
        error.reason === "missing"
          ? Effect.succeed(null)
          : Effect.as(Effect.logWarning("run record unreadable, going by the marker alone", error), null),
      SchemaError: (error) =>
        Effect.as(Effect.logWarning("run record broken, going by the marker alone", error), null)
    }),
    Effect.annotateLogs({ runId })
  )

/** Removes what the run had of its own and then its record; a failure leaves the record for the next start. */
export const forgetRun = Effect.fnUntraced(
  function* (files: SafeFiles["Service"], config: WorkflowConfig, runId: RunId) {
    const place = { root: config.state.root }
    yield* files.removeTree(place, homePath(runId))
    yield* files.removeTree(place, identityPath(runId))
    yield* files.unlink(place, recordPath(runId))
  },
  Effect.catchTag("FileError", (error) => Effect.logWarning("could not clear up after the run", error)),
  (effect, _files, _config, runId) => Effect.annotateLogs(effect, { runId })
)

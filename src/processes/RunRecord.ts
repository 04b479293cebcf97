import { createHash } from "node:crypto"
import { Effect, FileSystem, Result, Schema } from "effect"
import { RunId } from "../domain/ids.ts"
import type { FileError, SafeFiles } from "../files/SafeFiles.ts"

const RECORD_BYTES = 256 * 1024

/**
 * What a run has running on this machine, hooks and sandbox alike, written durably before the first process does
 * anything and again with each process, so that the next orchestrator finds what a `kill -9` left behind.
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

/** Names a run among all trackers of a machine. */
export const runMarker = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  stateRoot: string,
  runId: RunId
) {
  const real = yield* Effect.result(fs.realPath(stateRoot))
  const root = Result.isSuccess(real) ? real.success : stateRoot
  return `${createHash("sha256").update(root).digest("hex").slice(0, 16)}:${runId}`
})

export const writeRunRecord = (
  files: SafeFiles["Service"],
  stateRoot: string,
  record: RunRecord
): Effect.Effect<void, FileError> =>
  encode(record).pipe(
    Effect.orDie,
    Effect.flatMap((text) =>
      files.writeAtomic({ root: stateRoot }, recordPath(record.runId), text, { mode: 0o600 })
    )
  )

/** Null when there is none, or none that can be read: the marker still finds what is left. */
export const readRunRecord = (files: SafeFiles["Service"], stateRoot: string, runId: RunId) =>
  files.readText({ root: stateRoot }, recordPath(runId), RECORD_BYTES).pipe(
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

/** Once nothing of the run is alive. */
export const removeRunRecord = (
  files: SafeFiles["Service"],
  stateRoot: string,
  runId: RunId
): Effect.Effect<void, FileError> => files.unlink({ root: stateRoot }, recordPath(runId))

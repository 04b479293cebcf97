import { Effect, Schema } from "effect"
import { Identifier, RunId } from "../../domain/ids.ts"
import type { FileError, SafeFiles } from "../../files/SafeFiles.ts"

const RECORD_BYTES = 64 * 1024
const FOLDER = "vms"

/**
 * A machine of ours. Written durably before the machine is made, so that a machine without a record is not
 * ours, and removed after it is gone.
 */
export const VmRecord = Schema.Struct({
  version: Schema.Literal(1),
  name: Schema.String,
  identifier: Identifier,
  /** The run that has it or had it last. */
  runId: RunId,
  /** Of everything that it was made from; another one needs another machine. */
  fingerprint: Schema.String,
  /** Confirmed to be not running. */
  stopped: Schema.Boolean,
  /** The process that is the machine, as far as it was told. */
  process: Schema.NullOr(Schema.Struct({ pid: Schema.Int, startTime: Schema.String })),
  /** Of the boot that it was last started in, to which its pid belongs; null in a record that is too old to say. */
  bootId: Schema.NullOr(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null))),
  /**
   * While nobody has told how its making or its start ended: the state that it was in (null: not there), and
   * until when (epoch ms) it may still leave that.
   */
  pending: Schema.NullOr(Schema.Struct({ state: Schema.NullOr(Schema.String), until: Schema.Int })).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(null))
  )
})
export type VmRecord = typeof VmRecord.Type

const Stored = Schema.fromJsonString(VmRecord)
const encode = Schema.encodeEffect(Stored)
const decode = Schema.decodeUnknownEffect(Stored)

const fileOf = (name: string): string => `${FOLDER}/${name}.json`

export const writeVmRecord = (
  files: SafeFiles["Service"],
  stateRoot: string,
  record: VmRecord
): Effect.Effect<void, FileError> =>
  encode(record).pipe(
    Effect.orDie,
    Effect.flatMap((text) =>
      files.writeAtomic({ root: stateRoot }, fileOf(record.name), text, { mode: 0o600 })
    )
  )

export const removeVmRecord = (files: SafeFiles["Service"], stateRoot: string, name: string) =>
  files.unlink({ root: stateRoot }, fileOf(name))

/** All machines that an orchestrator of this tracker has made and not removed. What is broken is skipped, aloud. */
export const readVmRecords = Effect.fnUntraced(function* (files: SafeFiles["Service"], stateRoot: string) {
  const place = { root: stateRoot }
  const entries = yield* files
    .list(place, FOLDER)
    .pipe(
      Effect.catchTag("FileError", (error) =>
        error.reason === "missing" ? Effect.succeed([]) : Effect.fail(error)
      )
    )
  const records: Array<VmRecord> = []
  for (const { name } of entries) {
    if (!name.endsWith(".json")) continue
    const { text } = yield* files.readText(place, `${FOLDER}/${name}`, RECORD_BYTES)
    const record = yield* decode(text).pipe(
      Effect.catchTag("SchemaError", (error) =>
        Effect.as(Effect.logError("the record of a VM is broken; its VM is left alone", error), null)
      ),
      Effect.annotateLogs({ file: `${stateRoot}/${FOLDER}/${name}` })
    )
    if (record !== null) records.push(record)
  }
  return records
})

import { Effect, Option, Schema } from "effect"
import { Identifier, RunId } from "../domain/ids.ts"
import { printableLine } from "../domain/printable.ts"
import { Tokens } from "../domain/Tokens.ts"
import { SafeFiles } from "../files/SafeFiles.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { fileBroke, ioFailure } from "./failures.ts"
import { Exported, type HandoffRequest } from "./Handoff.ts"

/** `<state.root>/runs/<run>/handoff.json`: what an export was asked with, and what came of it. */
export const HandoffRecord = Schema.Struct({
  version: Schema.Literal(1),
  runId: RunId,
  identifier: Identifier,
  branch: Schema.String,
  workspace: Schema.String,
  title: Schema.String,
  summary: Schema.String,
  tokens: Tokens,
  startedAt: Schema.Number,
  /** Null until an export was completed: it was cut off, or refused, and may be asked for again. */
  outcome: Schema.NullOr(
    Schema.Struct({
      /** Epoch milliseconds of the first export. */
      finishedAt: Schema.Number,
      exported: Exported
    })
  )
})
export type HandoffRecord = typeof HandoffRecord.Type

const Json = Schema.fromJsonString(HandoffRecord)
const decodeRunId = Schema.decodeUnknownOption(RunId)
const LARGEST = 16 * 1024 * 1024

const nameOf = (run: RunId): string => `runs/${run}/handoff.json`

/** Null: no handoff was asked for by this run yet. */
export const readHandoffRecord = Effect.fn("readHandoffRecord")(function* (
  workflow: WorkflowDefinition,
  run: RunId
) {
  const files = yield* SafeFiles
  const place = workflow.config.state
  const stat = yield* files.stat(place, nameOf(run)).pipe(Effect.mapError(fileBroke))
  if (stat === null) return null
  const { text } = yield* files.readText(place, nameOf(run), LARGEST).pipe(Effect.mapError(fileBroke))
  return yield* Schema.decodeEffect(Json)(text).pipe(
    Effect.mapError((error) =>
      ioFailure(
        "record",
        `${place.root}/${nameOf(run)} cannot be read: ${printableLine(error.message)}`,
        "remove the file to export the run again"
      )
    )
  )
})

export const writeHandoffRecord = Effect.fn("writeHandoffRecord")(function* (
  workflow: WorkflowDefinition,
  record: HandoffRecord
) {
  const files = yield* SafeFiles
  const text = yield* Effect.orDie(Schema.encodeEffect(Json)(record))
  yield* files
    .writeAtomic(workflow.config.state, nameOf(record.runId), `${text}\n`, { mode: 0o600 })
    .pipe(Effect.mapError(fileBroke))
})

const byAge = (left: RunId, right: RunId): number => {
  const [, epoch = 0, n = 0] = left.split(/[r-]/).map(Number)
  const [, otherEpoch = 0, otherN = 0] = right.split(/[r-]/).map(Number)
  return epoch - otherEpoch || n - otherN
}

/** The newest run of an issue that asked for its handoff; null: none did. */
export const latestHandoffRecord = Effect.fn("latestHandoffRecord")(function* (
  workflow: WorkflowDefinition,
  identifier: string
) {
  const files = yield* SafeFiles
  const entries = yield* files
    .list(workflow.config.state, "runs")
    .pipe(
      Effect.catchTag("FileError", (error) =>
        error.reason === "missing" ? Effect.succeed([]) : Effect.fail(fileBroke(error))
      )
    )
  const runs = entries.flatMap(({ name }) => Option.toArray(decodeRunId(name)))
  for (const run of runs.toSorted(byAge).toReversed()) {
    const record = yield* readHandoffRecord(workflow, run)
    if (record?.identifier === identifier) return record
  }
  return null
})

/** What `symphony handoff` asks for again. */
export const requestOf = (record: HandoffRecord, workflow: WorkflowDefinition): HandoffRequest => ({
  runId: record.runId,
  identifier: record.identifier,
  branch: record.branch,
  workspace: record.workspace,
  title: record.title,
  summary: record.summary,
  tokens: record.tokens,
  startedAt: record.startedAt,
  workflow
})

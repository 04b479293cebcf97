import { Context, Effect, Schema } from "effect"
import { AgentEvent } from "../agent/AgentSessions.ts"
import type { Identifier, RunId } from "../domain/ids.ts"

/** One line of what a run's agent said or did, or of what we did with it. */
export const TranscriptEntry = Schema.Struct({
  /** Position in the run's transcript, from 0. */
  seq: Schema.Int,
  /** Epoch milliseconds. */
  at: Schema.Number,
  turn: Schema.Int,
  event: Schema.Union([
    AgentEvent,
    Schema.TaggedStruct("Prompt", { text: Schema.String }),
    Schema.TaggedStruct("Stage", {
      name: Schema.String,
      detail: Schema.String,
      /** It tells of something that failed. */
      failed: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false)))
    })
  ])
})
export type TranscriptEntry = typeof TranscriptEntry.Type
export type TranscriptEvent = TranscriptEntry["event"]

/**
 * What agents said: bulky, untrusted, batched, bounded. Losing the last moments of it in a crash is
 * acceptable; failing a run for it is not, so writing never fails.
 */
export class Transcripts extends Context.Service<
  Transcripts,
  {
    readonly append: (
      identifier: Identifier,
      run: RunId,
      turn: number,
      event: TranscriptEvent
    ) => Effect.Effect<void>
    /** At most `limit` entries, those before `before` (exclusive), newest last; the end when null. */
    readonly page: (
      identifier: Identifier,
      run: RunId,
      options: { readonly before: number | null; readonly limit: number }
    ) => Effect.Effect<{ readonly entries: ReadonlyArray<TranscriptEntry>; readonly total: number }>
    /** Runs with a transcript, oldest first. */
    readonly runs: (identifier: Identifier) => Effect.Effect<ReadonlyArray<RunId>>
    /** Removes what was recorded of all runs of an issue. */
    readonly forget: (identifier: Identifier) => Effect.Effect<void>
    /** Writes out what is held back. */
    readonly flush: Effect.Effect<void>
  }
>()("symphony/journal/Transcripts") {}

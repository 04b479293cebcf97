import { Clock, Effect, Layer } from "effect"
import type { Identifier, RunId } from "../domain/ids.ts"
import { droppedNotice, encodeEntry, MAX_RUN_BYTES, oldestFirst } from "./transcriptLines.ts"
import { type TranscriptEntry, Transcripts } from "./Transcripts.ts"

interface Transcript {
  readonly identifier: Identifier
  /** What is left of them, and their bytes. */
  entries: Array<TranscriptEntry>
  bytes: number
}

/** Transcripts that live as long as the layer. */
export const layer: Layer.Layer<Transcripts> = Layer.sync(Transcripts, () => {
  const transcripts = new Map<RunId, Transcript>()
  const bytesOf = (entry: TranscriptEntry): number => Buffer.byteLength(encodeEntry(entry)) + 1

  const dropOldest = (transcript: Transcript, at: number) => {
    let last: TranscriptEntry | undefined
    while (transcript.bytes > MAX_RUN_BYTES / 2 && transcript.entries.length > 0) {
      last = transcript.entries.shift()
      if (last !== undefined) transcript.bytes -= bytesOf(last)
    }
    if (last === undefined) return
    const entry = { seq: last.seq, at, turn: 0, event: droppedNotice }
    transcript.entries.unshift(entry)
    transcript.bytes += bytesOf(entry)
  }

  return Transcripts.of({
    append: Effect.fnUntraced(function* (identifier, run, turn, event) {
      const at = yield* Clock.currentTimeMillis
      const transcript = transcripts.get(run) ?? { identifier, entries: [], bytes: 0 }
      transcripts.set(run, transcript)
      const entry = { seq: (transcript.entries.at(-1)?.seq ?? -1) + 1, at, turn, event }
      transcript.entries.push(entry)
      transcript.bytes += bytesOf(entry)
      if (transcript.bytes > MAX_RUN_BYTES) dropOldest(transcript, at)
    }),
    page: (identifier, run, { before, limit }) =>
      Effect.sync(() => {
        const transcript = transcripts.get(run)
        if (transcript === undefined || transcript.identifier !== identifier) return { entries: [], total: 0 }
        const total = (transcript.entries.at(-1)?.seq ?? -1) + 1
        const older = transcript.entries.filter(({ seq }) => seq < (before ?? total))
        return { entries: limit <= 0 ? [] : older.slice(-limit), total }
      }),
    runs: (identifier) =>
      Effect.sync(() =>
        oldestFirst([...transcripts].filter(([, it]) => it.identifier === identifier).map(([run]) => run))
      ),
    forget: (identifier) =>
      Effect.sync(() => {
        for (const [run, it] of transcripts) if (it.identifier === identifier) transcripts.delete(run)
      }),
    flush: Effect.void
  })
})

import { Result, Schema } from "effect"
import type { RunId } from "../domain/ids.ts"
import { TranscriptEntry, type TranscriptEvent } from "./Transcripts.ts"

/*
 * A transcript is a text file with one entry a line. Their `seq` has no gaps, so a line's place in the file
 * tells its `seq`; the file need not begin at 0, because the oldest lines go when it grows too long.
 */

/** Bytes of one run's transcript. Over it, the older half goes. */
export const MAX_RUN_BYTES = 8 * 1024 * 1024

const Line = Schema.fromJsonString(TranscriptEntry)
const decode = Schema.decodeUnknownResult(Line)
const encode = Schema.encodeUnknownResult(Line)
const NEWLINE = 0x0a

/** A page of entries, and the number that were ever recorded: the `seq` of the next one. */
export interface Page {
  readonly entries: ReadonlyArray<TranscriptEntry>
  readonly total: number
}

export const notice = (text: string): TranscriptEvent => ({ _tag: "Notice", text })

export const droppedNotice = notice("what came before was dropped: this transcript has outgrown its limit")

/** An event that cannot be written down is replaced by a notice: agents are not trusted to send only text. */
export const encodeEntry = (entry: TranscriptEntry): string =>
  Result.getOrElse(encode(entry), () =>
    Result.getOrThrow(encode({ ...entry, event: notice("this event could not be recorded") }))
  )

/** Where each whole line begins, and at last where the part begins that has no newline yet. */
const lineStarts = (bytes: Uint8Array): ReadonlyArray<number> => {
  const starts = [0]
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) starts.push(at + 1)
  return starts
}

/** Bytes of the whole lines; what comes after was never written to its end. */
export const wholeLength = (bytes: Uint8Array): number => bytes.lastIndexOf(NEWLINE) + 1

const makeReader = (bytes: Uint8Array) => {
  const starts = lineStarts(bytes)
  const count = starts.length - 1
  const text = new TextDecoder()
  const read = (index: number) => decode(text.decode(bytes.subarray(starts[index], starts[index + 1])))
  const firstSeq = (): number => {
    for (let index = 0; index < count; index++) {
      const entry = read(index)
      if (Result.isSuccess(entry)) return Math.max(0, entry.success.seq - index)
    }
    return 0
  }
  return { starts, count, read, first: firstSeq() }
}

/** At most `limit` entries, those before `before`; the last ones when it is null. */
export const readPage = (
  bytes: Uint8Array,
  options: { readonly before: number | null; readonly limit: number }
): Page => {
  const { count, read, first } = makeReader(bytes)
  const total = first + count
  const end = Math.max(0, Math.min(options.before ?? total, total) - first)
  const start = Math.max(0, end - Math.max(0, options.limit))
  const entries = Array.from({ length: end - start }, (_, n): TranscriptEntry => {
    const seq = first + start + n
    return Result.match(read(start + n), {
      onSuccess: (entry) => ({ ...entry, seq }),
      onFailure: () => ({ seq, at: 0, turn: 0, event: notice("this line of the transcript is damaged") })
    })
  })
  return { entries, total }
}

/** The `seq` that follows the last whole line. */
export const nextSeq = (bytes: Uint8Array): number => {
  const { first, count } = makeReader(bytes)
  return first + count
}

/** The newer lines, within half of the limit, after a notice in the place of the last one dropped. */
export const dropOldest = (bytes: Uint8Array, at: number): Uint8Array => {
  const { starts, count, first } = makeReader(bytes)
  const from = bytes.length - MAX_RUN_BYTES / 2
  const kept = Math.max(
    1,
    starts.findIndex((start) => start >= from)
  )
  const seq = first + Math.min(kept, count) - 1
  const line = encodeEntry({ seq, at, turn: 0, event: droppedNotice })
  return Buffer.concat([Buffer.from(`${line}\n`), bytes.subarray(starts[kept] ?? bytes.length)])
}

/** In the order in which the runs were started. */
export const oldestFirst = (runs: ReadonlyArray<RunId>): ReadonlyArray<RunId> => {
  const numbers = (run: RunId) => run.slice(1).split("-").map(Number)
  return [...runs].sort((a, b) => {
    const [epochA = 0, nA = 0] = numbers(a)
    const [epochB = 0, nB = 0] = numbers(b)
    return epochA - epochB || nA - nB
  })
}

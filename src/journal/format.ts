import { crc32 } from "node:zlib"
import { Result, Schema } from "effect"
import type { JournalEntry } from "./Journal.ts"

/*
 * A journal is a text file. Each line is `<checksum> <JSON>`: eight hexadecimal digits of the CRC-32 of the
 * JSON, continued from the line before, so that a changed, missing, added or reordered line breaks the chain.
 * The first line is the header; each further one is one append (an array) or the state at a compaction. A
 * line is written at once, so an append is in the file as a whole or not at all.
 */

/** Of what this program writes; it reads nothing newer. */
export const SCHEMA_VERSION = 1

const Header = Schema.fromJsonString(Schema.Struct({ schema: Schema.Int, tracker: Schema.String }))
const Line = Schema.fromJsonString(
  Schema.Union([Schema.Array(Schema.Json), Schema.Struct({ compacted: Schema.Json })])
)
const decodeHeader = Schema.decodeUnknownResult(Header)
const decodeLine = Schema.decodeUnknownResult(Line)
const encodeHeader = Schema.encodeSync(Header)
const encodeLine = Schema.encodeSync(Line)

/** One line with its newline, and the checksum that the next line continues from. */
export interface Written {
  readonly bytes: Uint8Array
  readonly checksum: number
}

const NEWLINE = 0x0a
const SPACE = 0x20
const DIGITS = 8
const hex = (checksum: number): string => checksum.toString(16).padStart(DIGITS, "0")

const write = (json: string, previous: number): Written => {
  const checksum = crc32(json, previous)
  return { bytes: new TextEncoder().encode(`${hex(checksum)} ${json}\n`), checksum }
}

const writeHeader = (tracker: string): Written => write(encodeHeader({ schema: SCHEMA_VERSION, tracker }), 0)

export const writeGroup = (entries: ReadonlyArray<JournalEntry>, previous: number): Written =>
  write(encodeLine(entries), previous)

/** A whole new file: the header and, after a compaction, the one entry that stands for everything before. */
export const writeFile = (tracker: string, compacted?: { readonly entry: JournalEntry }): Written => {
  const header = writeHeader(tracker)
  if (compacted === undefined) return header
  const line = write(encodeLine({ compacted: compacted.entry }), header.checksum)
  return { bytes: Buffer.concat([header.bytes, line.bytes]), checksum: line.checksum }
}

/** What a journal file holds. */
export interface Recovered {
  readonly entries: ReadonlyArray<JournalEntry>
  /** Entries since the last compaction. */
  readonly length: number
  /** Bytes up to which the file is whole; 0 when not even the header is. */
  readonly size: number
  /** Of the last whole line. */
  readonly checksum: number
  /** Bytes after the last whole line: what a death in the middle of a write leaves behind. */
  readonly torn: number
}

export interface Unreadable {
  readonly reason: "corrupt" | "foreign" | "version"
  readonly detail: string
}

const corrupt = (line: number, offset: number): Unreadable => ({
  reason: "corrupt",
  detail: `line ${line} (byte ${offset}) is not what was written: the file was changed or the disk damaged it`
})

/** The JSON of a line, `null` when it does not match its checksum. */
const verify = (line: Uint8Array, previous: number): { json: string; checksum: number } | null => {
  if (line.length <= DIGITS || line[DIGITS] !== SPACE) return null
  const json = line.subarray(DIGITS + 1)
  const checksum = crc32(json, previous)
  const text = new TextDecoder()
  return text.decode(line.subarray(0, DIGITS)) === hex(checksum)
    ? { json: text.decode(json), checksum }
    : null
}

const isPrefix = (bytes: Uint8Array, whole: Uint8Array): boolean =>
  bytes.length < whole.length && bytes.every((byte, index) => byte === whole[index])

/** Where one line would end and the next begin if a newline had become some other byte. */
const LOST_NEWLINE = /[\]}](?=.[0-9a-f]{8} [[{])/gs

/** Whether what looks like one torn line is a whole one whose newline was damaged, and another after it. */
const isJoined = (line: Uint8Array, previous: number): boolean =>
  [...Buffer.from(line).toString("latin1").matchAll(LOST_NEWLINE)].some(
    ({ index }) => verify(line.subarray(0, index + 1), previous) !== null
  )

/** Reads a journal file of this tracker. Only its last line may be torn. */
export const readFile = (bytes: Uint8Array, tracker: string): Result.Result<Recovered, Unreadable> => {
  const headerEnd = bytes.indexOf(NEWLINE)
  if (headerEnd === -1 && isPrefix(bytes, writeHeader(tracker).bytes)) {
    return Result.succeed({ entries: [], length: 0, size: 0, checksum: 0, torn: bytes.length })
  }
  const first = headerEnd === -1 ? null : verify(bytes.subarray(0, headerEnd), 0)
  const header = first === null ? null : decodeHeader(first.json)
  if (first === null || header === null || Result.isFailure(header)) return Result.fail(corrupt(1, 0))
  if (header.success.schema > SCHEMA_VERSION) {
    return Result.fail({
      reason: "version",
      detail: `was written by a newer symphony (format ${header.success.schema}, this one reads ${SCHEMA_VERSION})`
    })
  }
  if (header.success.tracker !== tracker) {
    return Result.fail({
      reason: "foreign",
      detail: `belongs to the tracker ${header.success.tracker}, not to ${tracker}`
    })
  }

  const entries: Array<JournalEntry> = []
  let length = 0
  let checksum = first.checksum
  let size = headerEnd + 1
  for (let number = 2; size < bytes.length; number++) {
    const end = bytes.indexOf(NEWLINE, size)
    const line = end === -1 ? null : verify(bytes.subarray(size, end), checksum)
    if (line === null) {
      const isLast = end === -1 || end === bytes.length - 1
      if (!isLast || isJoined(bytes.subarray(size), checksum)) return Result.fail(corrupt(number, size))
      break
    }
    const content = decodeLine(line.json)
    if (Result.isFailure(content)) return Result.fail(corrupt(number, size))
    if ("compacted" in content.success) {
      entries.splice(0, entries.length, content.success.compacted)
      length = 0
    } else {
      for (const entry of content.success) entries.push(entry)
      length += content.success.length
    }
    checksum = line.checksum
    size = end + 1
  }
  return Result.succeed({ entries, length, size, checksum, torn: bytes.length - size })
}

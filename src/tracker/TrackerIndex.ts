import { basename } from "node:path"
import { Effect, Result } from "effect"
import { stateNameFault } from "../domain/names.ts"
import type { Problem } from "../domain/Problem.ts"
import { type FileEntry, FileError, type Place, type SafeFiles } from "../files/SafeFiles.ts"
import { byteOrder } from "../files/paths.ts"
import { decodeIssue, type DecodedIssue, type IssueRecord, trackerProblem } from "./decodeIssue.ts"
import type { Findings, UnreadableRecord } from "./snapshot.ts"

export const LARGEST_ISSUE = 1024 * 1024

/** One file as it was read, and by which signs it is known to be unchanged. */
interface Indexed {
  readonly signs: string
  readonly decoded: Result.Result<DecodedIssue, ReadonlyArray<Problem>>
  /** The last that could be decoded, where this cannot. */
  readonly last: IssueRecord | null
}

/** One state folder as it was last looked at. */
interface IndexedFolder {
  readonly files: ReadonlyMap<string, Indexed>
  /** About the folder itself and what in it is not an issue file. */
  readonly problems: ReadonlyArray<Problem>
  readonly refused: ReadonlyMap<string, UnreadableRecord>
}

const namesIn = ({ files, refused }: IndexedFolder): ReadonlyArray<string> => [
  ...files.keys(),
  ...refused.keys()
]

/** All state folders, in file order. A value: a scan that fails half-way changes nothing. */
export interface TrackerIndex {
  readonly folders: ReadonlyMap<string, IndexedFolder>
  readonly problems: ReadonlyArray<Problem>
}

export const emptyIndex: TrackerIndex = { folders: new Map(), problems: [] }

/**
 * A file changed this shortly before it was read may change again within the same tick of the file system's
 * clock, and is read once more.
 */
const SETTLED_MS = 2_000

const signsOf = (entry: FileEntry): string => `${entry.inode}:${entry.modifiedAt}:${entry.size}`

const KIND_HINT = "put a regular file there, or move it out of the tracker"

export const rootNameOf = (place: Place): string => basename(place.root)

/** Editors keep swap files, backups and the like beside the file: none of them is hidden and ends in `.md`. */
const isIssueName = (name: string): boolean => name.endsWith(".md") && !name.startsWith(".")

interface Scanner {
  readonly files: SafeFiles["Service"]
  readonly place: Place
  /** Epoch milliseconds. */
  readonly now: number
}

const read = Effect.fnUntraced(function* (scanner: Scanner, state: string, entry: FileEntry) {
  const { files, now, place } = scanner
  const path = `${state}/${entry.name}`
  const where = `${rootNameOf(place)}/${path}`
  const found = yield* Effect.result(files.readText(place, path, LARGEST_ISSUE))
  if (Result.isFailure(found)) {
    if (found.failure.reason === "missing") return null
    const hint = found.failure.reason === "too_large" ? "shorten it, or move it out of the tracker" : null
    const problem = trackerProblem(where, found.failure.detail, hint)
    // Whether it can be read does not show in its signs, so it is tried again at each look.
    return { signs: "", decoded: Result.fail([problem]), last: null } satisfies Indexed
  }
  const { stat, text } = found.success
  const settled = stat.modifiedAt < now - SETTLED_MS
  return {
    signs: settled ? signsOf({ name: entry.name, ...stat }) : "",
    decoded: decodeIssue({
      where,
      state,
      fileName: entry.name,
      inode: stat.inode,
      modifiedAt: stat.modifiedAt,
      text
    }),
    last: null
  } satisfies Indexed
})

const unchanged = (before: Indexed | undefined, entry: FileEntry): before is Indexed =>
  before !== undefined && before.signs === signsOf(entry)

/** What a file said when it could be read last. */
const lastOf = (file: Indexed | undefined): IssueRecord | null =>
  file === undefined ? null : Result.isSuccess(file.decoded) ? file.decoded.success.record : file.last

/** A file read again that says the same stays the same value; of one that says nothing any more, the last stays. */
const settle = (before: Indexed | undefined, after: Indexed): Indexed =>
  before !== undefined &&
  Result.isSuccess(before.decoded) &&
  Result.isSuccess(after.decoded) &&
  before.decoded.success.record.contentHash === after.decoded.success.record.contentHash &&
  before.decoded.success.record.inode === after.decoded.success.record.inode
    ? { ...after, decoded: before.decoded }
    : Result.isFailure(after.decoded)
      ? { ...after, last: lastOf(before) }
      : after

/** All files of a folder, none of which can be read any more. */
const unreadIn = (
  state: string,
  { files, refused }: IndexedFolder,
  problem: Problem
): ReadonlyArray<readonly [string, UnreadableRecord]> => [
  ...[...files].map(([name, file]) => [name, { state, problem, last: lastOf(file) }] as const),
  ...[...refused].map(([name, { last }]) => [name, { state, problem, last }] as const)
]

/** `null` when the folder is gone; what cannot be listed keeps its files, as unreadable ones. */
const scanFolder = Effect.fnUntraced(function* (
  scanner: Scanner,
  state: string,
  before: IndexedFolder | undefined
): Effect.fn.Return<IndexedFolder | null> {
  const where = `${rootNameOf(scanner.place)}/${state}`
  const listed = yield* Effect.result(scanner.files.list(scanner.place, state))
  if (Result.isFailure(listed)) {
    if (listed.failure.reason === "missing") return null
    const problem = trackerProblem(where, listed.failure.detail, "make the folder readable")
    const refused = before === undefined ? [] : unreadIn(state, before, problem)
    return { files: new Map(), problems: [problem], refused: new Map(refused) }
  }
  const files = new Map<string, Indexed>()
  const problems: Array<Problem> = []
  const refused = new Map<string, UnreadableRecord>()
  for (const entry of listed.success) {
    if (!isIssueName(entry.name)) continue
    if (entry.kind !== "file") {
      const message = `it is a ${entry.kind}, not a regular file`
      const problem = trackerProblem(`${where}/${entry.name}`, message, KIND_HINT)
      refused.set(entry.name, { state, problem, last: lastOf(before?.files.get(entry.name)) })
      problems.push(problem)
      continue
    }
    const old = before?.files.get(entry.name)
    if (unchanged(old, entry)) {
      files.set(entry.name, old)
      continue
    }
    const found = yield* read(scanner, state, entry)
    if (found !== null) files.set(entry.name, settle(old, found))
  }
  return { files, problems, refused }
})

/** What to look at: `all`, or these folders and what is known of the others. */
export type Extent = "all" | ReadonlySet<string>

const foldersOf = Effect.fnUntraced(function* (scanner: Scanner, index: TrackerIndex, extent: Extent) {
  if (extent !== "all") {
    const names = new Set([...index.folders.keys(), ...extent])
    return { names: [...names].sort(byteOrder), problems: index.problems }
  }
  const names: Array<string> = []
  const problems: Array<Problem> = []
  for (const { kind, name } of yield* scanner.files.list(scanner.place, "")) {
    if (name.startsWith(".")) continue
    const where = `${rootNameOf(scanner.place)}/${name}`
    const wrong = kind === "directory" ? stateNameFault(name) : undefined
    if (wrong !== undefined)
      problems.push(trackerProblem(where, `folder name: ${wrong}`, "rename the folder"))
    else if (kind === "directory") names.push(name)
    else if (kind === "symlink") {
      problems.push(trackerProblem(where, "links are not followed", "put a folder there, or remove the link"))
    }
  }
  return { names, problems }
})

const look = Effect.fnUntraced(function* (scanner: Scanner, index: TrackerIndex, extent: Extent) {
  const { names, problems } = yield* foldersOf(scanner, index, extent)
  const folders = new Map<string, IndexedFolder>()
  for (const name of names) {
    const before = index.folders.get(name)
    const folder =
      before !== undefined && extent !== "all" && !extent.has(name)
        ? before
        : yield* scanFolder(scanner, name, before)
    if (folder !== null) folders.set(name, folder)
  }
  return { folders, problems } satisfies TrackerIndex
})

/** Whether a folder that was there, or a file of it, is nowhere now. */
const misses = (before: TrackerIndex, after: TrackerIndex): boolean => {
  const gone: Array<string> = []
  for (const [state, folder] of before.folders) {
    const now = after.folders.get(state)
    if (now === undefined) return true
    if (now !== folder)
      gone.push(...namesIn(folder).filter((name) => !now.files.has(name) && !now.refused.has(name)))
  }
  if (gone.length === 0) return false
  const there = new Set([...after.folders.values()].flatMap(namesIn))
  return gone.some((name) => !there.has(name))
}

/**
 * Files that did not change are not read again. What one look misses may have been moved to where it did not
 * look, or had looked already, or the root may be away: a second one, at everything, decides. Fails only when the
 * root itself cannot be listed.
 */
export const scan = Effect.fn("TrackerIndex.scan")(function* (
  scanner: Scanner,
  index: TrackerIndex,
  extent: Extent
): Effect.fn.Return<TrackerIndex, FileError> {
  const first = yield* look(scanner, index, extent)
  if (!misses(index, first)) return first
  const known = { ...first, folders: new Map([...index.folders, ...first.folders]) }
  return yield* look(scanner, known, "all")
})

/** `number`: of the scan. */
export const findings = (index: TrackerIndex, place: Place, number: number): Findings => {
  const records: Array<IssueRecord> = []
  const problems: Array<Problem> = [...index.problems]
  const unreadable = new Map<string, UnreadableRecord>()
  for (const [state, folder] of index.folders) {
    problems.push(...folder.problems)
    for (const [name, file] of folder.refused) unreadable.set(name, file)
    for (const [name, { decoded, last }] of folder.files) {
      if (Result.isSuccess(decoded)) {
        records.push(decoded.success.record)
        problems.push(...decoded.success.warnings)
      } else {
        problems.push(...decoded.failure)
        const [problem] = decoded.failure
        if (problem !== undefined) unreadable.set(name, { state, problem, last })
      }
    }
  }
  return { records, problems, unreadable, scan: number, rootName: rootNameOf(place) }
}

/** All issue files, readable or not. */
export const filesIn = (
  index: TrackerIndex
): ReadonlyArray<{ readonly state: string; readonly fileName: string }> =>
  [...index.folders].flatMap(([state, folder]) => namesIn(folder).map((fileName) => ({ state, fileName })))

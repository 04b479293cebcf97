import { createHash } from "node:crypto"
import type { StatePolicies } from "../domain/State.ts"
import { byteOrder } from "../files/paths.ts"
import { baseNameOf, type IssueRecord, trackerProblem } from "./decodeIssue.ts"
import { makeSnapshot } from "./snapshot.ts"
import type { TrackerSnapshot } from "./Tracker.ts"

/** What a person writes into an issue file; the rest has its default. */
export type WrittenIssue = Partial<Omit<IssueRecord, "contentHash" | "fileName" | "inode" | "state">>

/** A file of the world; a spoiled one is there and cannot be read. */
export interface WorldFile {
  readonly inode: string
  readonly written: WrittenIssue
  readonly spoiled: boolean
}

/**
 * A tracker without files: what lies where, by `<State>/<file name>`. It outlives the program that reads it,
 * and is changed by `MemoryTracker` as by people; each change is seen at once.
 */
export interface TrackerWorld {
  readonly snapshot: () => TrackerSnapshot
  /** Looks anew, even where nothing has changed: the same issues, seen later. */
  readonly rescan: () => TrackerSnapshot
  /** How often it was looked at. */
  readonly looks: () => number
  readonly states: () => StatePolicies
  readonly file: (path: string) => WorldFile | undefined
  readonly paths: () => ReadonlyArray<string>
  /** Names that issues have, or have had. */
  readonly names: () => ReadonlySet<string>
  /** Writes a file anew, as an editor does: another inode. */
  readonly put: (path: string, written: WrittenIssue) => void
  readonly move: (from: string, to: string) => void
  /** A copy, which is another file. */
  readonly duplicate: (from: string, to: string) => void
  /** A second name for the same file. */
  readonly link: (from: string, to: string) => void
  readonly remove: (path: string) => void
  /** Makes a file unreadable, until it is put anew. */
  readonly spoil: (path: string) => void
  readonly setStates: (states: StatePolicies) => void
  /** Calls back after each change, until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void
}

export const splitPath = (path: string): { readonly state: string; readonly fileName: string } => {
  const cut = path.indexOf("/")
  return { state: path.slice(0, cut), fileName: path.slice(cut + 1) }
}

const toRecord = (path: string, { inode, written }: WorldFile): IssueRecord => {
  const { fileName, state } = splitPath(path)
  const identifier = written.identifier ?? baseNameOf(fileName)
  return {
    id: baseNameOf(fileName),
    title: identifier,
    description: null,
    priority: null,
    branchName: null,
    url: null,
    labels: [],
    blockedBy: [],
    createdAt: null,
    updatedAt: null,
    assigneeId: null,
    nativeRef: null,
    proposedBy: null,
    modifiedAt: null,
    ...written,
    identifier,
    fileName,
    state,
    inode,
    contentHash: createHash("sha256").update(JSON.stringify(written)).digest("hex")
  }
}

export const makeTrackerWorld = (options: { readonly states: StatePolicies }): TrackerWorld => {
  let states = options.states
  let inodes = 0
  let looks = 0
  let current: TrackerSnapshot | undefined
  const files = new Map<string, WorldFile>()
  const records = new Map<string, IssueRecord>()
  const names = new Set<string>()
  const listeners = new Set<() => void>()

  const changed = (): void => {
    current = undefined
    for (const listener of listeners) listener()
  }

  const set = (path: string, file: WorldFile | undefined): void => {
    records.delete(path)
    if (file === undefined) {
      files.delete(path)
    } else {
      files.set(path, file)
      const baseName = baseNameOf(splitPath(path).fileName)
      names.add(baseName).add(file.written.identifier ?? baseName)
      if (!file.spoiled) records.set(path, toRecord(path, file))
    }
  }

  const must = (path: string): WorldFile => {
    const file = files.get(path)
    if (file === undefined) throw new Error(`no file ${path} in the world`)
    return file
  }

  const freshInode = (): string => String((inodes += 1))

  const look = (): TrackerSnapshot => {
    const spoiled = [...files]
      .filter(([, { spoiled }]) => spoiled)
      .sort(([left], [right]) => byteOrder(left, right))
      .map(([path, file]) => ({
        ...splitPath(path),
        problem: trackerProblem(`tracker/${path}`, "it cannot be read", null),
        last: toRecord(path, file)
      }))
    return makeSnapshot(
      {
        records: [...records].sort(([left], [right]) => byteOrder(left, right)).map(([, record]) => record),
        problems: spoiled.map(({ problem }) => problem),
        unreadable: new Map(spoiled.map(({ fileName, ...file }) => [fileName, file])),
        scan: (looks += 1),
        rootName: "tracker"
      },
      states
    )
  }

  return {
    snapshot: () => (current ??= look()),
    rescan: () => (current = current === undefined ? look() : { ...current, scan: (looks += 1) }),
    looks: () => looks,
    states: () => states,
    file: (path) => files.get(path),
    paths: () => [...files.keys()].sort(byteOrder),
    names: () => names,
    put: (path, written) => {
      set(path, { inode: freshInode(), written, spoiled: false })
      changed()
    },
    move: (from, to) => {
      const file = must(from)
      set(from, undefined)
      set(to, file)
      changed()
    },
    duplicate: (from, to) => {
      set(to, { ...must(from), inode: freshInode() })
      changed()
    },
    link: (from, to) => {
      set(to, must(from))
      changed()
    },
    remove: (path) => {
      set(path, undefined)
      changed()
    },
    spoil: (path) => {
      set(path, { ...must(path), spoiled: true })
      changed()
    },
    setStates: (next) => {
      states = next
      changed()
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
}

import * as fs from "node:fs"
import { Effect } from "effect"
import { attempt, type Entry, type Folder, lstat, openFolder, type Target } from "./nodeFolder.ts"

const { O_DIRECTORY, O_NOFOLLOW } = fs.constants

/** Linux: a descriptor that names an inode and needs no permission on it. */
const O_PATH = process.platform === "linux" ? 0o10000000 : 0

/** Build tools leave folders that even their owner cannot write in. Changes exactly the folder that is meant. */
const makeWritable = (path: string): void => {
  if (O_PATH === 0) return fs.chmodSync(path, 0o700)
  const fd = fs.openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW)
  try {
    fs.chmodSync(`/proc/self/fd/${fd}`, 0o700)
  } finally {
    fs.closeSync(fd)
  }
}

const unlinkIfThere = (path: string): void => fs.rmSync(path, { force: true })

/** Entries removed in one go, before others have their turn. */
const BATCH = 500

/** The next names of a folder that is being read, at most a batch. */
const nextNames = (reading: fs.Dir): ReadonlyArray<string> => {
  const names: Array<string> = []
  while (names.length < BATCH) {
    const entry = reading.readSync()
    if (entry === null) break
    names.push(entry.name)
  }
  return names
}

/** Removes the folder `entry`, which is one, and all below it. Follows nothing. */
export const removeFolder = Effect.fnUntraced(function* (target: Target, { folder, name }: Entry) {
  yield* attempt(target, () => makeWritable(folder.at(name)))
  const top = yield* openFolder(target)
  /** Folders below, moved up to `top` under names of ours, and not removed yet. */
  const waiting: Array<string> = []
  const ours = new Set<string>()
  let count = 0
  const freshName = (): string => {
    do count += 1
    while (lstat(top.at(`.rm-${count}`)) !== undefined)
    return `.rm-${count}`
  }

  const removeEntry = (within: Folder, entry: string): void => {
    const path = within.at(entry)
    if (lstat(path)?.isDirectory() !== true) return unlinkIfThere(path)
    makeWritable(path)
    const moved = freshName()
    fs.renameSync(path, top.at(moved))
    ours.add(moved)
    waiting.push(moved)
  }

  /** One pass over a folder; how much there was in it to be removed. */
  const pass = (within: Folder) =>
    Effect.acquireUseRelease(
      attempt(target, () => fs.opendirSync(within.self)),
      Effect.fnUntraced(function* (reading) {
        let removed = 0
        for (;;) {
          const names = yield* attempt(target, () => nextNames(reading))
          const others = within === top ? names.filter((each) => !ours.has(each)) : names
          yield* attempt(target, () => {
            for (const each of others) removeEntry(within, each)
          })
          removed += others.length
          if (names.length < BATCH) return removed
          yield* Effect.yieldNow
        }
      }),
      (reading) => Effect.sync(() => reading.closeSync())
    )

  /**
   * Empties a folder; the folders in it are moved up to `top`, so that neither depth nor length of a path
   * matters and few descriptors are enough. What is listed while it is removed need not be listed whole.
   */
  const empty = (within: Folder) => Effect.repeat(pass(within), { until: (removed) => removed === 0 })

  yield* empty(top)
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const each = next
    yield* Effect.flatMap(openFolder({ ...target, path: `${target.path}/${each}` }), empty).pipe(
      Effect.scoped
    )
    yield* attempt(target, () => fs.rmdirSync(top.at(each)))
    ours.delete(each)
    yield* Effect.yieldNow
  }
  yield* attempt(target, () => fs.rmdirSync(folder.at(name)))
}, Effect.scoped)

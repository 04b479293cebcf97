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

/**
 * Empties a folder; the folders in it are moved up to `top` and their new names returned, so that neither
 * depth nor length of a path matters and one descriptor at a time is enough.
 */
const flatten = (top: Folder, folder: Folder, fresh: () => string): ReadonlyArray<string> => {
  const moved: Array<string> = []
  for (const name of fs.readdirSync(folder.self)) {
    const path = folder.at(name)
    if (lstat(path)?.isDirectory() !== true) {
      unlinkIfThere(path)
    } else {
      makeWritable(path)
      const name = fresh()
      fs.renameSync(path, top.at(name))
      moved.push(name)
    }
  }
  return moved
}

/** Removes the folder `entry`, which is one, and all below it. Follows nothing. */
export const removeFolder = Effect.fnUntraced(function* (target: Target, { folder, name }: Entry) {
  yield* attempt(target, () => makeWritable(folder.at(name)))
  const top = yield* openFolder(target)
  const taken = new Set(yield* attempt(target, () => fs.readdirSync(top.self)))
  let count = 0
  const fresh = (): string => {
    do count += 1
    while (taken.has(`.rm-${count}`))
    return `.rm-${count}`
  }
  const waiting: Array<string> = [...(yield* attempt(target, () => flatten(top, top, fresh)))]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const each = next
    const path = `${target.path}/${each}`
    yield* Effect.gen(function* () {
      const child = yield* openFolder({ ...target, path })
      waiting.push(...(yield* attempt(target, () => flatten(top, child, fresh))))
    }).pipe(Effect.scoped)
    yield* attempt(target, () => fs.rmdirSync(top.at(each)))
    yield* Effect.yieldNow
  }
  yield* attempt(target, () => fs.rmdirSync(folder.at(name)))
}, Effect.scoped)

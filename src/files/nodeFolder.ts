import * as fs from "node:fs"
import * as nodePath from "node:path"
import { Effect, Result, type Scope } from "effect"
import { fileError, namesOf, type Operation, type Reason } from "./paths.ts"
import type { FileError, FileKind, FileStat, Place } from "./SafeFiles.ts"

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = fs.constants

/**
 * With a folder's descriptor, `/proc/self/fd/<fd>/<name>` is what `openat` is to C: names below a folder that
 * cannot be swapped under us. Elsewhere each component is looked at before it is used.
 */
const HANDLES = process.platform === "linux" && fs.existsSync("/proc/self/fd")

/** An open folder, reached through no link below its root. */
export interface Folder {
  readonly fd: number
  /** A path to an entry that is resolved from this very folder. */
  readonly at: (name: string) => string
  /** A path to the folder itself. */
  readonly self: string
}

const REASONS: Readonly<Record<string, Reason>> = {
  ENOENT: "missing",
  EEXIST: "exists",
  ELOOP: "link",
  ENOTDIR: "kind",
  EISDIR: "kind",
  ENXIO: "kind",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  ENOSPC: "full",
  EDQUOT: "full",
  EMFILE: "descriptors",
  ENFILE: "descriptors",
  ENAMETOOLONG: "outside",
  ESTALE: "changed",
  EFBIG: "too_large"
}

/** For what has no reason of its own, the system's words without our internal path. */
export const translate =
  (operation: Operation, place: Place, path: string) =>
  (cause: unknown): FileError => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
    const reason = REASONS[code] ?? "io"
    return reason === "io"
      ? fileError(
          operation,
          place,
          path,
          reason,
          `input/output error (${code === "" ? String(cause) : code})`
        )
      : fileError(operation, place, path, reason)
  }

export const kindOf = (stat: fs.Stats): FileKind =>
  stat.isFile()
    ? "file"
    : stat.isDirectory()
      ? "directory"
      : stat.isSymbolicLink()
        ? "symlink"
        : stat.isFIFO()
          ? "fifo"
          : stat.isSocket()
            ? "socket"
            : "device"

export const toStat = (stat: fs.Stats): FileStat => ({
  kind: kindOf(stat),
  size: stat.size,
  executable: (stat.mode & 0o100) !== 0,
  inode: String(stat.ino),
  modifiedAt: stat.mtimeMs
})

export const lstat = (path: string): fs.Stats | undefined => fs.lstatSync(path, { throwIfNoEntry: false })

const openRoot = (root: string): Folder => {
  const real = HANDLES ? root : fs.realpathSync(root)
  const fd = fs.openSync(real, O_RDONLY | O_DIRECTORY)
  const self = HANDLES ? `/proc/self/fd/${fd}` : real
  return { fd, self, at: (name) => `${self}/${name}` }
}

const openChild = (parent: Folder, name: string): Folder => {
  const path = parent.at(name)
  const fd = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  const self = HANDLES ? `/proc/self/fd/${fd}` : path
  return { fd, self, at: (entry) => `${self}/${entry}` }
}

/** The kernel says ENOTDIR for a link where a folder is needed. */
const openNext = (parent: Folder, name: string): Folder => {
  try {
    return openChild(parent, name)
  } catch (cause) {
    throw lstat(parent.at(name))?.isSymbolicLink() === true
      ? Object.assign(new Error(), { code: "ELOOP" })
      : cause
  }
}

const close = (folder: Folder) => fs.closeSync(folder.fd)

/** Only the last folder stays open. */
const descend = (root: string, names: ReadonlyArray<string>): Folder => {
  let folder = openRoot(root)
  for (const name of names) {
    const parent = folder
    try {
      folder = openNext(parent, name)
    } finally {
      close(parent)
    }
  }
  return folder
}

export const fsync = (fd: number): Effect.Effect<void, unknown> =>
  Effect.uninterruptible(
    Effect.callback<void, unknown>((resume) =>
      fs.fsync(fd, (error) => resume(error === null ? Effect.void : Effect.fail(error)))
    )
  )

/** One operation on one path: what its errors name. */
export interface Target {
  readonly operation: Operation
  readonly place: Place
  readonly path: string
}

export const attempt = <A>(target: Target, run: () => A): Effect.Effect<A, FileError> =>
  Effect.try({ try: run, catch: translate(target.operation, target.place, target.path) })

export const syncFolder = (target: Target, folder: Folder): Effect.Effect<void, FileError> =>
  Effect.mapError(fsync(folder.fd), translate(target.operation, target.place, target.path))

const open = (target: Target, names: ReadonlyArray<string>): Effect.Effect<Folder, FileError, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(target, () => descend(target.place.root, names)),
    (folder) => Effect.sync(() => close(folder))
  )

const names = (target: Target) => Effect.fromResult(namesOf(target.operation, target.place, target.path))

/** The folder that the path names. It is closed with the scope. */
export const openFolder = (target: Target): Effect.Effect<Folder, FileError, Scope.Scope> =>
  Effect.flatMap(names(target), (all) => open(target, all))

export interface Entry {
  readonly folder: Folder
  readonly name: string
}

const parentOf = (target: Target): Result.Result<readonly [ReadonlyArray<string>, string], FileError> =>
  Result.flatMap(namesOf(target.operation, target.place, target.path), (all) => {
    const name = all.at(-1)
    return name === undefined
      ? Result.fail(fileError(target.operation, target.place, target.path, "kind"))
      : Result.succeed([all.slice(0, -1), name] as const)
  })

/** The folder an entry lies in, and its name there. The root itself is nobody's entry. */
export const openParent = (target: Target): Effect.Effect<Entry, FileError, Scope.Scope> =>
  Effect.flatMap(Effect.fromResult(parentOf(target)), ([parents, name]) =>
    Effect.map(open(target, parents), (folder) => ({ folder, name }))
  )

/** As `openParent`, for what needs no waiting: ten thousand small reads are made of this. */
export const inParent = <A>(target: Target, run: (entry: Entry) => A): Effect.Effect<A, FileError> =>
  Effect.flatMap(Effect.fromResult(parentOf(target)), ([parents, name]) =>
    attempt(target, () => {
      const folder = descend(target.place.root, parents)
      try {
        return run({ folder, name })
      } finally {
        close(folder)
      }
    })
  )

const makeRoot = Effect.fnUntraced(function* (target: Target) {
  const { root } = target.place
  if (fs.existsSync(root)) return
  yield* attempt(target, () => fs.mkdirSync(root, { recursive: true }))
  const parent = yield* open({ ...target, place: { root: nodePath.dirname(root) } }, [])
  yield* syncFolder(target, parent)
}, Effect.scoped)

const makeOne = Effect.fnUntraced(function* (
  target: Target,
  parents: ReadonlyArray<string>,
  name: string,
  mode: number
) {
  const parent = yield* open(target, parents)
  if (lstat(parent.at(name)) !== undefined) return
  yield* attempt(target, () => fs.mkdirSync(parent.at(name), { mode })).pipe(
    Effect.catchIf(
      ({ reason }) => reason === "exists",
      () => Effect.void
    )
  )
  yield* syncFolder(target, parent)
}, Effect.scoped)

/** Makes the folders on the way, durably. What is there already is left for the walk to judge. */
export const makeFolders = Effect.fnUntraced(function* (
  target: Target,
  folders: ReadonlyArray<string>,
  mode: number
) {
  yield* makeRoot(target)
  for (const [index, name] of folders.entries()) {
    yield* makeOne(target, folders.slice(0, index), name, mode)
  }
})

/** As `openParent`, and the folders on the way are made. */
export const ensureParent = (target: Target): Effect.Effect<Entry, FileError, Scope.Scope> =>
  Effect.flatMap(Effect.fromResult(parentOf(target)), ([parents, name]) =>
    Effect.map(
      open(target, parents).pipe(
        Effect.catchIf(
          ({ reason }) => reason === "missing",
          () => Effect.andThen(makeFolders(target, parents, 0o755), open(target, parents))
        )
      ),
      (folder) => ({ folder, name })
    )
  )

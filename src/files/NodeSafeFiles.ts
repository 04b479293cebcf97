import * as fs from "node:fs"
import { Effect, Layer, Random, type Scope, Stream } from "effect"
import {
  attempt,
  ensureParent,
  type Entry,
  type Folder,
  fsync,
  inParent,
  lstat,
  makeFolders,
  openFolder,
  openParent,
  syncFolder,
  type Target,
  toStat,
  translate
} from "./nodeFolder.ts"
import { byteOrder, fileError, namesOf, sameFile, temporaryName } from "./paths.ts"
import { watch } from "./nodeWatch.ts"
import { removeFolder } from "./removeTree.ts"
import {
  type AppendFile,
  type FileEntry,
  type FileError,
  type FileStat,
  type Place,
  SafeFiles
} from "./SafeFiles.ts"

const { O_APPEND, O_CREAT, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } =
  fs.constants

const failed = (target: Target, reason: FileError["reason"]): FileError =>
  fileError(target.operation, target.place, target.path, reason)

/** Raised inside of `attempt`, which turns it into the error that is meant. */
const refuse = (code: "ELOOP" | "ENXIO" | "ENOENT" | "EFBIG" | "ESTALE"): never => {
  throw Object.assign(new Error(code), { code })
}

const close = (fd: number) => Effect.sync(() => fs.closeSync(fd))

/** Only a regular file is opened: opening a device can already have an effect. */
const requireRegular = (stat: fs.Stats | undefined): fs.Stats => {
  if (stat === undefined) return refuse("ENOENT")
  if (stat.isSymbolicLink()) return refuse("ELOOP")
  return stat.isFile() ? stat : refuse("ENXIO")
}

const readAll = (fd: number, size: number, maxBytes: number): Uint8Array => {
  let buffer = Buffer.allocUnsafe(Math.min(size, maxBytes) + 1)
  let length = 0
  while (true) {
    const count = fs.readSync(fd, buffer, length, buffer.length - length, null)
    length += count
    if (length > maxBytes) return refuse("EFBIG")
    if (count === 0) return buffer.subarray(0, length)
    if (length === buffer.length) buffer = Buffer.concat([buffer], Math.min(length * 2, maxBytes + 1))
  }
}

const openEntry = ({ folder, name }: Entry, maxBytes: number) => {
  requireRegular(lstat(folder.at(name)))
  const fd = fs.openSync(folder.at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
  try {
    const stat = requireRegular(fs.fstatSync(fd))
    return stat.size > maxBytes ? refuse("EFBIG") : { fd, stat }
  } catch (cause) {
    fs.closeSync(fd)
    throw cause
  }
}

const readEntry = (entry: Entry, maxBytes: number) => {
  const { fd, stat } = openEntry(entry, maxBytes)
  try {
    return { bytes: readAll(fd, stat.size, maxBytes), stat: toStat(stat) }
  } finally {
    fs.closeSync(fd)
  }
}

const readFile = (place: Place, path: string, maxBytes: number) => {
  const target: Target = { operation: "read", place, path }
  return Effect.mapError(
    inParent(target, (entry) => readEntry(entry, maxBytes)),
    (error) =>
      error.reason === "too_large"
        ? fileError("read", place, path, "too_large", `it is larger than ${maxBytes} bytes`)
        : error
  )
}

const PIECE = 1024 * 1024

const streamFile = (place: Place, path: string, maxBytes: number): Stream.Stream<Uint8Array, FileError> => {
  const target: Target = { operation: "read", place, path }
  return Effect.acquireRelease(
    inParent(target, (entry) => openEntry(entry, maxBytes)),
    ({ fd }) => close(fd)
  ).pipe(
    Effect.map(({ fd, stat }) =>
      Stream.unfold(0, (before) =>
        Effect.andThen(
          Effect.yieldNow,
          attempt(target, () => {
            const buffer = Buffer.allocUnsafe(Math.min(PIECE, Math.max(stat.size - before, 0) + 1))
            const count = fs.readSync(fd, buffer, 0, buffer.length, null)
            if (before + count > maxBytes) return refuse("EFBIG")
            return count === 0 ? undefined : ([buffer.subarray(0, count), before + count] as const)
          })
        )
      )
    ),
    Stream.unwrap
  )
}

const readLink = Effect.fn("SafeFiles.readLink")((place: Place, path: string) =>
  inParent({ operation: "read", place, path }, ({ folder, name }) => {
    const found = lstat(folder.at(name)) ?? refuse("ENOENT")
    return found.isSymbolicLink() ? fs.readlinkSync(folder.at(name)) : refuse("ENXIO")
  })
)

const stat = Effect.fn("SafeFiles.stat")(function* (place: Place, path: string) {
  const target: Target = { operation: "stat", place, path }
  const names = yield* Effect.fromResult(namesOf("stat", place, path))
  const look =
    names.length === 0
      ? attempt(target, () => fs.statSync(place.root, { throwIfNoEntry: false }))
      : inParent(target, ({ folder, name }) => lstat(folder.at(name)))
  return yield* look.pipe(
    Effect.map((found): FileStat | null => (found === undefined ? null : toStat(found))),
    Effect.catchIf(
      ({ reason }) => reason === "missing",
      () => Effect.succeed(null)
    )
  )
})

/** Entries looked at in one go, before others have their turn. */
const BATCH = 500

const list = Effect.fn("SafeFiles.list")(function* (place: Place, path: string) {
  const target: Target = { operation: "list", place, path }
  const folder = yield* openFolder(target)
  const names = yield* attempt(target, () => fs.readdirSync(folder.self))
  names.sort(byteOrder)
  const entries: Array<FileEntry> = []
  for (let start = 0; start < names.length; start += BATCH) {
    yield* attempt(target, () => {
      for (const name of names.slice(start, start + BATCH)) {
        const found = lstat(folder.at(name))
        if (found !== undefined) entries.push({ name, ...toStat(found) })
      }
    })
    yield* Effect.yieldNow
  }
  return entries
}, Effect.scoped)

const write = (target: Target, fd: number, content: string | Uint8Array): Effect.Effect<void, FileError> =>
  Effect.uninterruptible(
    Effect.callback<void, FileError>((resume) =>
      fs.writeFile(fd, content, (error) =>
        resume(
          error === null
            ? Effect.void
            : Effect.fail(translate(target.operation, target.place, target.path)(error))
        )
      )
    )
  )

const sync = (target: Target, fd: number) =>
  Effect.mapError(fsync(fd), translate(target.operation, target.place, target.path))

/** A durable file under a name nobody else uses; the name is gone when the scope closes, whatever happened. */
const temporary = Effect.fnUntraced(function* (
  target: Target,
  folder: Folder,
  content: string | Uint8Array,
  mode: number
) {
  const name = temporaryName(yield* Random.next)
  const fd = yield* Effect.acquireRelease(
    attempt(target, () => fs.openSync(folder.at(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)),
    (opened) =>
      Effect.sync(() => {
        fs.closeSync(opened)
        fs.rmSync(folder.at(name), { force: true })
      })
  )
  yield* write(target, fd, content)
  yield* sync(target, fd)
  return { name, fd }
})

const DEFAULT_MODE = 0o644

interface WriteOptions {
  readonly mode?: number
}

const writeAtomic = Effect.fn("SafeFiles.writeAtomic")(function* (
  place: Place,
  path: string,
  content: string | Uint8Array,
  options?: WriteOptions & { readonly replaces?: FileStat }
) {
  const target: Target = { operation: "write", place, path }
  const { folder, name } = yield* ensureParent(target)
  const before = yield* attempt(target, () => {
    const found = lstat(folder.at(name))
    return found === undefined ? undefined : requireRegular(found)
  })
  const mode = options?.mode ?? before?.mode
  const file = yield* temporary(target, folder, content, options?.mode ?? DEFAULT_MODE)
  yield* attempt(target, () => {
    if (mode !== undefined) fs.fchmodSync(file.fd, mode & 0o7777)
    if (options?.replaces !== undefined) {
      const now = lstat(folder.at(name))
      if (now === undefined || !sameFile(options.replaces, toStat(now))) return refuse("ESTALE")
    }
    fs.renameSync(folder.at(file.name), folder.at(name))
  })
  yield* syncFolder(target, folder)
}, Effect.scoped)

const createExclusive = Effect.fn("SafeFiles.createExclusive")(function* (
  place: Place,
  path: string,
  content: string | Uint8Array,
  options?: WriteOptions
) {
  const target: Target = { operation: "write", place, path }
  const { folder, name } = yield* ensureParent(target)
  if (lstat(folder.at(name)) !== undefined) return yield* failed(target, "exists")
  const file = yield* temporary(target, folder, content, options?.mode ?? DEFAULT_MODE)
  yield* attempt(target, () => {
    fs.linkSync(folder.at(file.name), folder.at(name))
    fs.unlinkSync(folder.at(file.name))
  })
  yield* syncFolder(target, folder)
}, Effect.scoped)

const link = Effect.fn("SafeFiles.link")(function* (place: Place, from: string, to: string) {
  const source = yield* openParent({ operation: "link", place, path: from })
  const target: Target = { operation: "link", place, path: to }
  const { folder, name } = yield* openParent(target)
  yield* attempt({ operation: "link", place, path: from }, () =>
    requireRegular(lstat(source.folder.at(source.name)))
  )
  yield* attempt(target, () => fs.linkSync(source.folder.at(source.name), folder.at(name)))
  yield* syncFolder(target, folder)
}, Effect.scoped)

const nothingThere = <R>(effect: Effect.Effect<void, FileError, R>) =>
  Effect.catchIf(
    effect,
    ({ reason }) => reason === "missing",
    () => Effect.void
  )

const unlink = Effect.fn("SafeFiles.unlink")(
  function* (place: Place, path: string) {
    const target: Target = { operation: "unlink", place, path }
    const { folder, name } = yield* openParent(target)
    if (lstat(folder.at(name))?.isDirectory() === true) return yield* failed(target, "kind")
    yield* attempt(target, () => fs.unlinkSync(folder.at(name)))
    yield* syncFolder(target, folder)
  },
  Effect.scoped,
  nothingThere
)

const removeTree = Effect.fn("SafeFiles.removeTree")(
  function* (place: Place, path: string) {
    const target: Target = { operation: "remove", place, path }
    const entry = yield* openParent(target)
    const found = lstat(entry.folder.at(entry.name))
    if (found === undefined) return
    if (found.isDirectory()) yield* removeFolder(target, entry)
    else yield* attempt(target, () => fs.unlinkSync(entry.folder.at(entry.name)))
    yield* syncFolder(target, entry.folder)
  },
  Effect.scoped,
  nothingThere
)

const makeDirectory = Effect.fn("SafeFiles.makeDirectory")(function* (
  place: Place,
  path: string,
  options?: WriteOptions
) {
  const target: Target = { operation: "mkdir", place, path }
  const names = yield* Effect.fromResult(namesOf("mkdir", place, path))
  yield* makeFolders(target, names, options?.mode ?? 0o755)
  yield* openFolder(target)
}, Effect.scoped)

const syncFolderAt = Effect.fn("SafeFiles.syncFolder")(
  function* (place: Place, path: string) {
    const target: Target = { operation: "sync", place, path }
    yield* syncFolder(target, yield* openFolder(target))
  },
  Effect.scoped,
  nothingThere
)

const openAppend = Effect.fn("SafeFiles.openAppend")(function* (
  place: Place,
  path: string
): Effect.fn.Return<AppendFile, FileError, Scope.Scope> {
  const target: Target = { operation: "append", place, path }
  const fd = yield* Effect.acquireRelease(
    Effect.scoped(
      Effect.gen(function* () {
        const { folder, name } = yield* ensureParent(target)
        return yield* attempt(target, () => {
          const found = lstat(folder.at(name))
          if (found !== undefined) requireRegular(found)
          const flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
          return fs.openSync(folder.at(name), flags, 0o600)
        })
      })
    ),
    close
  )
  yield* attempt(target, () => requireRegular(fs.fstatSync(fd)))
  return {
    size: attempt(target, () => fs.fstatSync(fd).size),
    append: (bytes) => write(target, fd, bytes),
    sync: sync({ ...target, operation: "sync" }, fd),
    truncate: (size) => attempt(target, () => fs.ftruncateSync(fd, size))
  }
})

/** The machine's own file system. */
export const layer: Layer.Layer<SafeFiles> = Layer.succeed(SafeFiles, {
  stat,
  list,
  read: (place, path, maxBytes) => Effect.map(readFile(place, path, maxBytes), ({ bytes }) => bytes),
  stream: streamFile,
  readLink,
  readText: (place, path, maxBytes) =>
    Effect.map(readFile(place, path, maxBytes), ({ bytes, stat }) => ({
      text: new TextDecoder().decode(bytes),
      stat
    })),
  writeAtomic,
  createExclusive,
  link,
  unlink,
  removeTree,
  makeDirectory,
  syncFolder: syncFolderAt,
  openAppend,
  watch
})

import { Cause, Effect, Layer, Queue, Random, type Scope, Stream } from "effect"
import { DiskRefusal, type MemoryDisk } from "./MemoryDisk.ts"
import { fileError, namesOf, type Operation, sameFile, temporaryName } from "./paths.ts"
import { type AppendFile, type FileError, type FileStat, type Place, SafeFiles } from "./SafeFiles.ts"

/** One step of an operation, about to be applied to the disk. */
export interface DiskStep {
  readonly action: keyof MemoryDisk
  readonly path: string
}

export interface MemorySafeFilesOptions {
  /**
   * Runs before each step: where a simulated world waits, fails with what real disks fail with, or stops for
   * good between two steps.
   */
  readonly before?: (step: DiskStep) => Effect.Effect<void, FileError["reason"]>
}

const encode = (content: string | Uint8Array): Uint8Array => Uint8Array.from(Buffer.from(content))

const parentOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf("/"), 0))

/** Files that live in a `MemoryDisk`, which may outlive this layer. */
export const layer = (
  disk: MemoryDisk,
  { before = () => Effect.void }: MemorySafeFilesOptions = {}
): Layer.Layer<SafeFiles> => {
  interface Target {
    readonly operation: Operation
    readonly place: Place
    readonly path: string
  }

  const failure = (target: Target) => (cause: unknown) => {
    if (cause instanceof DiskRefusal)
      return fileError(target.operation, target.place, target.path, cause.reason)
    throw cause
  }

  const step = <A>(target: Target, action: DiskStep["action"], path: string, run: () => A) =>
    before({ action, path }).pipe(
      Effect.mapError((reason) => fileError(target.operation, target.place, target.path, reason)),
      Effect.andThen(Effect.try({ try: run, catch: failure(target) }))
    )

  /** Absolute path on the disk. */
  const resolve = (target: Target): Effect.Effect<string, FileError> =>
    Effect.flatMap(Effect.fromResult(namesOf(target.operation, target.place, target.path)), (names) =>
      Effect.try({
        try: () => [disk.resolveRoot(target.place.root), ...names].join("/"),
        catch: failure(target)
      })
    )

  const requireEntry = (target: Target): Effect.Effect<string, FileError> =>
    target.path === "" || target.path === "."
      ? Effect.fail(fileError(target.operation, target.place, target.path, "kind"))
      : resolve(target)

  const requireRegular = (target: Target, stat: FileStat) =>
    stat.kind === "file"
      ? Effect.void
      : Effect.fail(
          fileError(target.operation, target.place, target.path, stat.kind === "symlink" ? "link" : "kind")
        )

  const ensureFolder = Effect.fnUntraced(function* (target: Target, path: string) {
    let at = ""
    for (const name of path.split("/").filter((each) => each !== "")) {
      const parent = at
      at = `${at}/${name}`
      const folder = at
      if ((yield* step(target, "stat", folder, () => disk.stat(folder))) !== null) continue
      yield* step(target, "mkdir", folder, () => disk.mkdir(folder))
      yield* step(target, "syncFolder", parent, () => disk.syncFolder(parent))
    }
  })

  const readFile = Effect.fnUntraced(function* (place: Place, path: string, maxBytes: number) {
    const target: Target = { operation: "read", place, path }
    const full = yield* requireEntry(target)
    const found = yield* step(target, "read", full, () => disk.read(full))
    if (found.bytes.length > maxBytes) {
      return yield* fileError("read", place, path, "too_large", `it is larger than ${maxBytes} bytes`)
    }
    return found
  })

  /** A durable file under a name nobody else uses. */
  const temporary = Effect.fnUntraced(function* (target: Target, folder: string, bytes: Uint8Array) {
    const path = `${folder}/${temporaryName(yield* Random.next)}`
    yield* Effect.acquireRelease(
      step(target, "create", path, () => disk.create(path)),
      () =>
        Effect.sync(() => {
          if (disk.stat(path) !== null) disk.unlink(path)
        })
    )
    yield* step(target, "write", path, () => disk.write(path, bytes))
    yield* step(target, "syncFile", path, () => disk.syncFile(path))
    return path
  })

  const nothingThere = (effect: Effect.Effect<void, FileError>) =>
    Effect.catchIf(
      effect,
      ({ reason }) => reason === "missing",
      () => Effect.void
    )

  const removeBelow = (target: Target, path: string): Effect.Effect<void, FileError> =>
    Effect.gen(function* () {
      const found = yield* step(target, "stat", path, () => disk.stat(path))
      if (found === null) return
      if (found.kind !== "directory") return yield* step(target, "unlink", path, () => disk.unlink(path))
      for (const { name } of yield* step(target, "list", path, () => disk.list(path))) {
        yield* removeBelow(target, `${path}/${name}`)
      }
      yield* step(target, "rmdir", path, () => disk.rmdir(path))
    })

  const openAppend = Effect.fn("SafeFiles.openAppend")(function* (
    place: Place,
    path: string
  ): Effect.fn.Return<AppendFile, FileError, Scope.Scope> {
    const target: Target = { operation: "append", place, path }
    const full = yield* requireEntry(target)
    yield* ensureFolder(target, parentOf(full))
    const before = yield* step(target, "stat", full, () => disk.stat(full))
    if (before === null) yield* step(target, "create", full, () => disk.create(full))
    else yield* requireRegular(target, before)
    return {
      size: Effect.map(
        step(target, "read", full, () => disk.read(full)),
        ({ bytes }) => bytes.length
      ),
      append: (bytes) => step(target, "append", full, () => disk.append(full, bytes)),
      sync: step({ ...target, operation: "sync" }, "syncFile", full, () => disk.syncFile(full)),
      truncate: (size) =>
        step(target, "write", full, () => {
          const { bytes } = disk.read(full)
          const kept = new Uint8Array(size)
          kept.set(bytes.subarray(0, size))
          disk.write(full, kept)
        })
    }
  })

  return Layer.succeed(SafeFiles, {
    stat: Effect.fn("SafeFiles.stat")(function* (place: Place, path: string) {
      const target: Target = { operation: "stat", place, path }
      const full = yield* resolve(target)
      return yield* step(target, "stat", full, () => disk.stat(full))
    }),

    list: Effect.fn("SafeFiles.list")(function* (place: Place, path: string) {
      const target: Target = { operation: "list", place, path }
      const full = yield* resolve(target)
      return yield* step(target, "list", full, () => disk.list(full))
    }),

    read: (place, path, maxBytes) => Effect.map(readFile(place, path, maxBytes), ({ bytes }) => bytes),

    stream: (place, path, maxBytes) =>
      Stream.fromEffect(Effect.map(readFile(place, path, maxBytes), ({ bytes }) => bytes)),

    readLink: Effect.fn("SafeFiles.readLink")(function* (place: Place, path: string) {
      const target: Target = { operation: "read", place, path }
      const full = yield* requireEntry(target)
      return yield* step(target, "readLink", full, () => disk.readLink(full))
    }),

    readText: (place, path, maxBytes) =>
      Effect.map(readFile(place, path, maxBytes), ({ bytes, stat }) => ({
        text: new TextDecoder().decode(bytes),
        stat
      })),

    writeAtomic: Effect.fn("SafeFiles.writeAtomic")(function* (place, path, content, options) {
      const target: Target = { operation: "write", place, path }
      const full = yield* requireEntry(target)
      const folder = parentOf(full)
      yield* ensureFolder(target, folder)
      const before = yield* step(target, "stat", full, () => disk.stat(full))
      if (before !== null) yield* requireRegular(target, before)
      const file = yield* temporary(target, folder, encode(content))
      yield* step(target, "rename", full, () => {
        const replaces = options?.replaces
        if (replaces !== undefined && !sameFile(replaces, disk.stat(full))) throw new DiskRefusal("changed")
        disk.rename(file, full)
      })
      yield* step(target, "syncFolder", folder, () => disk.syncFolder(folder))
    }, Effect.scoped),

    createExclusive: Effect.fn("SafeFiles.createExclusive")(function* (place, path, content) {
      const target: Target = { operation: "write", place, path }
      const full = yield* requireEntry(target)
      const folder = parentOf(full)
      yield* ensureFolder(target, folder)
      const file = yield* temporary(target, folder, encode(content))
      yield* step(target, "link", full, () => disk.link(file, full))
      yield* step(target, "unlink", file, () => disk.unlink(file))
      yield* step(target, "syncFolder", folder, () => disk.syncFolder(folder))
    }, Effect.scoped),

    link: Effect.fn("SafeFiles.link")(function* (place: Place, from: string, to: string) {
      const source: Target = { operation: "link", place, path: from }
      const target: Target = { operation: "link", place, path: to }
      const old = yield* requireEntry(source)
      const full = yield* requireEntry(target)
      yield* Effect.try({ try: () => disk.read(old), catch: failure(source) })
      yield* step(target, "link", full, () => disk.link(old, full))
      yield* step(target, "syncFolder", parentOf(full), () => disk.syncFolder(parentOf(full)))
    }),

    unlink: Effect.fn("SafeFiles.unlink")(function* (place: Place, path: string) {
      const target: Target = { operation: "unlink", place, path }
      const full = yield* requireEntry(target)
      yield* step(target, "unlink", full, () => disk.unlink(full))
      yield* step(target, "syncFolder", parentOf(full), () => disk.syncFolder(parentOf(full)))
    }, nothingThere),

    removeTree: Effect.fn("SafeFiles.removeTree")(function* (place: Place, path: string) {
      const target: Target = { operation: "remove", place, path }
      const full = yield* requireEntry(target)
      yield* removeBelow(target, full)
      yield* step(target, "syncFolder", parentOf(full), () => disk.syncFolder(parentOf(full)))
    }, nothingThere),

    makeDirectory: Effect.fn("SafeFiles.makeDirectory")(function* (place: Place, path: string) {
      const target: Target = { operation: "mkdir", place, path }
      const full = yield* resolve(target)
      yield* ensureFolder(target, full)
      yield* Effect.try({ try: () => disk.list(full), catch: failure(target) })
    }),

    syncFolder: Effect.fn("SafeFiles.syncFolder")(function* (place: Place, path: string) {
      const target: Target = { operation: "sync", place, path }
      const full = yield* resolve(target)
      yield* Effect.try({ try: () => disk.list(full), catch: failure(target) })
      yield* step(target, "syncFolder", full, () => disk.syncFolder(full))
    }, nothingThere),

    openAppend,

    watch: (place, path) =>
      Stream.callback<string, FileError>(
        Effect.fnUntraced(function* (queue) {
          const target: Target = { operation: "watch", place, path }
          const full = yield* resolve(target)
          const gone = fileError("watch", place, path, "missing")
          yield* Effect.acquireRelease(
            step(target, "watch", full, () =>
              disk.watch(full, {
                changed: (name) => Queue.offerUnsafe(queue, name),
                gone: () => Queue.failCauseUnsafe(queue, Cause.fail(gone))
              })
            ),
            (stop) => Effect.sync(stop)
          )
          Queue.offerUnsafe(queue, "")
        }),
        { bufferSize: 1024, strategy: "sliding" }
      )
  })
}

import { Effect, Layer } from "effect"
import { FileError, SafeFiles } from "../../src/files/SafeFiles.ts"

type Operation = "read" | "write" | "append" | "sync" | "truncate" | "open"

/** Files in memory that fail on demand: what a journal sees of a bad disk. */
export const makeStubFiles = () => {
  const files = new Map<string, Buffer>()
  const failing = new Set<Operation>()
  /** Called when a write of a file is refused: what it has already done by then. */
  const disk = { files, failing, tornBytes: 0, replacesBeforeFailing: false, syncs: 0, writes: 0 }

  const error = (operation: FileError["operation"], path: string, reason: FileError["reason"] = "io") =>
    new FileError({ operation, path, reason, detail: "the disk says no" })
  const step = (operation: Operation, kind: FileError["operation"], path: string, action: () => void) =>
    Effect.suspend(() =>
      failing.has(operation)
        ? Effect.fail(error(kind, path))
        : Effect.andThen(Effect.yieldNow, Effect.sync(action))
    )

  const layer = Layer.mock(SafeFiles, {
    stat: (_, path) =>
      Effect.sync(() => {
        const content = files.get(path)
        if (content === undefined) return null
        return { kind: "file", size: content.length, executable: false, inode: "1", modifiedAt: 0 }
      }),
    read: (_, path, maxBytes) =>
      Effect.suspend(() => {
        const content = files.get(path)
        if (content === undefined) return Effect.fail(error("read", path, "missing"))
        if (content.length > maxBytes) return Effect.fail(error("read", path, "too_large"))
        return failing.has("read") ? Effect.fail(error("read", path)) : Effect.succeed(content)
      }),
    list: (_, path) =>
      Effect.sync(() =>
        [...files.keys()]
          .filter((name) => name.startsWith(`${path}/`))
          .map((name) => ({
            name: name.slice(path.length + 1),
            kind: "file" as const,
            size: 0,
            executable: false,
            inode: "1",
            modifiedAt: 0
          }))
      ),
    makeDirectory: () => Effect.void,
    syncFolder: () => Effect.void,
    writeAtomic: (_, path, content) =>
      Effect.suspend(() => {
        const replace = () => {
          disk.writes++
          files.set(path, Buffer.from(content))
        }
        if (failing.has("write") && disk.replacesBeforeFailing) replace()
        return step("write", "write", path, replace)
      }),
    openAppend: (_, path) =>
      Effect.gen(function* () {
        yield* step("open", "append", path, () => files.set(path, files.get(path) ?? Buffer.alloc(0)))
        const now = () => files.get(path) ?? Buffer.alloc(0)
        return {
          size: Effect.sync(() => now().length),
          append: (bytes) =>
            Effect.suspend(() => {
              const torn = failing.has("append") ? disk.tornBytes : 0
              files.set(path, Buffer.concat([now(), bytes.subarray(0, torn)]))
              return step("append", "append", path, () => {
                disk.writes++
                files.set(path, Buffer.concat([now(), bytes]))
              })
            }),
          sync: step("sync", "sync", path, () => void disk.syncs++),
          truncate: (size) => step("truncate", "append", path, () => files.set(path, now().subarray(0, size)))
        }
      })
  })
  return { disk, layer }
}

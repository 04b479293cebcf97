import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeMemoryDisk } from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import { SafeFiles } from "../../src/files/SafeFiles.ts"
import { safeFilesContract } from "./SafeFiles.contract.ts"

const root = "/place"
const place = { root }

safeFilesContract(
  "files in memory",
  Effect.sync(() => {
    const disk = makeMemoryDisk()
    disk.mkdir(root)
    disk.sync()
    return {
      place,
      layer: MemorySafeFiles.layer(disk),
      put: (path, content) => disk.put(`${root}/${path}`, content),
      symlink: (path, target) => disk.putSpecial(`${root}/${path}`, "symlink", `${root}/${target}`),
      fifo: (path) => disk.putSpecial(`${root}/${path}`, "fifo"),
      removeFolder: (path) => {
        for (const { name } of disk.list(`${root}/${path}`)) disk.unlink(`${root}/${path}/${name}`)
        disk.rmdir(`${root}/${path}`)
      }
    }
  })
)

describe("a disk in memory", () => {
  const text = (disk: ReturnType<typeof makeMemoryDisk>, path: string) =>
    new TextDecoder().decode(disk.read(path).bytes)

  it("keeps after a crash what was synced, and nothing else", () => {
    const disk = makeMemoryDisk()
    disk.put("/d/old", "old")
    disk.write("/d/old", Buffer.from("new"))
    disk.create("/d/lost")
    disk.create("/d/half")
    disk.write("/d/half", Buffer.from("content"))
    disk.crash()
    assert.strictEqual(text(disk, "/d/old"), "old")
    assert.isNull(disk.stat("/d/lost"))
    assert.isNull(disk.stat("/d/half"))
  })

  it("keeps a name without content when only the folder was synced", () => {
    const disk = makeMemoryDisk()
    disk.put("/d/x", "")
    disk.create("/d/half")
    disk.write("/d/half", Buffer.from("content"))
    disk.syncFolder("/d")
    disk.crash()
    assert.strictEqual(text(disk, "/d/half"), "")
  })

  it("may keep more than was synced", () => {
    const disk = makeMemoryDisk()
    disk.put("/d/x", "")
    disk.rename("/d/x", "/d/y")
    disk.crash(() => true)
    assert.deepStrictEqual(
      disk.list("/d").map(({ name }) => name),
      ["y"]
    )
  })

  it.effect("shows that every write of SafeFiles is durable when it returns", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      yield* Effect.gen(function* () {
        const files = yield* SafeFiles
        yield* files.writeAtomic(place, "a/written", "1")
        yield* files.createExclusive(place, "a/created", "2")
        yield* files.makeDirectory(place, "b/c")
        yield* files.link(place, "a/created", "b/linked")
        yield* files.unlink(place, "a/created")
        const log = yield* files.openAppend(place, "log")
        yield* log.append(Buffer.from("synced"))
        yield* log.sync
        yield* files.syncFolder(place, "")
        yield* log.append(Buffer.from(" lost"))
      }).pipe(Effect.scoped, Effect.provide(MemorySafeFiles.layer(disk)))
      disk.crash()
      assert.deepStrictEqual(
        ["/place", "/place/a", "/place/b"].map((path) => disk.list(path).map(({ name }) => name)),
        [["a", "b", "log"], ["written"], ["c", "linked"]]
      )
      assert.strictEqual(text(disk, "/place/b/linked"), "2")
      assert.strictEqual(text(disk, "/place/log"), "synced")
    })
  )

  it.effect("leaves old or new content, whichever step a write dies in", () =>
    Effect.gen(function* () {
      let steps = 0
      for (let last = 0; last <= steps; last++) {
        const disk = makeMemoryDisk()
        disk.put("/place/file", "old")
        steps = 0
        const layer = MemorySafeFiles.layer(disk, {
          before: () => (steps++ < last ? Effect.void : Effect.fail("io"))
        })
        const written = yield* SafeFiles.use((files) => files.writeAtomic(place, "file", "new")).pipe(
          Effect.provide(layer),
          Effect.isSuccess
        )
        for (const keeps of [false, true]) {
          disk.crash(() => keeps)
          assert.include(written ? ["new"] : ["old", "new"], text(disk, "/place/file"))
        }
      }
      assert.isAbove(steps, 4)
    })
  )
})

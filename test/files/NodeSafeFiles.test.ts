import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { createRequire, syncBuiltinESMExports } from "node:module"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"
import { SafeFiles } from "../../src/files/SafeFiles.ts"
import { safeFilesContract } from "./SafeFiles.contract.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "symphony-files-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

const nodeFs: { fsync: typeof fs.fsync } = createRequire(import.meta.url)("node:fs")

/** Until the test has ended, the disk refuses to sync anything. */
const unsyncable = Effect.acquireRelease(
  Effect.sync(() => {
    const real = nodeFs.fsync
    const refuse = (_: number, done: fs.NoParamCallback) =>
      done(Object.assign(new Error("EIO"), { code: "EIO" }))
    nodeFs.fsync = Object.assign(refuse, { __promisify__: real.__promisify__ })
    syncBuiltinESMExports()
    return real
  }),
  (real) =>
    Effect.sync(() => {
      nodeFs.fsync = real
      syncBuiltinESMExports()
    })
)

safeFilesContract(
  "files of the machine",
  Effect.map(folder, (root) => {
    const at = (name: string) => {
      const full = path.join(root, name)
      fs.mkdirSync(path.dirname(full), { recursive: true })
      return full
    }
    return {
      place: { root },
      layer: NodeSafeFiles.layer,
      put: (name, content) => fs.writeFileSync(at(name), content),
      symlink: (name, target) => fs.symlinkSync(path.join(root, target), at(name)),
      fifo: (name) => execFileSync("mkfifo", [at(name)]),
      removeFolder: (name) => fs.rmSync(at(name), { recursive: true })
    }
  })
)

describe("files of the machine", () => {
  it.live("keep the mode of a file that is replaced, and obey an explicit one", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const files = yield* SafeFiles
      fs.writeFileSync(path.join(root, "kept"), "", { mode: 0o600 })
      yield* files.writeAtomic({ root }, "kept", "x")
      yield* files.writeAtomic({ root }, "secret", "x", { mode: 0o600 })
      const mode = (name: string) => fs.statSync(path.join(root, name)).mode & 0o777
      assert.deepStrictEqual([mode("kept"), mode("secret")], [0o600, 0o600])
    }).pipe(Effect.provide(NodeSafeFiles.layer))
  )

  it.live("are removed even where tools took away the right to", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const files = yield* SafeFiles
      fs.mkdirSync(path.join(root, "t/cache/mod"), { recursive: true })
      fs.writeFileSync(path.join(root, "t/cache/mod/file"), "")
      fs.chmodSync(path.join(root, "t/cache/mod"), 0o000)
      fs.chmodSync(path.join(root, "t/cache"), 0o500)
      yield* files.removeTree({ root }, "t")
      assert.isFalse(fs.existsSync(path.join(root, "t")))
    }).pipe(Effect.provide(NodeSafeFiles.layer))
  )

  it.live("are removed however deep they lie", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const files = yield* SafeFiles
      const home = process.cwd()
      fs.mkdirSync(path.join(root, "t"))
      process.chdir(path.join(root, "t"))
      for (let depth = 0; depth < 2_000; depth++) {
        fs.mkdirSync("deeper")
        process.chdir("deeper")
      }
      process.chdir(home)
      yield* files.removeTree({ root }, "t")
      assert.deepStrictEqual(fs.readdirSync(root), [])
    }).pipe(Effect.provide(NodeSafeFiles.layer))
  )

  it.live("leave no descriptor open", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const files = yield* SafeFiles
      const open = () => fs.readdirSync("/proc/self/fd").length
      yield* files.writeAtomic({ root }, "a/b", "")
      const before = open()
      for (let round = 0; round < 50; round++) {
        yield* files.writeAtomic({ root }, "a/b", "")
        yield* files.readText({ root }, "a/b", 1)
        yield* files.list({ root }, "a")
        yield* Effect.ignore(files.read({ root }, "a/b/c/d", 1))
        yield* Effect.ignore(files.link({ root }, "a/b", "a/b"))
      }
      assert.isAtMost(open(), before + 2)
    }).pipe(Effect.provide(NodeSafeFiles.layer))
  )

  it.live("leave no descriptor open when a folder cannot be synced", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const files = yield* SafeFiles
      const open = () => fs.readdirSync("/proc/self/fd").length
      const durableLog = Effect.andThen(files.openAppend({ root }, "log"), files.syncFolder({ root }, ""))
      yield* Effect.scoped(durableLog)
      yield* unsyncable
      const before = open()
      for (let round = 0; round < 50; round++) {
        for (const refused of [Effect.scoped(durableLog), files.writeAtomic({ root }, "a", "")]) {
          assert.strictEqual((yield* Effect.flip(refused)).reason, "io")
        }
      }
      assert.isAtMost(open(), before + 2)
    }).pipe(Effect.provide(NodeSafeFiles.layer))
  )

  it.live("are removed a few at a time, so that everything else goes on meanwhile", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const files = yield* SafeFiles
      fs.mkdirSync(path.join(root, "t"))
      for (let index = 0; index < 5_000; index++) fs.writeFileSync(path.join(root, "t", `${index}`), "")
      let turns = 0
      const other = yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            Effect.sync(() => (turns += 1)),
            Effect.yieldNow
          )
        ),
        { startImmediately: true }
      )
      yield* files.removeTree({ root }, "t")
      yield* Fiber.interrupt(other)
      assert.deepStrictEqual(fs.readdirSync(root), [])
      assert.isAtLeast(turns, 10)
    }).pipe(Effect.provide(NodeSafeFiles.layer))
  )
})

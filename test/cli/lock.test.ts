import { NodeServices } from "@effect/platform-node"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Option, Stream } from "effect"
import { rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { build } from "rolldown"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { holdSocket, lockSocket, readHolder, TrackerHeld, TrackerLock } from "../../src/cli/lock.ts"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"
import { projectRoot } from "../support/sources.ts"
import { temporaryFolder } from "../support/repository.ts"

const platform = Layer.merge(NodeServices.layer, NodeSafeFiles.layer)

/** A folder that stands for the tracker and for its state. */
const world = Effect.map(
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()),
  (folder) => ({ trackerRoot: folder, stateRoot: folder })
)

/** Takes the lock, as this process, for as long as `use` takes. */
const holding = <A, E, R>(
  options: { readonly trackerRoot: string; readonly stateRoot: string },
  use: Effect.Effect<A, E, R>
) => Effect.provide(use, TrackerLock.layer(options), { local: true })

/** What the other process runs: a script of Node, for Node 20 reads no TypeScript. */
let holder = ""
beforeAll(async () => {
  holder = join(temporaryFolder(), "holder.mjs")
  await build({
    cwd: projectRoot,
    input: "test/cli/holder.ts",
    platform: "node",
    checks: { eval: false },
    output: { file: holder }
  })
})
afterAll(() => rmSync(dirname(holder), { recursive: true, force: true }))

/** A second process that holds the lock, until its end is awaited or the scope closes. */
const otherProcess = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const handle = yield* spawner.spawn(
    ChildProcess.make(process.execPath, [holder, ...args], {
      forceKillAfter: "1 second",
      stderr: "inherit"
    })
  )
  const first = yield* handle.stdout.pipe(Stream.decodeText(), Stream.splitLines, Stream.runHead)
  assert.deepStrictEqual(first, Option.some("held"))
  return {
    pid: Number(handle.pid),
    die: Effect.andThen(handle.kill({ killSignal: "SIGKILL" }), Effect.exit(handle.exitCode))
  }
})

const isHeldBy = (error: unknown, pid: number) => {
  assert.instanceOf(error, TrackerHeld)
  assert.strictEqual(error.pid, pid)
  assert.include(error.message, `(pid ${pid})`)
}

describe("the lock on a tracker", () => {
  it.live("a second process is refused, naming the first; a kill -9 gives the tracker back", () =>
    Effect.gen(function* () {
      const options = yield* world
      const other = yield* otherProcess(options.trackerRoot, options.stateRoot)
      isHeldBy(yield* Effect.flip(holding(options, Effect.void)), other.pid)
      assert.strictEqual((yield* readHolder(options.stateRoot))?.pid, other.pid)
      yield* other.die
      yield* holding(
        options,
        Effect.gen(function* () {
          assert.strictEqual((yield* readHolder(options.stateRoot))?.pid, process.pid)
        })
      )
    }).pipe(Effect.provide(platform))
  )

  it.live("it is one lock whatever the state root, and another tracker has another", () =>
    Effect.gen(function* () {
      const one = yield* world
      const two = yield* world
      yield* holding(
        one,
        Effect.gen(function* () {
          const elsewhere = { ...one, stateRoot: two.stateRoot }
          isHeldBy(yield* Effect.flip(holding(elsewhere, Effect.void)), process.pid)
          assert.isNull(yield* readHolder(two.stateRoot), "the refused one leaves no name")
          yield* holding(two, Effect.void)
        })
      )
    }).pipe(Effect.provide(platform))
  )

  it.live("is free again when its scope closes, and the holder's name is gone", () =>
    Effect.gen(function* () {
      const options = yield* world
      yield* holding(options, Effect.void)
      assert.isNull(yield* readHolder(options.stateRoot))
      yield* holding(options, Effect.void)
    }).pipe(Effect.provide(platform))
  )

  it.live("tells where the holder listens", () =>
    Effect.gen(function* () {
      const options = yield* world
      yield* holding(
        options,
        Effect.gen(function* () {
          const lock = yield* TrackerLock
          yield* lock.announce("http://127.0.0.1:8787")
          assert.strictEqual((yield* readHolder(options.stateRoot))?.listener, "http://127.0.0.1:8787")
          const error = yield* Effect.flip(holding(options, Effect.void))
          assert.include(error.message, "http://127.0.0.1:8787")
        })
      )
    }).pipe(Effect.provide(platform))
  )

  it.live("of two that start together one has it and the other is refused", () =>
    Effect.gen(function* () {
      const options = yield* world
      const done = yield* Effect.all(
        [1, 2].map(() =>
          Effect.result(Effect.flatMap(Layer.build(TrackerLock.layer(options)), () => Effect.void))
        ),
        { concurrency: 2 }
      )
      assert.strictEqual(done.filter(({ _tag }) => _tag === "Success").length, 1)
    }).pipe(Effect.provide(platform))
  )

  it.live("where sockets are files, what a dead holder left behind is taken over, a living one is not", () =>
    Effect.gen(function* () {
      const { trackerRoot, stateRoot } = yield* world
      const socket = `${stateRoot}/lock.sock`
      const mine = () => ({ pid: process.pid, startedAt: 0, trackerRoot, listener: null })
      const other = yield* otherProcess(trackerRoot, stateRoot, socket)
      isHeldBy(yield* Effect.flip(Effect.scoped(holdSocket(socket, trackerRoot, mine))), other.pid)
      yield* other.die
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* holdSocket(socket, trackerRoot, mine)
          isHeldBy(yield* Effect.flip(Effect.scoped(holdSocket(socket, trackerRoot, mine))), process.pid)
        })
      )
    }).pipe(Effect.provide(platform))
  )

  it("has no file on Linux, and one of bearable length elsewhere", () => {
    assert.match(lockSocket("/a/tracker", "linux"), /^\0symphony-[0-9a-f]{32}$/)
    assert.match(lockSocket("/a/tracker", "darwin"), /\/symphony-[0-9a-f]{32}\.sock$/)
    assert.notStrictEqual(lockSocket("/a/tracker", "linux"), lockSocket("/another/tracker", "linux"))
  })
})

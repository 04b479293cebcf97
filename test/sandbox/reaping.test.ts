import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Schedule, type Scope, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { layer as safeFilesLayer } from "../../src/files/NodeSafeFiles.ts"
import { SafeFiles } from "../../src/files/SafeFiles.ts"
import { ProcessTable } from "../../src/processes/ProcessTable.ts"
import { runMarker, writeRunRecord } from "../../src/processes/RunRecord.ts"
import { Sandboxes } from "../../src/sandbox/Sandboxes.ts"
import { hasProcessTable } from "../support/capabilities.ts"
import { realLayer } from "./layers.ts"
import { carriers, makeWorld, type World } from "./world.ts"

/** An orchestrator that starts a guest as ours would, says its pid, and waits to be killed. */
const ORCHESTRATOR = `
const { spawn } = require("node:child_process")
const guest = spawn("sh", ["-c", process.argv[1]], { detached: true, stdio: ["pipe", "ignore", "ignore"] })
console.log(guest.pid)
setInterval(() => {}, 1000)
`

const leave = Effect.fnUntraced(function* (script: string, env: Readonly<Record<string, string>>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const table = yield* ProcessTable
  const orchestrator = yield* spawner.spawn(
    ChildProcess.make(process.execPath, ["-e", ORCHESTRATOR, script], {
      env,
      extendEnv: true,
      forceKillAfter: "100 millis"
    })
  )
  const pid = Number(yield* Stream.mkString(Stream.take(Stream.decodeText(orchestrator.stdout), 1)))
  const guest = yield* table.find(pid)
  assert.isNotNull(guest)
  yield* orchestrator.kill({ killSignal: "SIGKILL" })
  assert.isNotNull(yield* table.find(pid))
  return { pid, startTime: guest?.startTime ?? "" }
})

const reap = Effect.fnUntraced(function* (world: World) {
  const sandboxes = yield* Sandboxes
  const { runId } = world.request()
  const [answer] = yield* sandboxes.reap(world.workflow, [runId])
  assert.deepStrictEqual(answer?.runId, runId)
  return answer?.status
})

const record = Effect.fnUntraced(function* (
  world: World,
  processes: ReadonlyArray<{ readonly pid: number; readonly startTime: string }>,
  bootId?: string
) {
  const files = yield* SafeFiles
  const fs = yield* FileSystem.FileSystem
  const table = yield* ProcessTable
  const { runId } = world.request()
  yield* writeRunRecord(files, world.workflow.config.state.root, {
    version: 1,
    runId,
    marker: yield* runMarker(fs, world.workflow.config.state.root, runId),
    bootId: bootId ?? (yield* table.bootId),
    processes
  })
})

const onHost = <A, E>(
  body: (
    world: World
  ) => Effect.Effect<
    A,
    E,
    | Sandboxes
    | SafeFiles
    | ProcessTable
    | FileSystem.FileSystem
    | ChildProcessSpawner.ChildProcessSpawner
    | Scope.Scope
  >
) =>
  makeWorld("host").pipe(
    Effect.flatMap(body),
    Effect.scoped,
    Effect.provide(realLayer),
    Effect.provide(safeFilesLayer)
  )

describe.skipIf(!hasProcessTable("reaping after a crash"))("after kill -9 of the orchestrator", () => {
  it.live("its guests are found by their record and by their marker, and end", () =>
    onHost(
      Effect.fnUntraced(function* (world) {
        const fs = yield* FileSystem.FileSystem
        const { runId } = world.request()
        const marker = yield* runMarker(fs, world.workflow.config.state.root, runId)
        const script = "trap '' TERM; setsid sleep 1000 & sleep 1000 & wait; sleep 1000"
        const guest = yield* leave(script, { SYMPHONY_RUN_MARKER: marker })
        yield* record(world, [guest])
        yield* Effect.repeat(carriers(world.workflow, runId), {
          until: (all) => all.length >= 3,
          schedule: Schedule.spaced("5 millis")
        })
        assert.strictEqual(yield* reap(world), "dead")
        assert.deepStrictEqual(yield* carriers(world.workflow, runId), [])
        assert.deepStrictEqual(yield* fs.readDirectory(`${world.root}/state/runs/${runId}`), [])
        assert.strictEqual(yield* reap(world), "dead")
      })
    )
  )

  it.live("a guest that was started before its pid was recorded is found by its marker", () =>
    onHost(
      Effect.fnUntraced(function* (world) {
        const fs = yield* FileSystem.FileSystem
        const { runId } = world.request()
        const marker = yield* runMarker(fs, world.workflow.config.state.root, runId)
        yield* record(world, [])
        yield* leave("sleep 1000", { SYMPHONY_RUN_MARKER: marker })
        assert.strictEqual(yield* reap(world), "dead")
        assert.deepStrictEqual(yield* carriers(world.workflow, runId), [])
      })
    )
  )

  it.live("a guest that dropped its marker is found by pid and start time", () =>
    onHost(
      Effect.fnUntraced(function* (world) {
        const table = yield* ProcessTable
        const guest = yield* leave("sleep 1000 & wait", {})
        yield* record(world, [guest])
        assert.strictEqual(yield* reap(world), "dead")
        assert.isNull(yield* table.find(guest.pid))
      })
    )
  )

  it.live("a stranger with a reused pid, or with a pid of another boot, is left alone", () =>
    onHost(
      Effect.fnUntraced(function* (world) {
        const table = yield* ProcessTable
        const stranger = yield* leave("sleep 1000", { SYMPHONY_RUN_MARKER: "0123456789abcdef:r1-1" })
        yield* Effect.addFinalizer(() => table.signal(-stranger.pid, "SIGKILL"))
        yield* record(world, [{ pid: stranger.pid, startTime: "1" }])
        assert.strictEqual(yield* reap(world), "dead")
        yield* record(world, [stranger], "another-boot")
        assert.strictEqual(yield* reap(world), "dead")
        assert.isNotNull(yield* table.find(stranger.pid))
      })
    )
  )

  it.live("a broken record is no obstacle: the marker tells", () =>
    onHost(
      Effect.fnUntraced(function* (world) {
        const fs = yield* FileSystem.FileSystem
        const { runId } = world.request()
        yield* record(world, [])
        yield* fs.writeFileString(`${world.root}/state/runs/${runId}/process.json`, "{")
        yield* leave("sleep 1000", {
          SYMPHONY_RUN_MARKER: yield* runMarker(fs, world.workflow.config.state.root, runId)
        })
        assert.strictEqual(yield* reap(world), "dead")
        assert.deepStrictEqual(yield* carriers(world.workflow, runId), [])
      })
    )
  )
})

// An orchestrator as far as the lock is concerned: holds it, says so, and lives until it is ended.
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect } from "effect"
import { holdSocket, TrackerLock } from "../../src/cli/lock.ts"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"

const [trackerRoot = "", stateRoot = "", socket] = process.argv.slice(2)
const holder = { pid: process.pid, startedAt: 0, trackerRoot, listener: null }
const said = Effect.andThen(Console.log("held"), Effect.never)
const hold = Effect.gen(function* () {
  if (socket !== undefined) {
    yield* holdSocket(socket, trackerRoot, () => holder)
    return yield* said
  }
  return yield* Effect.provide(said, TrackerLock.layer({ trackerRoot, stateRoot }))
})

hold.pipe(Effect.scoped, Effect.provide([NodeSafeFiles.layer, NodeFileSystem.layer]), NodeRuntime.runMain)

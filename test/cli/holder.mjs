// An orchestrator as far as the lock is concerned: holds it, says so, and lives until it is ended.
import { NodeFileSystem, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { holdSocket, TrackerLock } from "../../dist/cli/lock.js"
import * as NodeSafeFiles from "../../dist/files/NodeSafeFiles.js"

const [trackerRoot, stateRoot, socket] = process.argv.slice(2)
const holder = { pid: process.pid, startedAt: 0, trackerRoot, listener: null }
const hold =
  socket === undefined
    ? Layer.launch(
        Layer.effectDiscard(Effect.andThen(TrackerLock, Console.log("held"))).pipe(
          Layer.provide(TrackerLock.layer({ trackerRoot, stateRoot }))
        )
      )
    : holdSocket(socket, trackerRoot, () => holder).pipe(
        Effect.andThen(Console.log("held")),
        Effect.andThen(Effect.never)
      )

hold.pipe(Effect.scoped, Effect.provide([NodeSafeFiles.layer, NodeFileSystem.layer]), NodeRuntime.runMain)

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FileSystem, Redacted, Scope } from "effect"
import { Sandboxes } from "../../src/sandbox/Sandboxes.ts"
import type { SandboxKind } from "../../src/workflow/WorkflowConfig.ts"
import { canBubblewrap, hasProcessTable } from "../support/capabilities.ts"
import { realLayer } from "./layers.ts"
import { carriers, makeWorld, sh, untilPrinted } from "./world.ts"

/** Ignores SIGTERM, and leaves a grandchild, one in a session of its own, and one whose parent is gone. */
const STUBBORN = `
trap '' TERM
sleep 1000 &
setsid sleep 1000 &
(setsid sh -c "trap '' TERM; sleep 1000" &)
echo ready
while :; do sleep 1000; done
`

const stoppedMeansDead = (kind: SandboxKind) =>
  describe(`stopped means dead: ${kind}`, () => {
    const stubborn = Effect.gen(function* () {
      const sandboxes = yield* Sandboxes
      const world = yield* makeWorld(kind)
      const scope = yield* Scope.make()
      const request = world.request()
      const sandbox = yield* Scope.provide(sandboxes.acquire(request), scope)
      const process = yield* Scope.provide(sandbox.start(sh(STUBBORN)), scope)
      yield* untilPrinted(process, "ready")
      const left = carriers(world.workflow, request.runId)
      assert.isAtLeast((yield* left).length, 4)
      return { world, sandbox, scope, process, left }
    })

    it.live("a guest that ignores SIGTERM, with all it started, when the scope closes", () =>
      Effect.gen(function* () {
        const { left, process, scope } = yield* stubborn
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* left, [])
        assert.notStrictEqual((yield* process.exit).code, 0)
      }).pipe(Effect.scoped, Effect.provide(realLayer))
    )

    it.live("the same when it is stopped, and its HOME and record go with it", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { left, sandbox, scope, world } = yield* stubborn
        assert.strictEqual(yield* sandbox.stop, "dead")
        assert.deepStrictEqual(yield* left, [])
        const folder = `${world.root}/state/runs/r1-1`
        assert.isTrue(yield* fs.exists(`${folder}/process.json`))
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* fs.readDirectory(folder), [])
      }).pipe(Effect.scoped, Effect.provide(realLayer))
    )

    it.live("what a guest left behind that has ended by itself", () =>
      Effect.gen(function* () {
        const sandboxes = yield* Sandboxes
        const world = yield* makeWorld(kind)
        const request = world.request()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const sandbox = yield* sandboxes.acquire(request)
            const process = yield* sandbox.start(sh("setsid sleep 1000 & sleep 1000 & exit 0"))
            assert.strictEqual((yield* process.exit).code, 0)
          })
        )
        assert.deepStrictEqual(yield* carriers(world.workflow, request.runId), [])
      }).pipe(Effect.scoped, Effect.provide(realLayer))
    )

    it.live("a run that could not be prepared leaves no credential behind", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const sandboxes = yield* Sandboxes
        const world = yield* makeWorld(kind)
        const homeFiles = ["token", "../../outside"].map((path) => ({
          path,
          content: Redacted.make("s3cret")
        }))
        const error = yield* Effect.flip(Effect.scoped(sandboxes.acquire(world.request({ homeFiles }))))
        assert.strictEqual(error.reason, "io")
        assert.deepStrictEqual(yield* fs.readDirectory(`${world.root}/state/runs/r1-1`), [])
      }).pipe(Effect.scoped, Effect.provide(realLayer))
    )

    it.live("and no other run", () =>
      Effect.gen(function* () {
        const sandboxes = yield* Sandboxes
        const world = yield* makeWorld(kind)
        const neighbour = yield* makeWorld(kind)
        const other = yield* sandboxes.acquire(neighbour.request())
        yield* other.start(sh("sleep 1000"))
        const sandbox = yield* sandboxes.acquire(world.request())
        yield* sandbox.start(sh("sleep 1000"))
        assert.strictEqual(yield* sandbox.stop, "dead")
        assert.isAtLeast((yield* carriers(neighbour.workflow, neighbour.request().runId)).length, 1)
      }).pipe(Effect.scoped, Effect.provide(realLayer))
    )
  })

describe.skipIf(!hasProcessTable("the ending of guests on the host"))("host", () => {
  stoppedMeansDead("host")
})
describe.skipIf(!canBubblewrap("the ending of guests in bubblewrap"))("bubblewrap", () => {
  stoppedMeansDead("bubblewrap")
})

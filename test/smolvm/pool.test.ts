import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Redacted, Schedule } from "effect"
import { Sandboxes, type SandboxRequest } from "../../src/sandbox/Sandboxes.ts"
import { allOf, sh } from "../sandbox/world.ts"
import { hasProcessTable } from "../support/capabilities.ts"
import { onSmolvm } from "./world.ts"

const agent = (maxConcurrentAgents: number) => {
  const defaults = { maxTurns: 20, maxSessionsPerIssue: 20, maxRetryBackoffMs: 300_000 }
  return { agent: { ...defaults, maxConcurrentAgents } }
}

const acquire = (request: Parameters<Sandboxes["Service"]["acquire"]>[0]) =>
  Effect.flatMap(Sandboxes, (sandboxes) => sandboxes.acquire(request))

const output = (sandbox: Effect.Success<ReturnType<typeof acquire>>, line: string) =>
  Effect.flatMap(sandbox.start(sh(line)), (process) => allOf(process.stdout))

const untilTrue = (look: () => boolean) =>
  Effect.repeat(Effect.sync(look), { until: (found) => found, schedule: Schedule.spaced("20 millis") })

describe.skipIf(!hasProcessTable("the pool of smolvm"))("the pool of smolvm", { timeout: 120_000 }, () => {
  it.live("50 issues and a pool of 5: never more than 5 live, and nothing is left", () =>
    onSmolvm({ config: agent(5) }, (scene, life) =>
      Effect.gen(function* () {
        const { request, standIn } = scene
        let holding = 0
        const full = yield* Deferred.make<void>()
        yield* life(
          Effect.forEach(
            Array.from({ length: 50 }, (_, n) => n + 1),
            (n) =>
              Effect.scoped(
                Effect.gen(function* () {
                  yield* acquire(request(`ISSUE-${n}`, n))
                  holding++
                  if (holding === 5) yield* Deferred.succeed(full, undefined)
                  yield* Deferred.await(full)
                })
              ),
            { concurrency: "unbounded", discard: true }
          )
        )
        const living = standIn.boots().map((boot) => boot.living)
        assert.lengthOf(living, 50)
        assert.strictEqual(Math.max(...living), 5)
        assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
      })
    )
  )

  it.live("a boot that hangs costs one slot for its timeout and no more", () =>
    onSmolvm(
      {
        behaviour: { hang: ["-stuck-"] },
        config: agent(1),
        limits: { start: Duration.seconds(2) }
      },
      ({ request, standIn }, life) =>
        life(
          Effect.gen(function* () {
            const stuck = yield* Effect.forkChild(Effect.flip(Effect.scoped(acquire(request("stuck", 1)))))
            yield* untilTrue(() => standIn.boots().length === 1)
            const next = yield* Effect.forkChild(acquire(request("next", 2)))
            const error = yield* Fiber.join(stuck)
            assert.strictEqual(error.reason, "boot_timeout")
            assert.include((yield* Fiber.join(next)).name, "-next-")
            assert.lengthOf(standIn.list(), 1)
            assert.deepStrictEqual(
              standIn.boots().map((boot) => boot.living),
              [1, 1]
            )
            standIn.behave({ hang: [] })
          })
        )
    )
  )

  it.live("an issue comes back to its machine, and what it kept at home", () =>
    onSmolvm({}, ({ request, standIn, world }, life) =>
      life(
        Effect.gen(function* () {
          const sandboxes = yield* Sandboxes
          yield* Effect.scoped(
            Effect.gen(function* () {
              const homeFiles = [{ path: ".agent/key", content: Redacted.make("s3cret") }]
              const first = yield* acquire(request("KEPT", 1, { homeFiles }))
              yield* output(first, "cat ~/.agent/key; echo remembered > ~/session")
            })
          )
          assert.deepStrictEqual(yield* sandboxes.reap(world.workflow, [request("KEPT", 1).runId]), [
            { runId: request("KEPT", 1).runId, status: "dead" }
          ])
          assert.deepStrictEqual(
            standIn.list().map(({ state }) => state),
            ["stopped"]
          )
          assert.deepStrictEqual(standIn.processes(), [])
          const second = yield* acquire(request("KEPT", 2))
          assert.strictEqual(yield* output(second, "cat ~/session; ls ~/.agent"), "remembered\n")
          assert.lengthOf(standIn.list(), 1)
        })
      )
    )
  )

  it.live("a credential does not follow a link that an earlier run has left in the way", () =>
    onSmolvm({}, ({ request }, life) =>
      life(
        Effect.gen(function* () {
          const run = (n: number, line: string, overrides: Partial<SandboxRequest> = {}) =>
            Effect.scoped(
              Effect.flatMap(acquire(request("KEPT", n, overrides)), (sandbox) => output(sandbox, line))
            )
          const homeFiles = [{ path: ".agent/deep/key", content: Redacted.make("s3cret") }]
          const plants = [
            'ln -s "$PWD/out" ~/.agent',
            'mkdir ~/.agent && ln -s "$PWD/out" ~/.agent/deep',
            'mkdir -p ~/.agent/deep && ln -s "$PWD/out/key" ~/.agent/deep/key',
            "mkdir -p ~/.agent/deep/key/folder"
          ]
          for (const [index, plant] of plants.entries()) {
            yield* run(2 * index, `rm -rf ~/.agent out; mkdir out; ${plant}`)
            const look = 'cat ~/.agent/deep/key; stat -c " %a" ~/.agent/deep/key; find out'
            assert.strictEqual(yield* run(2 * index + 1, look, { homeFiles }), "s3cret 600\nout\n", plant)
          }
        })
      )
    )
  )

  it.live(
    "what an agent signs in with is gone before its next run, whoever wrote it and however it ended",
    () =>
      onSmolvm({}, ({ request }, life) =>
        life(
          Effect.gen(function* () {
            const secretPaths = [".agent/auth.json"]
            const write = "mkdir -p ~/.agent out && echo placeholder > ~/.agent/auth.json"
            const run = (n: number, line: string, overrides: Partial<SandboxRequest> = { secretPaths }) =>
              Effect.scoped(
                Effect.flatMap(acquire(request("KEPT", n, overrides)), (sandbox) => output(sandbox, line))
              )
            yield* run(1, write)
            assert.strictEqual(yield* run(2, "ls ~/.agent", {}), "", "after the run")
            yield* run(3, write, {})
            assert.strictEqual(yield* run(4, "ls ~/.agent"), "", "before the run")
            // Through a link nothing of the workspace is removed.
            yield* run(5, 'rm -rf ~/.agent && ln -s "$PWD/out" ~/.agent && echo mine > out/auth.json')
            assert.strictEqual(yield* run(6, "cat out/auth.json"), "mine\n")
          })
        )
      )
  )

  it.live("a machine of another making is made anew", () =>
    onSmolvm({}, ({ request, world }, life) =>
      life(
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.flatMap(acquire(request("GROWN", 1)), (it) => output(it, "touch ~/session"))
          )
          const { config } = world.workflow
          const workflow = {
            ...world.workflow,
            config: { ...config, smolvm: { ...config.smolvm, memMib: 999 } }
          }
          const second = yield* acquire(request("GROWN", 2, { workflow }))
          assert.strictEqual(yield* output(second, "ls ~"), "")
        })
      )
    )
  )

  it.live("a machine that its guest has broken is replaced in the same run", () =>
    onSmolvm({}, ({ request, standIn }, life) =>
      life(
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.flatMap(acquire(request("BROKEN", 1)), (it) => output(it, "echo exit 1 > ~/.profile"))
          )
          const second = yield* acquire(request("BROKEN", 2))
          assert.strictEqual(yield* output(second, "ls ~/.profile; echo works"), "works\n")
          assert.lengthOf(standIn.list(), 1)
          assert.lengthOf(standIn.processes(), 1)
        })
      )
    )
  )

  it.live("a machine that hung in its boot and that smolvm does not stop is ended by its process", () =>
    onSmolvm(
      { behaviour: { hang: ["-stuck-"], stuck: true }, limits: { start: Duration.seconds(1) } },
      ({ request, standIn, world }, life) =>
        life(
          Effect.gen(function* () {
            const sandboxes = yield* Sandboxes
            const { runId } = request("stuck")
            const error = yield* Effect.flip(Effect.scoped(acquire(request("stuck"))))
            assert.strictEqual(error.reason, "boot_timeout")
            assert.deepStrictEqual(yield* sandboxes.reap(world.workflow, [runId]), [
              { runId, status: "dead" }
            ])
            assert.deepStrictEqual(standIn.processes(), [])
            standIn.behave({ stuck: false })
            yield* untilTrue(() => standIn.list().length === 0)
          })
        )
    )
  )

  it.live("machines at rest are kept within the bound", () =>
    onSmolvm({ config: agent(2) }, ({ request, standIn }, life) =>
      life(
        Effect.gen(function* () {
          for (const n of [1, 2, 1, 3]) yield* Effect.scoped(acquire(request(`OLD-${n}`, n)))
          const names = standIn.list().map(({ name }) => name)
          assert.lengthOf(names, 2)
          // The one that has not been used for the longest time.
          assert.isFalse(names.some((name) => name.includes("-old-2-")))
        })
      )
    )
  )

  it.live("what smolvm does not say is not known: nothing is made, nothing is given up", () =>
    onSmolvm({ config: agent(1) }, ({ request, standIn, world }, life) =>
      life(
        Effect.gen(function* () {
          const sandboxes = yield* Sandboxes
          const { runId } = request("DOUBT", 1)
          for (const ls of ["garbage", "fail"]) {
            standIn.behave({ ls })
            const error = yield* Effect.flip(Effect.scoped(acquire(request("OTHER", 9))))
            assert.strictEqual(error.reason, "boot", ls)
          }
          standIn.behave({ ls: "ok" })
          assert.deepStrictEqual(standIn.list(), [])
          const left = yield* Deferred.make<void>()
          yield* Effect.scoped(
            Effect.andThen(
              acquire(request("DOUBT", 1)),
              Effect.sync(() => standIn.behave({ ls: "fail" }))
            )
          )
          assert.deepStrictEqual(yield* sandboxes.reap(world.workflow, [runId]), [
            { runId, status: "unknown" }
          ])
          const waiting = yield* Effect.forkChild(
            Effect.andThen(acquire(request("NEXT", 2)), Deferred.succeed(left, undefined))
          )
          assert.isFalse(yield* Deferred.isDone(left))
          standIn.behave({ ls: "ok" })
          yield* Fiber.join(waiting)
          assert.deepStrictEqual(yield* sandboxes.reap(world.workflow, [runId]), [{ runId, status: "dead" }])
        })
      )
    )
  )

  it.live("a machine that smolvm cannot stop, or lies about, is ended by its process", () =>
    onSmolvm({}, ({ request, standIn }, life) =>
      life(
        Effect.gen(function* () {
          for (const [n, behaviour] of [
            { stuck: true },
            { stuck: true, ls: "stopped" },
            { stuck: true, ls: "empty" }
          ].entries()) {
            const sandbox = yield* acquire(request(`LIAR-${n}`, n + 1))
            assert.lengthOf(standIn.processes(), 1)
            standIn.behave(behaviour)
            assert.strictEqual(yield* sandbox.stop, "dead")
            assert.deepStrictEqual(standIn.processes(), [])
            standIn.behave({ stuck: false, ls: "ok" })
          }
        })
      )
    )
  )
})

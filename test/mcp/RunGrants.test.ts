import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Redacted, Scope } from "effect"
import { RunGrants } from "../../src/mcp/RunGrants.ts"
import { Grants, grantOf } from "./support.ts"

const run = (n: number) => grantOf(`DEMO-${n}`, n)

const suite = <E>(effect: Effect.Effect<void, E, RunGrants | Scope.Scope>) =>
  effect.pipe(Effect.provide(Grants))

describe("RunGrants", () => {
  it.effect("a token of 32 random bytes opens its own grant and no other text opens anything", () =>
    suite(
      Effect.gen(function* () {
        const grants = yield* RunGrants
        const a = Redacted.value(yield* grants.issue(run(1)))
        const b = Redacted.value(yield* grants.issue(run(2)))
        assert.notStrictEqual(a, b)
        assert.match(a, /^[A-Za-z0-9_-]{43}$/)
        assert.deepStrictEqual(yield* grants.find(a), Option.some(run(1)))
        assert.deepStrictEqual(yield* grants.find(b), Option.some(run(2)))
        for (const wrong of ["", a.slice(1), `${a}x`, a.toUpperCase(), `${a} `]) {
          assert.isTrue(Option.isNone(yield* grants.find(wrong)))
        }
      })
    )
  )

  it.effect("a token is gone with its scope, and the others of its run stay", () =>
    suite(
      Effect.gen(function* () {
        const grants = yield* RunGrants
        const scope = yield* Scope.make()
        const short = Redacted.value(yield* grants.issue(run(1)).pipe(Scope.provide(scope)))
        const bridge = grantOf("DEMO-1", 1, "bridge")
        const long = Redacted.value(yield* grants.issue(bridge))
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(Option.isNone(yield* grants.find(short)))
        assert.deepStrictEqual(yield* grants.find(long), Option.some(bridge))
        assert.deepStrictEqual(yield* grants.active, [bridge])
      })
    )
  )

  it.effect("revoking a run revokes all of its tokens and none of another run", () =>
    suite(
      Effect.gen(function* () {
        const grants = yield* RunGrants
        const mcp = Redacted.value(yield* grants.issue(run(1)))
        const proxy = Redacted.value(yield* grants.issue(grantOf("DEMO-1", 1, "proxy")))
        const other = Redacted.value(yield* grants.issue(run(2)))
        yield* grants.revoke(run(1).runId)
        assert.isTrue(Option.isNone(yield* grants.find(mcp)))
        assert.isTrue(Option.isNone(yield* grants.find(proxy)))
        assert.isTrue(Option.isSome(yield* grants.find(other)))
      })
    )
  )

  it.effect("the wait for a tool list ends with that run's list, also when it came first", () =>
    suite(
      Effect.gen(function* () {
        const grants = yield* RunGrants
        yield* grants.issue(run(1))
        yield* grants.issue(run(2))
        const waiting = yield* Effect.forkChild(grants.awaitToolsListed(run(1).runId), {
          startImmediately: true
        })
        yield* grants.markToolsListed(run(2).runId)
        assert.isUndefined(waiting.pollUnsafe())
        yield* grants.markToolsListed(run(1).runId)
        yield* Fiber.join(waiting)
        yield* grants.awaitToolsListed(run(2).runId)
      })
    )
  )

  it.effect("a token does not show in what is printed of it", () =>
    suite(
      Effect.gen(function* () {
        const token = yield* (yield* RunGrants).issue(run(1))
        assert.notInclude(`${String(token)} ${JSON.stringify({ token })}`, Redacted.value(token))
      })
    )
  )
})

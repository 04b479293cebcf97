import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Ref } from "effect"
import { TestClock } from "effect/testing"
import { Identifier } from "../../src/domain/ids.ts"
import { Handoff, type HandoffError } from "../../src/handoff/Handoff.ts"
import { Previews } from "../../src/run/Previews.ts"
import { WorkLocks } from "../../src/run/WorkLocks.ts"
import * as MemoryWorkflow from "../../src/workflow/MemoryWorkflow.ts"
import { untouched } from "../http/support.ts"
import { endOfTurn } from "../support/house.ts"
import { makeHousehold } from "../support/household.ts"
import { asking } from "../support/scripts.ts"
import { testState, testWorkflow } from "../support/workflow.ts"

const DEMO = { identifier: Identifier.make("DEMO-1"), workspace: "/workspaces/DEMO-1", commit: null }

/** Over a handoff whose looks take as long as this. */
const withPreviews = <A, E>(
  look: Effect.Effect<unknown, HandoffError>,
  use: Effect.Effect<A, E, Previews | WorkLocks>
) =>
  use.pipe(
    Effect.provide(
      Previews.layer.pipe(
        Layer.provideMerge(WorkLocks.layer),
        Layer.provide(Layer.mock(Handoff, { preview: () => Effect.as(look, untouched) })),
        Layer.provide(MemoryWorkflow.layer(testWorkflow({})))
      )
    )
  )

const take = (request: Partial<typeof DEMO> = {}) =>
  Effect.flatMap(Previews, (previews) => previews.take({ ...DEMO, ...request }))

describe("a look at work that is not handed over", () => {
  it.effect("waits for whoever verifies, exports or removes it, and says so when that takes long", () =>
    withPreviews(
      Effect.void,
      Effect.gen(function* () {
        const locks = yield* WorkLocks
        const isDone = yield* Deferred.make<void>()
        yield* Effect.forkChild(locks.exclusively(DEMO.workspace)(Deferred.await(isDone)), {
          startImmediately: true
        })
        const late = yield* Effect.forkChild(Effect.flip(take()))
        const patient = yield* Effect.forkChild(Effect.andThen(Effect.sleep("30 seconds"), take()))
        yield* take({ workspace: "/workspaces/DEMO-2" })
        yield* TestClock.adjust("1 minute")
        const error = yield* Fiber.join(late)
        assert.deepInclude(error, { reason: "unverified", code: "timeout" })
        assert.include(error.message, "within 60 seconds")
        assert.isUndefined(patient.pollUnsafe())
        yield* Deferred.succeed(isDone, undefined)
        assert.deepStrictEqual(yield* Fiber.join(patient), untouched)
      })
    )
  )

  it.effect("is one of two at most, however many people look", () =>
    Effect.gen(function* () {
      const now = yield* Ref.make(0)
      const most = yield* Ref.make(0)
      const look = Effect.gen(function* () {
        const count = yield* Ref.updateAndGet(now, (count) => count + 1)
        yield* Ref.update(most, (before) => Math.max(before, count))
        yield* Effect.sleep("1 second")
        yield* Ref.update(now, (count) => count - 1)
      })
      yield* withPreviews(
        look,
        Effect.gen(function* () {
          const people = yield* Effect.forkChild(
            Effect.forEach(["1", "2", "3", "4", "5"], (name) => take({ workspace: `/workspaces/${name}` }), {
              concurrency: "unbounded"
            })
          )
          yield* TestClock.adjust(Duration.seconds(10))
          yield* Fiber.join(people)
        })
      )
      assert.strictEqual(yield* Ref.get(most), 2)
    })
  )

  it("is not taken while an agent's claim is verified, nor is a claim verified during a look", () => {
    const order: Array<string> = []
    const house = makeHousehold({
      config: { states: [testState("Todo", "active"), testState("Done", "terminal")] },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: (turn) =>
          turn.call("mark_done", { title: "Done", summary: "All done." }).pipe(
            Effect.tap(() => Effect.sync(() => void order.push("answered"))),
            Effect.as(endOfTurn)
          ),
        // The workspace is there, and its agent has not begun.
        open: () => Effect.as(Effect.sleep("5 seconds"), { resumes: true })
      }
    })
    house.advance("1 second")
    const workspace = house.record("A").workspace ?? assert.fail("there is no workspace")
    house.run(
      Effect.gen(function* () {
        const locks = yield* WorkLocks
        yield* Effect.forkDetach(
          locks.exclusively(workspace)(
            Effect.andThen(
              Effect.sleep("1 minute"),
              Effect.sync(() => void order.push("looked"))
            )
          )
        )
      })
    )
    house.advance("30 seconds")
    assert.deepStrictEqual(order, [])
    house.advance("1 minute")
    assert.deepStrictEqual(order, ["looked", "answered"])
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("is there while an agent asks, and after a stop that kept its workspace", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: asking("Which colour?")
      }
    })
    house.advance("1 second")
    const look = () => {
      const { identifier, workspace } = house.record("A")
      assert.isNotNull(workspace)
      return house.run(
        Effect.flatMap(Previews, (previews) =>
          previews.take({ identifier, workspace: workspace ?? "", commit: null })
        )
      )
    }
    assert.strictEqual(house.runOf("A")?.stage, "waiting")
    assert.strictEqual(look().head, "commit-of-A")
    house.command({ _tag: "Stop", issue: house.record("A").id })
    house.advance("1 minute")
    assert.isUndefined(house.runOf("A"))
    assert.strictEqual(look().head, "commit-of-A")
    assert.deepStrictEqual([...Ref.getUnsafe(house.world.handoff.exports)], [])
  })
})

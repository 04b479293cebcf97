import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Stream } from "effect"
import { Scheduler } from "../../src/scheduler/Scheduler.ts"
import * as MemoryTracker from "../../src/tracker/MemoryTracker.ts"
import { Tracker } from "../../src/tracker/Tracker.ts"
import { houseLayer, makeHouseWorld } from "../support/house.ts"
import { makeMachine } from "../support/Machine.ts"
import { testWorkflow } from "../support/workflow.ts"

describe("the scheduler", () => {
  it("ends the program, as a failure, when what it lives by has died of a bug", () => {
    const machine = makeMachine()
    const workflow = testWorkflow()
    const world = makeHouseWorld({ workflow, now: machine.now })
    const tracker = Layer.effect(
      Tracker,
      Effect.map(Tracker, (sound) => ({ ...sound, changes: Stream.die(new Error("a bug")) }))
    ).pipe(Layer.provide(MemoryTracker.layer(world.tracker)))
    const life = machine.start(
      Effect.flatMap(Effect.scope, (scope) =>
        Layer.buildWithScope(houseLayer({ workflow, world, leaves: { tracker } }), scope)
      ).pipe(Effect.flatMap((context) => Context.get(context, Scheduler).died))
    )
    machine.advance(1000)
    const exit = life.ended()
    assert.isTrue(exit !== undefined && Exit.hasDies(exit))
  })
})

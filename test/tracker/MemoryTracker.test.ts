import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { IssueId } from "../../src/domain/ids.ts"
import * as MemoryTracker from "../../src/tracker/MemoryTracker.ts"
import { Tracker, TrackerError } from "../../src/tracker/Tracker.ts"
import { makeTrackerWorld } from "../../src/tracker/TrackerWorld.ts"
import { states, trackerContract } from "./Tracker.contract.ts"

trackerContract(
  "a tracker in memory",
  Effect.sync(() => {
    const world = makeTrackerWorld({ states })
    let hidden = false
    return {
      ...world,
      hide: () => void (hidden = true),
      unhide: () => void (hidden = false),
      layer: MemoryTracker.layer(world, {
        before: ({ path }) =>
          Effect.suspend(() =>
            hidden
              ? Effect.fail(new TrackerError({ operation: "scan", path, detail: "it does not exist" }))
              : Effect.void
          )
      })
    }
  })
)

describe("a tracker in memory", () => {
  it.effect("outlives a program that dies between the halves of a move", () =>
    Effect.gen(function* () {
      const world = makeTrackerWorld({ states })
      world.put("Todo/A.md", {})
      const request = {
        id: IssueId.make("A"),
        fileName: "A.md",
        from: "Todo",
        to: "Done",
        inode: world.file("Todo/A.md")?.inode ?? ""
      }
      const move = Tracker.use((tracker) => tracker.move(request))
      const dies = MemoryTracker.layer(world, {
        before: ({ operation, path }) =>
          operation === "unlink" ? new TrackerError({ operation: "move", path, detail: "died" }) : Effect.void
      })
      yield* Effect.flip(move.pipe(Effect.provide(dies)))
      assert.deepStrictEqual(world.paths(), ["Done/A.md", "Todo/A.md"])
      const result = yield* move.pipe(Effect.provide(MemoryTracker.layer(world)))
      assert.deepStrictEqual([result._tag, world.paths()], ["already", ["Done/A.md"]])
    })
  )
})

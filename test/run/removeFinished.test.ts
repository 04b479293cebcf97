import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref } from "effect"
import { makeHousehold } from "../support/household.ts"
import { failing } from "../support/scripts.ts"
import { testState } from "../support/workflow.ts"

const states = [testState("Todo", "active"), testState("Done", "terminal")]

describe("the workspace of an issue that a person finished", () => {
  it("is handed over and removed where it was made, also when workspace.root has changed since", () => {
    const removed: Array<string> = []
    const house = makeHousehold({
      config: { states },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: failing("exit"),
        hook: (hook, { workspace }) =>
          hook === "before_remove" ? Effect.sync(() => void removed.push(workspace.path)) : Effect.void
      }
    })
    house.advance("1 second")
    const made = house.record("A").workspace ?? assert.fail("there is no workspace")
    house.configure({ states, workspace: { root: "/project/elsewhere" }, hooks: { before_remove: ":" } })
    house.world.tracker.move("Todo/A.md", "Done/A.md")
    house.advance("1 minute")

    const [exported] = Ref.getUnsafe(house.world.handoff.exports).values()
    assert.strictEqual(exported?.verdict, "verified")
    assert.deepStrictEqual(removed, [made])
    assert.deepStrictEqual([...Ref.getUnsafe(house.world.folders)], [])
  })
})

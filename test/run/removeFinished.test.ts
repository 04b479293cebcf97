import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref } from "effect"
import { diligent } from "../support/house.ts"
import { makeHousehold } from "../support/household.ts"
import { deaf, failing } from "../support/scripts.ts"
import { testState } from "../support/workflow.ts"

const states = [testState("Todo", "active"), testState("Done", "terminal")]

describe("the workspace of a run that symphony's death cut off", () => {
  it("is handed over, told to its hooks and removed where it was made, also when workspace.root has changed since", () => {
    const told: Array<string> = []
    const house = makeHousehold({
      config: { states, handoff: { mode: "pull_request" } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: (turn) => Effect.andThen(diligent(turn), deaf(turn)),
        hook: (hook, { env, workspace }) =>
          Effect.sync(() => void told.push(`${hook} ${workspace.path} ${env["SYMPHONY_WORKSPACE"]}`))
      }
    })
    house.advance("1 second")
    const made = house.runOf("A")?.workspace ?? assert.fail("there is no workspace")
    assert.isNotNull(house.runOf("A")?.done)
    house.configure({
      states,
      handoff: { mode: "pull_request" },
      workspace: { root: "/project/elsewhere" },
      hooks: { after_run: ":", before_remove: ":" }
    })
    const handedOver: Array<string | undefined> = []
    const noting = (operation: string, request: { readonly workspace: string } | null) => {
      if (operation === "exportRun" || operation === "publish") handedOver.push(request?.workspace)
      return null
    }
    house.run(Ref.set(house.world.handoff.fault, noting))
    house.restart()
    house.advance("1 minute")

    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.deepStrictEqual([...new Set(handedOver)], [made])
    assert.deepStrictEqual(told, [`after_run ${made} ${made}`, `before_remove ${made} ${made}`])
    assert.deepStrictEqual([...Ref.getUnsafe(house.world.folders)], [])
  })
})

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

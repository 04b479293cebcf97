import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { WorkspaceError } from "../../src/workspace/Workspaces.ts"
import { type Household, makeHousehold } from "../support/household.ts"
import { busy, only } from "../support/scripts.ts"

const full: Household["world"]["behaviour"]["disk"] = (_, { path }) =>
  Effect.fail(new WorkspaceError({ reason: "exhausted", path, detail: "no space is left" }))

const ISSUES = { "Todo/A.md": {}, "Todo/B.md": {}, "Todo/C.md": {} }

const startsOf = (house: Household) => house.journal().filter(({ _tag }) => _tag === "RunStarted").length

describe("a machine that has no more to give", () => {
  it("stops what would be started, says why, blames no issue, and goes on when it clears", () => {
    const house = makeHousehold({ issues: ISSUES, behaviour: { disk: full } })
    house.advance("15 seconds")
    assert.deepInclude(house.why("C"), {
      _tag: "Obstacle",
      message: "nothing is started: workspace /project/.symphony/workspaces/A: no space is left"
    })
    assert.deepInclude(house.view().problems[0], { source: "machine", severity: "error" })
    house.advance("8 hours")
    assert.deepStrictEqual(house.files(), ["Todo/A.md", "Todo/B.md", "Todo/C.md"])
    assert.isBelow(startsOf(house), 70)
    for (const id of ["A", "B", "C"]) assert.strictEqual(house.view().state.issues[id]?.failures ?? 0, 0)

    house.world.behaviour.disk = () => Effect.void
    house.advance("10 minutes")
    assert.deepStrictEqual(house.files(), ["Done/A.md", "Done/B.md", "Done/C.md"])
    assert.deepStrictEqual(house.view().problems, [])
  })

  it("is tried with one run at a time, also by the next process", () => {
    const house = makeHousehold({ issues: ISSUES, behaviour: { disk: full } })
    house.advance("15 seconds")
    house.restart()
    house.advance("1 second")
    assert.strictEqual(house.why("C")._tag, "Obstacle")
    const before = startsOf(house)
    house.world.behaviour.disk = () => Effect.never
    house.advance("1 hour")
    assert.strictEqual(startsOf(house), before + 1)
  })

  it("leaves alone what runs", () => {
    const house = makeHousehold({ issues: { "Todo/R.md": {} }, behaviour: { prompt: only("R", busy) } })
    house.advance("1 second")
    house.world.behaviour.disk = full
    house.put("Todo/A.md")
    house.advance("4 minutes")
    assert.isDefined(house.runOf("R"))
  })
})

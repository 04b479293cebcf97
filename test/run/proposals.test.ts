import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeHousehold } from "../support/household.ts"
import { diligent } from "../support/house.ts"
import { failing, inTurn, only, type Script } from "../support/scripts.ts"
import { testState } from "../support/workflow.ts"

const proposing =
  (then: Script): Script =>
  (turn) =>
    Effect.andThen(turn.call("propose_issue", { title: "Found on the way" }), then(turn))

describe("what an agent proposes", () => {
  it("is filed in Parked where the workflow declares no holding state, and does not start", () => {
    const house = makeHousehold({
      config: { states: [testState("Todo", "active"), testState("Done", "terminal")] },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: only("A", proposing(diligent)) }
    })
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md", "Parked/ISSUE-1.md"])
  })

  it("is filed once, also when the run fails and the next one proposes it again", () => {
    const house = makeHousehold({
      config: {
        states: [testState("Todo", "active"), testState("Triage", "holding"), testState("Done", "terminal")]
      },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(proposing(failing("exit")), proposing(diligent)) }
    })
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md", "Triage/ISSUE-1.md"])
  })
})

import { assert, describe, it } from "@effect/vitest"
import { makeHousehold } from "../support/household.ts"

describe("dispatch", () => {
  it("works an issue off at once, without waiting for the poll", () => {
    const house = makeHousehold({ issues: { "Todo/A-1.md": { title: "First" } } })
    house.advance("1 second")
    assert.deepStrictEqual(house.files(), ["Done/A-1.md"])
    assert.strictEqual(house.record("A-1").history[0]?.outcome._tag, "Completed")
  })
})

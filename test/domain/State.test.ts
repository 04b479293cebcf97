import { assert, describe, it } from "@effect/vitest"
import { policyOf, roleOf, sameState } from "../../src/domain/State.ts"
import { testState } from "../support/workflow.ts"

const policies = [testState("In Progress", "active"), testState(" Done ", "terminal")]

describe("states", () => {
  it("are compared trimmed and without regard to case", () => {
    assert.isTrue(sameState(" in progress ", "IN PROGRESS"))
    assert.isFalse(sameState("In Progress", "InProgress"))
    assert.strictEqual(policyOf(policies, "\tdone")?.role, "terminal")
  })

  it("that nobody declared are holding: nothing is started from, or cleaned up in, them", () => {
    assert.strictEqual(roleOf(policies, "in progress"), "active")
    assert.strictEqual(roleOf(policies, "Somewhere"), "holding")
  })
})

import { assert, describe, it } from "@effect/vitest"
import { patchName } from "../../src/handoff/patch.ts"

describe("what a branch leaves among the patches", () => {
  it("is called after it", () => assert.strictEqual(patchName("agent/DEMO-1"), "agent_DEMO-1"))

  it("is in no other one's place: not a folder where that one has its patch", () => {
    for (const branch of ["agent/DEMO-1", "agent/DEMO-1.patch", "agent/x.patch.patch"]) {
      for (const other of [`${branch}.patch`, `${branch}.PATCH`]) {
        assert.notStrictEqual(
          patchName(other).toLowerCase(),
          `${patchName(branch)}.patch`.toLowerCase(),
          other
        )
      }
    }
  })
})

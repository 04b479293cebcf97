import { assert, describe, it } from "@effect/vitest"
import { simulatePool } from "./pool.ts"

describe("the pool of VMs in a simulated world", () => {
  it("keeps its promises over 200 seeds, and is used", { timeout: 180_000 }, () => {
    let leases = 0
    for (let seed = 1; seed <= 200; seed++) {
      const outcome = simulatePool(seed)
      assert.isNull(outcome.violation, `seed ${seed}: ${outcome.violation?.message}`)
      leases += outcome.leases
    }
    assert.isAbove(leases, 5_000)
  })

  it("is the same twice from one seed", () => {
    assert.deepStrictEqual(simulatePool(7), simulatePool(7))
  })
})

import { assert, describe, it } from "@effect/vitest"
import { gaps, noCoverage } from "./coverage.ts"
import { makeLedger, Violation } from "./Ledger.ts"
import { planOf } from "./plan.ts"
import { KEPT_SEEDS } from "./seeds.ts"
import { simulate } from "./simulate.ts"

const short = (seed: number) => ({ ...planOf(seed), issues: 10, faultHours: 4 })

describe("the simulated world", () => {
  for (const { found, seed } of KEPT_SEEDS) {
    it(`seed ${seed} keeps every promise (${found})`, () => {
      assert.deepStrictEqual(simulate(planOf(seed)).violation, null)
    })
  }

  it("keeps every promise over the real tracker and journal files", () => {
    for (const seed of [20, 40, 60]) assert.deepStrictEqual(simulate(short(seed)).violation, null)
  })

  it("is the same twice from one seed, event by event", () => {
    const told = (seed: number) => {
      const lines: Array<string> = []
      simulate({ ...short(seed), trace: (line) => lines.push(line) })
      return lines.join("\n")
    }
    assert.strictEqual(told(7), told(7))
    assert.strictEqual(told(20), told(20))
    assert.notStrictEqual(told(7), told(8))
  })

  it("ends after the tasks that were asked for", () => {
    assert.strictEqual(simulate({ ...short(7), maxSteps: 500 }).steps, 500)
  })

  it("does not take a run that hit nothing for a clean one", () => {
    assert.isAbove(gaps(noCoverage(), 1000).length, 40)
    assert.deepStrictEqual(gaps(noCoverage(), 10), [])
  })

  it("sees an entry of a run that has ended", () => {
    const ledger = makeLedger({
      recentCap: () => 1,
      recentStateCap: () => null,
      wasActive: () => true,
      recentThreshold: () => 5,
      recentSessions: () => 20,
      recentBackoffCaps: () => [300_000],
      isFinished: () => false,
      now: () => 0,
      decidedAt: () => 0,
      wasTakenAway: () => false,
      lives: () => false,
      holdsToken: () => false,
      wasPrompted: () => true,
      wasTakenUp: () => true
    })
    assert.throws(
      () => ledger.appended([{ _tag: "HookStarted", at: 1, run: "r1-1" }]),
      Violation,
      /old generation/
    )
  })
})

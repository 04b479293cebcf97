import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeRunId } from "../../src/domain/ids.ts"
import { type RunReport, Runs } from "../../src/scheduler/Runs.ts"
import { makeHousehold } from "../support/household.ts"
import { busy } from "../support/scripts.ts"
import { testWorkflow } from "../support/workflow.ts"

describe("a run that a bug of ours ends", () => {
  it("says so, and tries again where saying so meets another bug", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: busy } })
    house.advance("1 second")
    const living = house.runOf("A")
    if (living === undefined) throw new Error("nothing runs")
    let bugs = 0
    const ended: Array<RunReport> = []
    house.run(
      Effect.flatMap(Runs, (runs) =>
        runs.start(
          {
            record: { ...living, run: makeRunId(9, 1) },
            workflow: testWorkflow(),
            steering: null,
            answered: null,
            resumeSession: null,
            resumeCost: null,
            lastFailure: null,
            recovering: false
          },
          (report) =>
            Effect.sync(() => {
              if (bugs++ < 3) throw new Error("a bug")
              ended.push(report)
            })
        )
      ),
      "5 minutes"
    )
    assert.deepStrictEqual(
      ended.map(
        (report) => report._tag === "RunEnded" && "reason" in report.outcome && report.outcome.reason
      ),
      ["defect"]
    )
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { IssueId } from "../../src/domain/ids.ts"
import { Scheduler } from "../../src/scheduler/Scheduler.ts"
import { makeHousehold } from "../support/household.ts"
import { busy, failing, inTurn, only } from "../support/scripts.ts"
import { testState } from "../support/workflow.ts"

const A = IssueId.make("A")

describe("the operator", () => {
  it("pauses: nothing new starts, what runs goes on, over a restart too", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: busy } })
    house.advance("1 second")
    house.command({ _tag: "Pause" })
    house.put("Todo/B.md")
    house.advance("1 minute")
    assert.isDefined(house.runOf("A"))
    assert.deepStrictEqual(house.why("B"), { _tag: "Paused", mode: "paused" })
    house.restart("power")
    house.advance("1 minute")
    assert.strictEqual(house.why("B")._tag, "Paused")
    house.command({ _tag: "Resume" })
    assert.isDefined(house.runOf("B"))
  })

  it("drains: as a pause, and known as such", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: busy } })
    house.command({ _tag: "Drain" })
    house.restart()
    assert.strictEqual(house.view().state.mode, "draining")
  })

  it("stops an issue, which then waits for its text to change or to be retried by hand", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: inTurn(busy) } })
    house.advance("1 second")
    house.command({ _tag: "Stop", issue: A })
    house.restart("power")
    house.advance("1 hour")
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "operator_stop" })
    house.put("Todo/A.md", { title: "Changed" })
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("retries at once what waits, and forgets its failures", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(failing("exit")) }
    })
    house.advance("1 second")
    assert.strictEqual(house.why("A")._tag, "Backoff")
    house.command({ _tag: "RetryNow", issue: A })
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("retries a parked issue, which goes back to where issues are started from", () => {
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 2 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(failing("exit"), failing("exit")) }
    })
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Parked/A.md"])
    house.command({ _tag: "RetryNow", issue: A })
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("moves an issue; one that runs is ended as if a person had moved the file", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: busy } })
    house.advance("1 second")
    house.command({ _tag: "Move", issue: A, to: "done" })
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.deepInclude(house.record("A").history[0]?.outcome, { reason: "moved_to_terminal" })
  })

  it("says that work has been looked at, once for each time that it is handed over", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {}, "Done/B.md": {} } })
    house.advance("10 seconds")
    assert.deepStrictEqual(house.why("A"), { _tag: "ForReview", state: "Done" })
    house.command({ _tag: "Review", issue: A })
    house.command({ _tag: "Review", issue: A })
    house.restart("power")
    house.advance("10 seconds")
    assert.strictEqual(house.why("A")._tag, "Finished")
    house.command({ _tag: "Move", issue: A, to: "Todo" })
    house.advance("10 seconds")
    assert.strictEqual(house.why("A")._tag, "ForReview")
    assert.strictEqual(house.refused({ _tag: "Review", issue: IssueId.make("B") }), "nothing_to_review")
  })

  it("has nothing to look at where a person finished the issue, or moved it on", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {}, "Todo/B.md": {} },
      behaviour: { prompt: only("A", busy) }
    })
    house.advance("10 seconds")
    house.command({ _tag: "Move", issue: A, to: "Done" })
    house.command({ _tag: "Move", issue: IssueId.make("B"), to: "Cancelled" })
    house.advance("10 seconds")
    assert.deepStrictEqual([house.why("A")._tag, house.why("B")._tag], ["Finished", "Finished"])
  })

  it("is asked about what an agent proposes, until it is taken up", () => {
    const house = makeHousehold({ issues: { "Parked/P.md": { proposedBy: "A" }, "Parked/Q.md": {} } })
    assert.deepStrictEqual(house.why("P"), { _tag: "Proposed", by: "A" })
    assert.strictEqual(house.why("Q")._tag, "NotActive")
    house.command({ _tag: "Move", issue: IssueId.make("P"), to: "Todo" })
    house.advance("10 seconds")
    assert.strictEqual(house.why("P")._tag, "ForReview")
  })

  it("is told why a command does not apply", () => {
    const house = makeHousehold({ issues: { "Triage/A.md": {} } })
    assert.strictEqual(house.refused({ _tag: "Stop", issue: A }), "not_running")
    assert.strictEqual(house.refused({ _tag: "Stop", issue: IssueId.make("B") }), "issue_not_found")
    assert.strictEqual(house.refused({ _tag: "RetryNow", issue: IssueId.make("B") }), "issue_not_found")
    assert.strictEqual(house.refused({ _tag: "Move", issue: A, to: "Nowhere" }), "unknown_state")
    assert.strictEqual(
      house.refused({ _tag: "Move", issue: IssueId.make("B"), to: "Done" }),
      "issue_not_found"
    )
  })

  it("asks for a scan while one is under way and gets that one", () => {
    const house = makeHousehold()
    const answers = house.run(
      Effect.flatMap(Scheduler, ({ refresh }) => Effect.all([refresh, refresh])),
      "1 second"
    )
    assert.deepStrictEqual(answers, [{ coalesced: false }, { coalesced: true }])
  })

  it("changes the settings of later runs, not of those that run", () => {
    const seen: Array<number> = []
    const house = makeHousehold({
      config: {
        states: [testState("Todo", "active"), testState("Done", "terminal")],
        agent: { maxTurns: 1 }
      },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: (turn) =>
          Effect.sync(() => void seen.push(turn.options.acp.promptTimeoutMs)).pipe(Effect.andThen(busy(turn)))
      }
    })
    house.advance("1 second")
    house.configure({ acp: { promptTimeoutMs: 99_000 } })
    house.put("Todo/B.md")
    house.advance("1 second")
    assert.strictEqual(seen[1], 99_000)
    assert.notStrictEqual(seen[0], 99_000)
  })
})

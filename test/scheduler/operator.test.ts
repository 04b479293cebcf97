import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { IssueId } from "../../src/domain/ids.ts"
import { Scheduler } from "../../src/scheduler/Scheduler.ts"
import { diligent, endOfTurn } from "../support/house.ts"
import { type Household, makeHousehold } from "../support/household.ts"
import { asking, busy, failing, inTurn, only, passing, type Script, silent } from "../support/scripts.ts"
import { testState } from "../support/workflow.ts"

const A = IssueId.make("A")

const REVIEWED = [
  testState("Todo", "active"),
  testState("Review", "active"),
  testState("Triage", "holding"),
  testState("Done", "terminal")
]

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

  it("drains: what has been begun goes on to its end, over a restart too, and nothing new starts", () => {
    const begun: Readonly<Record<string, Script>> = {
      CONTINUES: inTurn(silent),
      FAILS: inTurn(failing("exit")),
      ASKS: inTurn(asking("Which?"))
    }
    const house = makeHousehold({
      config: { agent: { maxTurns: 1 } },
      issues: { "Todo/CONTINUES.md": {}, "Todo/FAILS.md": {}, "Todo/ASKS.md": {} },
      behaviour: {
        prompt: (turn) => (begun[turn.identifier] ?? diligent)(turn)
      }
    })
    house.command({ _tag: "Drain" })
    house.put("Todo/NEW.md")
    house.restart()
    house.advance("1 minute")
    house.command({ _tag: "Answer", issue: IssueId.make("ASKS"), question: null, text: "This one." })
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), [
      "Done/ASKS.md",
      "Done/CONTINUES.md",
      "Done/FAILS.md",
      "Todo/NEW.md"
    ])
    assert.deepStrictEqual(house.why("NEW"), { _tag: "Paused", mode: "draining" })
    house.command({ _tag: "Resume" })
    house.advance("1 second")
    assert.include(house.files(), "Done/NEW.md")
  })

  it("pauses what has been begun, too: no continuation, no retry", () => {
    const house = makeHousehold({
      config: { agent: { maxTurns: 1 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: silent }
    })
    house.command({ _tag: "Pause" })
    house.advance("1 minute")
    assert.deepStrictEqual(house.why("A"), { _tag: "Paused", mode: "paused" })
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

  it("stops an issue that waits for a slot, or was never begun: nothing starts it", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 1 } },
      issues: { "Todo/A.md": { priority: 1 }, "Todo/B.md": {} },
      behaviour: { prompt: only("A", inTurn(busy)) }
    })
    house.advance("1 second")
    const B = IssueId.make("B")
    house.command({ _tag: "Stop", issue: B })
    house.command({ _tag: "Stop", issue: B })
    house.command({ _tag: "Stop", issue: A })
    house.restart("power")
    house.advance("1 minute")
    assert.deepInclude(house.why("B"), { _tag: "Held", reason: "operator_stop" })
    house.command({ _tag: "RetryNow", issue: B })
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/B.md", "Todo/A.md"])
  })

  for (const [how, move] of Object.entries<(house: Household) => void>({
    "moved by hand": ({ world }) => world.tracker.move("Todo/A.md", "Review/A.md"),
    "moved aside by hand, and back": (house) => {
      house.world.tracker.move("Todo/A.md", "Triage/A.md")
      house.advance("1 minute")
      house.world.tracker.move("Triage/A.md", "Todo/A.md")
    },
    "moved by the operator": (house) => house.command({ _tag: "Move", issue: A, to: "Review" })
  })) {
    it(`goes on with a stopped issue that is ${how}`, () => {
      const house = makeHousehold({
        config: { states: REVIEWED },
        issues: { "Todo/A.md": {} },
        behaviour: { prompt: inTurn(busy) }
      })
      house.advance("1 second")
      house.command({ _tag: "Stop", issue: A })
      house.advance("10 seconds")
      assert.deepInclude(house.why("A"), { _tag: "Held", reason: "operator_stop" })
      move(house)
      house.advance("10 seconds")
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
    })
  }

  it("keeps an issue stopped that its own agent still moves on", () => {
    const house = makeHousehold({
      config: { states: REVIEWED, hooks: { after_run: ":" } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(passing("Review")), reap: () => Effect.succeed("unknown") }
    })
    house.advance("1 second")
    house.command({ _tag: "Stop", issue: A })
    house.world.behaviour.reap = () => Effect.succeed("dead")
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Review/A.md"])
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "operator_stop" })
  })

  describe("retries an issue that was stopped while it asked, which", () => {
    const stoppedAsking = () => {
      const house = makeHousehold({
        issues: { "Todo/A.md": {} },
        behaviour: { prompt: inTurn(asking("Which colour?")) }
      })
      house.advance("1 second")
      house.command({ _tag: "Stop", issue: A })
      house.advance("10 seconds")
      assert.deepInclude(house.why("A"), { _tag: "Held", reason: "operator_stop" })
      return house
    }
    const answer = { _tag: "Answer", issue: A, question: null, text: "Blue." } as const

    it("asks its question still", () => {
      const house = stoppedAsking()
      house.restart("power")
      house.command({ _tag: "RetryNow", issue: A })
      house.advance("10 seconds")
      assert.deepStrictEqual(house.why("A"), { _tag: "WaitingForHuman", question: "Which colour?" })
      house.command(answer)
      house.advance("10 seconds")
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
    })

    it("goes on with an answer that came meanwhile", () => {
      const house = stoppedAsking()
      house.command(answer)
      house.advance("10 seconds")
      assert.strictEqual(house.why("A")._tag, "Held")
      house.command({ _tag: "RetryNow", issue: A })
      house.advance("10 seconds")
      assert.include(house.world.prompts.at(-1)?.text, "Blue.")
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
    })
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

  describe("retries a parked issue, which goes back", () => {
    const parkedFrom = (from: string) => {
      const house = makeHousehold({
        config: { states: REVIEWED, agent: { circuitBreakerThreshold: 1 } },
        issues: { [`${from}/A.md`]: {} },
        behaviour: { prompt: inTurn(failing("exit"), busy) }
      })
      house.advance("1 minute")
      assert.deepStrictEqual(house.files(), ["Triage/A.md"])
      assert.include(house.issue("A")?.description, `Move this file back to ${from}`)
      return house
    }

    it("to where it came from, over a restart too", () => {
      const house = parkedFrom("Review")
      house.restart("power")
      house.command({ _tag: "RetryNow", issue: A })
      house.advance("10 seconds")
      assert.deepStrictEqual(house.files(), ["Review/A.md"])
      assert.isDefined(house.runOf("A"))
    })

    it("to where issues are started from, where nothing is any more where it came from", () => {
      const house = parkedFrom("Review")
      house.configure({ states: REVIEWED.filter(({ name }) => name !== "Review") })
      house.command({ _tag: "RetryNow", issue: A })
      house.advance("10 seconds")
      assert.deepStrictEqual(house.files(), ["Todo/A.md"])
    })
  })

  it("moves an issue; one that runs is ended as if a person had moved the file", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: busy } })
    house.advance("1 second")
    house.command({ _tag: "Move", issue: A, to: "done" })
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.deepInclude(house.record("A").history[0]?.outcome, { reason: "moved_to_terminal" })
  })

  it("moves an issue although an editor has just put its file aside", () => {
    const house = makeHousehold({ config: { states: REVIEWED }, issues: { "Triage/A.md": {} } })
    let moves = 0
    house.world.behaviour.tracker = ({ operation }) =>
      Effect.sync(() => {
        if (operation !== "move" || moves++ > 0) return
        house.folder.remove("Triage/A.md")
        house.machine.after(500, () => house.put("Triage/A.md", { title: "Saved" }))
      })
    house.command({ _tag: "Move", issue: A, to: "Done" })
    house.advance("5 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("does not move an issue that its run is just moving where it is worked on", () => {
    const disk = Deferred.makeUnsafe<void>()
    const house = makeHousehold({
      config: { states: [testState("Todo", "active", { onStart: "Review" }), ...REVIEWED.slice(1)] },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: busy,
        tracker: ({ operation }) => (operation === "link" ? Deferred.await(disk) : Effect.void)
      }
    })
    house.advance("1 second")
    assert.strictEqual(house.refused({ _tag: "Move", issue: A, to: "Triage" }), "run_active")
    house.run(Deferred.succeed(disk, undefined))
    house.advance("1 second")
    assert.deepStrictEqual(house.files(), ["Review/A.md"])
    house.command({ _tag: "Move", issue: A, to: "Triage" })
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Triage/A.md"])
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
    house.put("Done/A.md", { id: "another", identifier: "X" })
    house.advance("1 second")
    assert.strictEqual(house.refused({ _tag: "Move", issue: A, to: "Done" }), "name_taken")
    assert.strictEqual(
      house.refused({ _tag: "Move", issue: IssueId.make("B"), to: "Done" }),
      "issue_not_found"
    )
  })

  describe("retries nothing, and is told why,", () => {
    const situations: ReadonlyArray<
      readonly [what: string, why: RegExp, options: Parameters<typeof makeHousehold>[0]]
    > = [
      [
        "where its run is under way",
        /its run r1-1 is under way/,
        { issues: { "Todo/A.md": {} }, behaviour: { prompt: busy } }
      ],
      ["where it is handed over", /finished and lies in Done/, { issues: { "Todo/A.md": {} } }],
      ["where it was always finished", /finished and lies in Done/, { issues: { "Done/A.md": {} } }],
      ["where nothing is started from", /lies in Triage/, { issues: { "Triage/A.md": {} } }],
      [
        "where an agent proposes it",
        /agent of B proposes it/,
        { issues: { "Triage/A.md": { proposedBy: "B" } } }
      ],
      [
        "where another blocks it",
        /waits for B/,
        { issues: { "Todo/A.md": { blockedBy: ["B"] }, "Triage/B.md": {} } }
      ],
      [
        "where it waits for a slot",
        /starts by itself/,
        {
          config: { agent: { maxConcurrentAgents: 1 } },
          issues: { "Todo/A.md": {}, "Todo/B.md": { priority: 1 } },
          behaviour: { prompt: busy }
        }
      ]
    ]
    for (const [what, why, options] of situations) {
      it(what, () => {
        const house = makeHousehold(options)
        house.advance("10 seconds")
        const before = house.why("A")
        const refusal = house.refusal({ _tag: "RetryNow", issue: A })
        assert.strictEqual(refusal?.reason, "nothing_to_retry")
        assert.match(refusal?.message ?? "", why)
        assert.deepStrictEqual(house.why("A"), before)
      })
    }
  })

  it("retries what it stopped while that is still at its end, and then again when it is under way: in vain", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(busy, busy), reap: () => Effect.succeed("unknown") }
    })
    house.advance("1 second")
    house.command({ _tag: "Stop", issue: A })
    house.command({ _tag: "RetryNow", issue: A })
    assert.strictEqual(house.refused({ _tag: "RetryNow", issue: A }), "nothing_to_retry")
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
    const house = makeHousehold({
      config: { agent: { maxTurns: 4 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: () => Effect.as(Effect.sleep("10 seconds"), endOfTurn) }
    })
    house.advance("5 seconds")
    house.configure({ agent: { maxTurns: 2 } })
    house.put("Todo/B.md")
    house.advance("45 seconds")
    const turns = (run: string) => house.world.prompts.filter((prompt) => prompt.run === run).length
    assert.deepStrictEqual(
      house.record("A").history.map(({ run, turns }) => [run, turns]),
      [["r1-1", 4]]
    )
    assert.deepStrictEqual(["r1-1", "r1-2"].map(turns), [4, 2])
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, References } from "effect"
import { IssueId } from "../../src/domain/ids.ts"
import { endOfTurn } from "../support/house.ts"
import { type Household, makeHousehold } from "../support/household.ts"
import { makeMachine } from "../support/Machine.ts"
import { asking, busy, failing, inTurn, type Script, silent } from "../support/scripts.ts"
import { TrackerError } from "../../src/tracker/Tracker.ts"
import { testState } from "../support/workflow.ts"

interface Line {
  readonly text: string
  readonly of: Readonly<Record<string, unknown>>
}

/** What is logged of an issue whose agent follows a script. */
const logged = (script: Script, then: (house: Household) => void = () => undefined): ReadonlyArray<Line> => {
  const lines: Array<Line> = []
  const logger = Logger.make(({ fiber, message }) => {
    lines.push({ text: String(message), of: fiber.getRef(References.CurrentLogAnnotations) })
  })
  const house = makeHousehold({
    machine: makeMachine({ logger, logLevel: "Info" }),
    config: {
      states: [testState("Todo", "active"), testState("Triage", "holding"), testState("Done", "terminal")],
      agent: { maxTurns: 1, steeringHoldMs: 1000 },
      hooks: { before_run: ":", after_run: ":" }
    },
    issues: { "Todo/A.md": {} },
    behaviour: {
      prompt: inTurn(script),
      hook: (hook) => Effect.logInfo(`hook ${hook}`)
    }
  })
  house.advance("3 seconds")
  then(house)
  house.advance("5 seconds")
  return lines
}

const endOf = (lines: ReadonlyArray<Line>) =>
  lines.find(({ text }) => text === "run failed" || text === "run ended")?.of

const WHOSE = { issue_id: "A", issue_identifier: "A", run: "r1-1", session_id: "memory-1" }

describe("the log of a run's end says whose it was, how it ended and why", () => {
  it("done", () => {
    const script: Script = (turn) =>
      Effect.as(turn.call("mark_done", { title: "T", summary: "S" }), endOfTurn)
    assert.deepInclude(endOf(logged(script)), { ...WHOSE, outcome: "Completed", reason: "Done" })
  })

  it("failed: the name that programs know, and what a person is told", () => {
    assert.deepInclude(endOf(logged(failing("exit"))), {
      ...WHOSE,
      outcome: "Failed",
      class: "agent",
      reason: "agent_exit",
      error: "agent: the agent's exit"
    })
  })

  it("cancelled", () => {
    const lines = logged(busy, (house) => house.command({ _tag: "Stop", issue: IssueId.make("A") }))
    assert.deepInclude(endOf(lines), { ...WHOSE, outcome: "Cancelled", reason: "operator_stop" })
  })

  it("to be continued", () => {
    assert.deepInclude(endOf(logged(silent)), { ...WHOSE, outcome: "Continue", reason: "max_turns" })
  })

  it("waiting for a human", () => {
    assert.deepInclude(endOf(logged(asking("Which?"))), {
      ...WHOSE,
      outcome: "Waiting",
      reason: "q-r1-1-1"
    })
  })
})

describe("what is logged of an issue that no run is working on", () => {
  it("says whose it is", () => {
    const lines = logged(failing("exit"), (house) => {
      house.world.behaviour.tracker = ({ operation, path }) =>
        operation === "move"
          ? Effect.fail(new TrackerError({ operation, path, detail: "input/output error" }))
          : Effect.void
      house.command({ _tag: "Move", issue: IssueId.make("A"), to: "Triage" })
    })
    const { of } = lines.find(({ text }) => text.startsWith("issue is not moved yet")) ?? {}
    assert.deepInclude(of, { issue_id: "A", issue_identifier: "A" })
  })
})

describe("what is logged within a run", () => {
  it("names the session once there is one, to the end of the run", () => {
    const hooks = logged(silent).filter(({ text }) => text.startsWith("hook "))
    assert.deepStrictEqual(
      hooks.slice(0, 2).map(({ of, text }) => [text, of["run"], of["session_id"]]),
      [
        ["hook before_run", "r1-1", undefined],
        ["hook after_run", "r1-1", "memory-1"]
      ]
    )
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Transcripts } from "../../src/journal/Transcripts.ts"
import { type Household, makeHousehold } from "../support/household.ts"
import { diligent } from "../support/house.ts"
import { asking, failing, inTurn, type Script, silent } from "../support/scripts.ts"

const lived = (...scripts: ReadonlyArray<Script>): Household => {
  const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: inTurn(...scripts) } })
  house.advance("5 seconds")
  return house
}

/** The stages in the transcript of the first run of the issue. */
const stages = (house: Household) => {
  const record = house.record("A")
  const run = record.history[0]?.run ?? house.runOf("A")?.run
  if (run === undefined) throw new Error("no run has worked on it")
  return house
    .run(
      Effect.flatMap(Transcripts, (transcripts) =>
        transcripts.page(record.identifier, run, {
          before: null,
          limit: 1000
        })
      )
    )
    .entries.flatMap(({ event, turn }) => (event._tag === "Stage" ? [{ ...event, turn }] : []))
}

describe("the transcript of a run", () => {
  it("ends with how it failed, in the words that people get", () => {
    const house = lived(failing("stall_timeout"))
    const last = house.record("A").history[0]?.outcome
    assert.strictEqual(last?._tag, "Failed")
    assert.deepInclude(stages(house).at(-1), {
      name: "ended",
      detail: "failed: agent_stall_timeout: agent: the agent's stall_timeout",
      failed: true
    })
  })

  it("has what follows a turn in that turn, and no failure where none was", () => {
    const told = stages(lived(silent, silent, diligent))
    assert.deepStrictEqual(
      told.map(({ failed, name, turn }) => [turn, name, failed]),
      [
        [0, "workspace", false],
        [0, "sandbox", false],
        [0, "session", false],
        [3, "quiescing", false],
        [3, "handoff", false],
        [3, "moving", false],
        [3, "releasing", false],
        [3, "ended", false]
      ]
    )
    assert.strictEqual(told.at(-1)?.detail, "completed: moved to Done")
  })

  it("has a question in the turn that asked it", () => {
    const house = lived(asking("Which?"))
    assert.deepInclude(stages(house).at(-1), { turn: 1, name: "waiting for a human" })
  })
})

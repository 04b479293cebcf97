import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { RunningCost } from "../../src/domain/Cost.ts"
import type { Tokens } from "../../src/domain/Tokens.ts"
import { SchedulerEvent } from "../../src/scheduler/events.ts"
import { SchedulerState } from "../../src/scheduler/state.ts"
import { diligent, endOfTurn } from "../support/house.ts"
import { type Household, makeHousehold } from "../support/household.ts"
import { inTurn, type Script } from "../support/scripts.ts"

const usd = (amount: number): RunningCost => ({ amount, currency: "USD" })

/** Works, tells what its session has cost so far, and ends its turn with or without a signal. */
const costing =
  (running: RunningCost | null, then: Script = () => Effect.succeed(endOfTurn)): Script =>
  (turn) =>
    Effect.andThen(running === null ? Effect.void : turn.costs(running), then(turn))

const house = (
  adapter: "claude" | "opencode",
  script: Script,
  options: { readonly maxTurns?: number; readonly resumes?: boolean } = {}
): Household =>
  makeHousehold({
    config: { acp: { adapter }, agent: { maxTurns: options.maxTurns ?? 1 } },
    issues: { "Todo/A.md": {} },
    behaviour: { prompt: script, open: () => Effect.succeed({ resumes: options.resumes ?? true }) }
  })

const used = (home: Household): ReadonlyArray<Tokens["cost"]> => {
  const record = home.record("A")
  return [...record.history.map(({ tokens }) => tokens.cost), record.tokens.cost]
}

const exactly = (amount: number) => ({ amounts: { USD: amount }, partial: false })
const atLeast = (amount: number) => ({ amounts: { USD: amount }, partial: true })

describe("what agents cost", () => {
  it("is the difference of the session's running total from turn to turn", () => {
    const home = house(
      "claude",
      inTurn(costing(usd(0.0166)), costing(usd(0.0174)), costing(usd(0.3), diligent)),
      { maxTurns: 5 }
    )
    home.advance("1 minute")
    const turns = home.journal().flatMap((event) => (event._tag === "TurnEnded" ? [event["tokens"]] : []))
    assert.deepStrictEqual(
      turns.map((tokens) => Schema.decodeUnknownSync(Schema.Struct({ cost: Schema.Json }))(tokens).cost),
      [exactly(0.0166), exactly(0.0008), exactly(0.2826)]
    )
    assert.deepStrictEqual(used(home), [exactly(0.3), exactly(0.3)])
    assert.deepStrictEqual(home.view().state.totals.tokens.cost, exactly(0.3))
  })

  it("is not counted twice when a session is taken up whose total goes on, also after a restart", () => {
    const home = house("opencode", inTurn(costing(usd(0.5)), costing(usd(0.75), diligent)))
    home.advance("900 millis")
    assert.deepStrictEqual(used(home), [exactly(0.5), exactly(0.5)])
    home.restart()
    home.advance("1 minute")
    assert.deepStrictEqual(used(home), [exactly(0.5), exactly(0.25), exactly(0.75)])
    home.restart()
    home.advance("1 second")
    assert.deepStrictEqual(home.view().state.totals.tokens.cost, exactly(0.75))
  })

  it("begins at nothing where the agent's total is that of its process, or its session is a new one", () => {
    const again = house("claude", inTurn(costing(usd(0.5)), costing(usd(0.75), diligent)))
    const anew = house("opencode", inTurn(costing(usd(0.5)), costing(usd(0.75), diligent)), {
      resumes: false
    })
    for (const home of [again, anew]) {
      home.advance("1 minute")
      assert.deepStrictEqual(used(home), [exactly(0.5), exactly(0.75), exactly(1.25)])
    }
  })

  it("is not known where a session goes on that never told, and then a lower bound", () => {
    const home = house("opencode", inTurn(costing(null), costing(usd(0.75)), costing(usd(0.875), diligent)))
    home.advance("1 minute")
    assert.deepStrictEqual(used(home), [undefined, undefined, exactly(0.125), atLeast(0.125)])
  })

  it("is not known where nobody tells", () => {
    const home = house("claude", costing(null, diligent))
    home.advance("1 minute")
    assert.deepStrictEqual(used(home), [undefined, undefined])
  })

  it("is not known where the currency changes within a session, and stands side by side otherwise", () => {
    const credits = { amount: 12, currency: "credits" }
    const changing = house("claude", inTurn(costing(usd(0.5)), costing(credits, diligent)), { maxTurns: 5 })
    changing.advance("1 minute")
    assert.deepStrictEqual(used(changing), [atLeast(0.5), atLeast(0.5)])

    const home = house("claude", inTurn(costing(usd(0.5)), costing(credits, diligent)))
    home.advance("1 minute")
    assert.deepStrictEqual(home.record("A").tokens.cost, {
      amounts: { USD: 0.5, credits: 12 },
      partial: false
    })
  })
})

describe("what was used", () => {
  it("survives as it was written, and what was written before costs were known is still read", () => {
    const home = house("claude", inTurn(costing(usd(0.5)), costing(usd(0.75), diligent)))
    home.advance("900 millis")
    const { state } = home.view()
    const json = Schema.encodeSync(SchedulerState)(state)
    assert.deepStrictEqual(Schema.decodeUnknownSync(SchedulerState)(JSON.parse(JSON.stringify(json))), state)
    const before = {
      _tag: "TurnEnded",
      at: 1,
      run: "r1-1",
      turn: 1,
      tokens: { input: 1, output: 1, total: 2, source: "reported" }
    }
    assert.deepStrictEqual<unknown>(Schema.decodeUnknownSync(SchedulerEvent)(before), before)
  })
})

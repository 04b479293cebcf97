import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { WorkspaceError } from "../../src/workspace/Workspaces.ts"
import { diligent } from "../support/house.ts"
import { makeHousehold } from "../support/household.ts"
import { busy, deaf, failing, inTurn, type Script } from "../support/scripts.ts"

const DAY = Duration.toMillis("1 day")

/** Somebody sets the clock on the wall. */
describe("a clock that is set back by a day", () => {
  for (const restarts of [false, true]) {
    const life = restarts ? "and a new process" : "and the same process"
    it(`does not hide what people do to an issue that we have moved (${life})`, () => {
      const house = makeHousehold({ issues: { "Todo/A.md": {} } })
      house.advance("1 minute")
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
      house.machine.jump(-DAY)
      if (restarts) house.restart()
      house.world.tracker.move("Done/A.md", "Todo/A.md")
      house.advance("1 minute")
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
      assert.strictEqual(house.record("A").attempts, 2)
    })

    it(`does not let an issue wait for its retry longer than was said (${life})`, () => {
      const house = makeHousehold({
        issues: { "Todo/A.md": {} },
        behaviour: { prompt: inTurn(failing("exit")) }
      })
      house.advance("1 second")
      assert.strictEqual(house.why("A")._tag, "Backoff")
      house.machine.jump(-DAY)
      if (restarts) house.restart()
      house.advance("10 minutes")
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
    })
  }

  it("ends the run of an issue whose file is gone", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: busy } })
    house.advance("1 minute")
    house.world.tracker.remove("Todo/A.md")
    house.settle()
    house.machine.jump(-DAY)
    house.advance("11 minutes")
    assert.isUndefined(house.runOf("A"))
  })

  it("does not keep the workspace of a finished issue", () => {
    let failures = 0
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        disk: (operation, { path }) =>
          operation === "remove" && failures++ < 2
            ? Effect.fail(new WorkspaceError({ reason: "io", path, detail: "busy" }))
            : Effect.void
      }
    })
    house.advance("10 seconds")
    assert.strictEqual(failures, 2)
    house.machine.jump(-DAY)
    house.advance("11 minutes")
    assert.isNull(house.record("A").workspace)
  })
})

describe("a clock that is set by a day", () => {
  for (const ms of [DAY, -DAY]) {
    const where = ms > 0 ? "forward" : "back"
    const living = (script: Script) => {
      const house = makeHousehold({
        config: { acp: { stallTimeoutMs: 60_000 } },
        issues: { "Todo/A.md": {} },
        behaviour: { prompt: inTurn(script) }
      })
      house.advance("50 seconds")
      house.machine.jump(ms)
      house.advance("2 minutes")
      return house
    }

    it(`${where} does not end the turn of an agent that is alive`, () => {
      const house = living((turn) =>
        turn
          .emit({ _tag: "Message", text: "still at it" })
          .pipe(
            Effect.andThen(Effect.sleep("49 seconds")),
            Effect.repeat({ times: 2 }),
            Effect.andThen(diligent(turn))
          )
      )
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
      assert.strictEqual(house.record("A").attempts, 1)
    })

    it(`${where} does not spare an agent that is silent`, () => {
      const house = living(deaf)
      assert.deepInclude(house.record("A").history[0]?.outcome, { reason: "agent_stall_timeout" })
    })
  }
})

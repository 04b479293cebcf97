import { IssueId } from "../../src/domain/ids.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SandboxError } from "../../src/sandbox/Sandboxes.ts"
import { makeHousehold } from "../support/household.ts"
import { busy, deaf, failing, inTurn, only, silent } from "../support/scripts.ts"

const startsOf = (house: ReturnType<typeof makeHousehold>) =>
  house.journal().flatMap((entry) => (entry._tag === "RunStarted" ? [Number(entry["at"])] : []))

const gaps = (times: ReadonlyArray<number>) => times.slice(1).map((time, index) => time - (times[index] ?? 0))

describe("retries", () => {
  it("waits 10 s, 20 s, 40 s after failures in a row, and never longer than the cap", () => {
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 0, maxRetryBackoffMs: 60_000 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: failing("exit") }
    })
    house.advance("4 minutes")
    assert.deepStrictEqual(gaps(startsOf(house)), [10_000, 20_000, 40_000, 60_000, 60_000])
  })

  it("holds no slot while it waits", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 1 } },
      issues: { "Todo/A.md": { priority: 1 }, "Todo/B.md": { priority: 2 } },
      behaviour: { prompt: only("A", inTurn(failing("exit"))) }
    })
    house.advance("5 seconds")
    assert.deepInclude(house.why("A"), { _tag: "Backoff" })
    assert.include(house.files(), "Done/B.md")
  })

  it("waits on, as it is, when it is due and has no slot: that is its reason, and no attempt", () => {
    const failsOnce = inTurn(failing("exit"))
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 1 } },
      issues: { "Todo/A.md": { priority: 1 }, "Todo/B.md": { priority: 2 } },
      behaviour: { prompt: (turn) => (turn.identifier === "A" ? failsOnce : busy)(turn) }
    })
    house.advance("5 seconds")
    const { retry } = house.record("A")
    assert.deepInclude(retry, { kind: "retry", attempt: 1 })
    house.advance("1 minute")
    assert.deepStrictEqual(house.why("A"), { _tag: "GlobalCap", cap: 1 })
    assert.deepInclude(house.record("A"), { retry, attempts: 1, failures: 1 })
    house.command({ _tag: "Stop", issue: IssueId.make("B") })
    house.advance("5 seconds")
    assert.deepInclude(house.record("A").history[1], { kind: "retry", attempt: 2 })
    assert.include(house.files(), "Done/A.md")
  })

  it("takes the place of the one before it when it is made by hand", () => {
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 0 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: failing("exit") }
    })
    house.advance("5 seconds")
    house.command({ _tag: "RetryNow", issue: IssueId.make("A") })
    house.advance("35 seconds")
    assert.deepStrictEqual(gaps(startsOf(house)), [5_000, 10_000, 20_000])
  })

  it("tells the next prompt why the run before failed", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(failing("turn")) }
    })
    house.advance("15 seconds")
    assert.match(house.world.prompts[1]?.text ?? "", /retry 1\b.*the agent's turn/s)
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("parks an issue after failures in a row of whatever reason, with the reason in the issue", () => {
    let calls = 0
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 3 } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: (turn) => failing(calls++ % 2 === 0 ? "exit" : "turn")(turn),
        boot: () =>
          calls === 2
            ? Effect.suspend(() => {
                calls += 1
                return Effect.fail(
                  new SandboxError({ kind: "host", reason: "boot", detail: "no", hint: null })
                )
              })
            : Effect.void
      }
    })
    house.advance("10 minutes")
    assert.strictEqual(startsOf(house).length, 3)
    assert.deepStrictEqual(house.files(), ["Parked/A.md"])
    assert.match(house.issue("A")?.description ?? "", /3 runs failed in a row/)
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "breaker" })
  })

  it("keeps the breaker tripped over a restart and over an edit, until a person moves the issue back", () => {
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 2 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(failing("exit"), failing("exit")) }
    })
    house.advance("1 minute")
    house.restart()
    house.put("Parked/A.md", { title: "Edited" })
    house.advance("10 minutes")
    assert.strictEqual(house.why("A")._tag, "Held")
    house.world.tracker.move("Parked/A.md", "Todo/A.md")
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("does not hold an issue that a person moves while it is being parked", () => {
    let armed = true
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 2 } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn(failing("exit"), failing("exit")),
        tracker: ({ operation }) =>
          Effect.sync(() => {
            if (operation !== "move" || !armed) return
            armed = false
            house.world.tracker.move("Todo/A.md", "In Progress/A.md")
          })
      }
    })
    house.advance("1 minute")
    assert.isFalse(armed)
    assert.isNull(house.record("A").hold)
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("counts failures anew after a signalled end", () => {
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 2 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(failing("exit")) }
    })
    house.advance("1 minute")
    assert.strictEqual(house.record("A").failures, 0)
  })

  it("bounds the sessions of an agent that never says that it is done", () => {
    const house = makeHousehold({
      config: { agent: { maxTurns: 2, maxSessionsPerIssue: 3 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: silent }
    })
    house.advance("1 hour")
    assert.strictEqual(startsOf(house).length, 3)
    assert.strictEqual(house.world.prompts.length, 6)
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "sessions" })
    assert.deepStrictEqual(house.files(), ["Parked/A.md"])
  })

  it("waits for the stated reset of a rate limit, shows it, and does not count it as a failure", () => {
    const house = makeHousehold({ started: false, issues: { "Todo/A.md": {} } })
    const reset = house.machine.now() + 30 * 60_000
    house.world.behaviour.prompt = inTurn(failing("rate_limit", reset))
    house.start()
    house.advance("29 minutes")
    assert.deepInclude(house.why("A"), { _tag: "RateLimited", until: reset })
    assert.strictEqual(house.record("A").failures, 0)
    house.advance("2 minutes")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("waits for a rate limit that does not say when it ends, longer each time, and counts it in the end", () => {
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 2 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: failing("rate_limit") }
    })
    house.advance("4 hours")
    assert.strictEqual(house.record("A").failures, 0)
    assert.deepStrictEqual(
      gaps(startsOf(house)).map((gap) => gap / 60_000),
      [1, 2, 4, 8, 16, 32, 60, 60]
    )
    house.advance("20 hours")
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "breaker" })
    assert.strictEqual(startsOf(house).length, 12)
    assert.deepStrictEqual(house.files(), ["Parked/A.md"])
  })

  it("waits a week for a stated reset, and asks again after eight days of one that is further away", () => {
    for (const [days, asked] of [
      [7, 7],
      [30, 8]
    ] as const) {
      const house = makeHousehold({ issues: { "Todo/A.md": {} }, started: false })
      const reset = house.machine.now() + days * 86_400_000
      house.world.behaviour.prompt = inTurn(failing("rate_limit", reset))
      house.start()
      house.advance(`${asked * 24 - 1} hours`)
      assert.strictEqual(startsOf(house).length, 1)
      house.advance("2 hours")
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
    }
  })

  it("counts a reset that was over before it was stated as none", () => {
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 2 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: failing("rate_limit", 0) }
    })
    house.advance("24 hours")
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "breaker" })
  })

  it("waits for stated resets for ever", () => {
    const house = makeHousehold({
      started: false,
      config: { agent: { circuitBreakerThreshold: 2 } },
      issues: { "Todo/A.md": {} }
    })
    house.world.behaviour.prompt = (turn) => failing("rate_limit", house.machine.now() + 3_600_000)(turn)
    house.start()
    house.advance("48 hours")
    assert.strictEqual(house.why("A")._tag, "RateLimited")
    assert.strictEqual(house.record("A").failures, 0)
  })

  it("does not retry a fault of the settings until they change", () => {
    const house = makeHousehold({
      prompt: "{{ issue.no_such_field }}",
      issues: { "Todo/A.md": {} }
    })
    house.advance("1 hour")
    assert.strictEqual(startsOf(house).length, 1)
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "configuration" })
    house.configure({})
    house.advance("1 minute")
    assert.strictEqual(startsOf(house).length, 2)
  })

  it("tries what the settings were at fault for again after a restart", () => {
    const house = makeHousehold({ prompt: "{{ issue.no_such_field }}", issues: { "Todo/A.md": {} } })
    house.advance("1 minute")
    house.restart()
    house.advance("1 minute")
    assert.strictEqual(startsOf(house).length, 2)
  })

  it("stops an adapter that cannot sign in, for every issue, and goes on when the settings change", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {}, "Todo/B.md": {}, "Todo/C.md": {} },
      config: { agent: { maxConcurrentAgents: 1 } },
      behaviour: { prompt: only("A", inTurn(failing("auth"))) }
    })
    house.advance("1 hour")
    // The second was started while the first was being cleaned up after; nothing after it.
    assert.strictEqual(startsOf(house).length, 2)
    assert.strictEqual(house.why("A")._tag, "AdapterBlocked")
    assert.strictEqual(house.why("C")._tag, "AdapterBlocked")
    house.configure({ agent: { maxConcurrentAgents: 2 } })
    house.advance("1 minute")
    assert.isTrue(house.files().every((path) => path.startsWith("Done/")))
  })

  it("stops an adapter whose program is not there, and does not blame the issue", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: only("A", inTurn(failing("not_found"))) }
    })
    house.advance("1 hour")
    assert.strictEqual(startsOf(house).length, 1)
    assert.strictEqual(house.why("A")._tag, "AdapterBlocked")
    assert.deepStrictEqual(house.files(), ["Todo/A.md"])
    house.configure({ agent: { maxConcurrentAgents: 2 } })
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("goes on with a stopped adapter when any of its issues is retried by hand, one never begun, too", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {}, "Todo/B.md": {}, "Todo/C.md": {} },
      config: { agent: { maxConcurrentAgents: 1 } },
      behaviour: { prompt: only("A", inTurn(failing("auth"))) }
    })
    house.advance("1 hour")
    assert.strictEqual(house.why("C")._tag, "AdapterBlocked")
    house.command({ _tag: "RetryNow", issue: IssueId.make("C") })
    house.advance("1 minute")
    assert.isTrue(house.files().every((path) => path.startsWith("Done/")))
  })

  it("does not stop an adapter for what a run with older settings met", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn((turn) => Effect.andThen(Effect.sleep("1 minute"), failing("auth")(turn))) }
    })
    house.advance("10 seconds")
    house.configure({ agent: { maxConcurrentAgents: 2 } })
    house.advance("2 minutes")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("ends a turn that makes no progress, whatever signs of life the agent gives", () => {
    const house = makeHousehold({
      config: { acp: { stallTimeoutMs: 60_000, promptTimeoutMs: 86_400_000 } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn((turn) =>
          Effect.forever(
            Effect.andThen(Effect.sleep("30 seconds"), turn.emit({ _tag: "Notice", text: "waiting" }))
          )
        )
      }
    })
    house.advance("90 seconds")
    assert.deepInclude(house.record("A").history[0]?.outcome, { reason: "agent_stall_timeout" })
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("ends a turn after silence, and retries", () => {
    const house = makeHousehold({
      config: { acp: { stallTimeoutMs: 60_000 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(deaf) }
    })
    house.advance("59 seconds")
    assert.isDefined(house.runOf("A"))
    house.advance("20 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.deepInclude(house.record("A").history[0]?.outcome, {
      reason: "agent_stall_timeout",
      class: "agent"
    })
  })

  it("does not count the time of a booting sandbox as silence of the agent", () => {
    const house = makeHousehold({
      config: { acp: { stallTimeoutMs: 10_000 } },
      issues: { "Todo/A.md": {} },
      behaviour: { boot: () => Effect.sleep("5 minutes") }
    })
    house.advance("6 minutes")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("keeps a run alive whose agent shows progress, however long it takes", () => {
    const house = makeHousehold({
      config: { acp: { stallTimeoutMs: 60_000, promptTimeoutMs: 3_600_000 } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn((turn) =>
          Effect.gen(function* () {
            for (let minute = 0; minute < 30; minute++) {
              yield* Effect.sleep("50 seconds")
              yield* turn.emit({ _tag: "Message", text: "still at it" })
            }
            return yield* silent(turn)
          })
        )
      }
    })
    house.advance("26 minutes")
    assert.strictEqual(startsOf(house).length, 1)
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { IssueId } from "../../src/domain/ids.ts"
import { makeHousehold } from "../support/household.ts"
import { diligent, endOfTurn } from "../support/house.ts"
import { asking, busy, deaf, failing, inTurn, only, type Script, silent } from "../support/scripts.ts"

const A = IssueId.make("A")
const reply = (text: string) => ({ _tag: "Answer", issue: A, question: null, text }) as const
const texts = (house: ReturnType<typeof makeHousehold>) => house.world.prompts.map(({ text }) => text)

describe("steering", () => {
  it("puts a reply into the session that asked, while it is held", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(asking("Which colour?")) }
    })
    house.advance("1 minute")
    assert.deepInclude(house.why("A"), { _tag: "Running" })
    assert.strictEqual(house.runOf("A")?.stage, "waiting")
    house.command(reply("Blue."))
    assert.strictEqual(texts(house).length, 2)
    assert.match(texts(house)[1] ?? "", /Which colour\?.*Blue\./s)
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.strictEqual(house.record("A").attempts, 1)
    assert.isNull(house.record("A").steering)
  })

  it("refuses an answer to a question that is asked no more, and says that another is", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(asking("Which colour?"), asking("Which shape?")) }
    })
    house.advance("1 second")
    const first = house.record("A").steering?.question ?? null
    house.command(reply("Blue."))
    house.advance("1 second")
    const refusal = house.refusal({ _tag: "Answer", issue: A, question: first, text: "Green." })
    assert.strictEqual(refusal?.reason, "no_pending_steering")
    assert.include(refusal?.message, "another one is open now")
    assert.isNull(house.record("A").steering?.reply)
  })

  it("knows of a question in which turn it was asked, over a restart, too", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(asking("Which colour?"), asking("Which shape?")) }
    })
    house.advance("1 second")
    assert.strictEqual(house.record("A").steering?.turn, 1)
    house.command(reply("Blue."))
    house.advance("1 second")
    house.restart("power")
    assert.deepInclude(house.record("A").steering, { text: "Which shape?", turn: 2 })
  })

  it("takes a reply that comes before the asking turn has ended", () => {
    const slow: Script = (turn) =>
      Effect.gen(function* () {
        const end = yield* asking("Which colour?")(turn)
        yield* Effect.sleep("5 seconds")
        return end
      })
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: inTurn(slow) } })
    house.advance("1 second")
    house.command(reply("Blue."))
    assert.strictEqual(texts(house).length, 1)
    house.advance("10 seconds")
    assert.include(texts(house)[1] ?? "", "Blue.")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("keeps a question whose turn then failed, and the reply starts the next run", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn((turn) => Effect.andThen(asking("Which colour?")(turn), failing("exit")(turn)))
      }
    })
    house.advance("1 minute")
    assert.deepInclude(house.why("A"), { _tag: "WaitingForHuman", question: "Which colour?" })
    house.command(reply("Blue."))
    house.advance("1 second")
    assert.include(texts(house)[1] ?? "", "Blue.")
    assert.strictEqual(house.record("A").history[1]?.kind, "reply")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("keeps a question over a restart, and gives a new session question, context and reply", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        open: () => Effect.succeed({ resumes: false }),
        prompt: inTurn((turn) =>
          turn
            .call("request_human_steering", { question: "Which colour?", context: "The house is white." })
            .pipe(Effect.andThen(busy(turn)))
        )
      }
    })
    house.advance("1 second")
    house.restart("power")
    house.advance("1 minute")
    assert.strictEqual(house.why("A")._tag, "WaitingForHuman")
    house.command(reply("Blue."))
    house.advance("1 second")
    assert.match(texts(house)[1] ?? "", /Which colour\?.*The house is white\..*Blue\./s)
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("keeps a reply over a restart that falls between reply and delivery", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn((turn) => Effect.andThen(asking("Which colour?")(turn), busy(turn))) }
    })
    house.advance("1 second")
    house.command(reply("Blue."))
    house.restart("power")
    house.advance("1 minute")
    assert.include(texts(house).at(-1) ?? "", "Blue.")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("frees the slot and the sandbox of a run that waits longer than the hold, and keeps the question", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 1, steeringHoldMs: 60_000 } },
      issues: { "Todo/A.md": { priority: 1 }, "Todo/B.md": { priority: 2 } },
      behaviour: { prompt: only("A", inTurn(asking("Which colour?"))) }
    })
    house.advance("59 seconds")
    assert.strictEqual(house.why("B")._tag, "GlobalCap")
    assert.strictEqual(house.world.guests.size, 1)
    house.advance("5 seconds")
    assert.strictEqual(house.world.guests.size, 0)
    assert.include(house.files(), "Done/B.md")
    assert.deepInclude(house.why("A"), { _tag: "WaitingForHuman" })
  })

  it("dispatches a reply first, before issues that are more urgent, and takes the session up again", () => {
    const resumed: Array<string | null> = []
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 1, steeringHoldMs: 1_000 } },
      issues: { "Todo/A.md": { priority: 9 } },
      behaviour: {
        open: (options) =>
          Effect.sync(() => {
            resumed.push(options.resume)
            return { resumes: true }
          }),
        prompt: (turn) =>
          turn.identifier === "B"
            ? busy(turn)
            : turn.text.includes("Blue.")
              ? diligent(turn)
              : asking("Which?")(turn)
      }
    })
    house.advance("5 seconds")
    house.put("Todo/B.md", { priority: 1 })
    house.advance("1 second")
    house.put("Todo/C.md", { priority: 1 })
    house.command(reply("Blue."))
    house.command({ _tag: "Stop", issue: IssueId.make("B") })
    house.advance("5 seconds")
    assert.deepStrictEqual(house.world.prompts.map(({ identifier }) => identifier).slice(0, 3), [
      "A",
      "B",
      "A"
    ])
    assert.strictEqual(resumed[0], null)
    assert.isNotNull(resumed[2])
  })

  it("waits for its backoff when the run that was to deliver a reply fails", () => {
    const house = makeHousehold({
      config: { agent: { steeringHoldMs: 1_000 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(asking("Which?"), failing("exit")) }
    })
    house.advance("10 seconds")
    house.command(reply("Blue."))
    house.advance("5 seconds")
    assert.strictEqual(house.record("A").attempts, 2)
    assert.strictEqual(house.why("A")._tag, "Backoff")
    house.advance("10 seconds")
    assert.include(texts(house).at(-1) ?? "", "Blue.")
  })

  it("ends the turn of an agent that asks and then does not stop", () => {
    const house = makeHousehold({
      config: { acp: { stallTimeoutMs: 0 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn((turn) => Effect.andThen(asking("Which?")(turn), deaf(turn))) }
    })
    house.advance("30 seconds")
    assert.strictEqual(house.why("A")._tag, "WaitingForHuman")
    assert.strictEqual(house.world.guests.size, 0)
  })

  it("answers a question that is asked again while it is open as at the first time", () => {
    const given: Array<unknown> = []
    const again: Script = (turn) =>
      Effect.gen(function* () {
        for (const args of [
          { question: "Which colour?", context: "Blue or red." },
          { question: "Which colour?", context: "Blue or red." },
          { question: "Which colour?" }
        ])
          given.push(yield* turn.call("request_human_steering", args))
        return endOfTurn
      })
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: inTurn(again) } })
    house.advance("1 second")
    const [first, second, other] = given
    assert.deepInclude(first, { isError: false })
    assert.deepStrictEqual(second, first)
    assert.deepInclude(other, { isError: true })
    assert.lengthOf(
      house.journal().filter((entry) => entry._tag === "SteeringAsked"),
      1
    )
  })

  it("refuses a second question while the first is open, and an answer when none is", () => {
    const answers: Array<boolean> = []
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn((turn) =>
          Effect.gen(function* () {
            yield* asking("One?")(turn)
            answers.push((yield* turn.call("request_human_steering", { question: "Two?" })).isError)
            return yield* busy(turn)
          })
        )
      }
    })
    assert.strictEqual(house.refused({ ...reply("x"), issue: IssueId.make("B") }), "no_pending_steering")
    house.advance("1 second")
    assert.deepStrictEqual(answers, [true])
    assert.strictEqual(house.refused(reply("Blue.")), "accepted")
    assert.strictEqual(house.refused(reply("Red.")), "already_answered")
  })

  it("sends a reply again when the turn that carried it fails, whatever the agent had said by then", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        open: () => Effect.succeed({ resumes: false }),
        prompt: inTurn(asking("Which?"), (turn) =>
          turn
            .emit({ _tag: "Stderr", text: "(node) ExperimentalWarning" })
            .pipe(Effect.andThen(Effect.sleep("1 second")), Effect.andThen(failing("rate_limit")(turn)))
        )
      }
    })
    house.advance("1 second")
    house.command(reply("Blue."))
    house.advance("10 minutes")
    assert.strictEqual(texts(house).length, 3)
    assert.include(texts(house)[2] ?? "", "Blue.")
    assert.match(texts(house)[2] ?? "", /The run before it failed/)
    assert.isNull(house.record("A").steering)
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("sends a reply again when the process dies in the turn that carries it", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn(asking("Which?"), (turn) =>
          Effect.andThen(turn.emit({ _tag: "Message", text: "Blue it is." }), busy(turn))
        )
      }
    })
    house.advance("1 second")
    house.command(reply("Blue."))
    house.restart("power")
    house.advance("1 minute")
    assert.include(texts(house).at(-1) ?? "", "Blue.")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("tells every session that does not remember it what a person has answered", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        open: () => Effect.succeed({ resumes: false }),
        prompt: inTurn(
          asking("Which colour?"),
          silent,
          failing("exit"),
          asking("Which size?"),
          failing("exit")
        )
      }
    })
    house.advance("1 second")
    house.command(reply("Blue."))
    house.advance("1 minute")
    const [, carries, continues, retries] = texts(house)
    assert.include(carries ?? "", "Blue.")
    assert.notInclude(continues ?? "", "Blue.")
    assert.match(retries ?? "", /Which colour\?.*Blue\./s)
    house.restart("power")
    house.command(reply("Large."))
    house.advance("5 minutes")
    const last = texts(house).at(-1) ?? ""
    assert.match(last, /Which colour\?.*Blue\..*Which size\?.*Large\./s)
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("lets an agent ask again in the turn that brings it the reply", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(asking("Which colour?"), asking("Which size?")) }
    })
    house.advance("1 second")
    house.command(reply("Blue."))
    house.advance("1 second")
    assert.deepInclude(house.record("A").steering, { text: "Which size?", reply: null })
    house.command(reply("Large."))
    assert.include(texts(house)[2] ?? "", "Large.")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })
})

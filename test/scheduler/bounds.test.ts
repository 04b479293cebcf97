import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref } from "effect"
import { IssueId } from "../../src/domain/ids.ts"
import { HandoffError } from "../../src/handoff/Handoff.ts"
import { diligent } from "../support/house.ts"
import { type Household, makeHousehold } from "../support/household.ts"
import { asking, busy, failing, inTurn, only, passing, type Script } from "../support/scripts.ts"
import { TrackerError } from "../../src/tracker/Tracker.ts"
import { testState } from "../support/workflow.ts"

const A = IssueId.make("A")

const starts = (house: ReturnType<typeof makeHousehold>) =>
  house.journal().filter((entry) => entry._tag === "RunStarted").length

describe("what would go on for ever", () => {
  it("bounds issues that agents pass on between active states without end", () => {
    const states = [testState("Todo", "active"), testState("Review", "active"), testState("Done", "terminal")]
    const pingPong: Script = (turn) => passing(odd++ % 2 === 0 ? "Review" : "Todo")(turn)
    let odd = 0
    const house = makeHousehold({
      config: { states, agent: { maxSessionsPerIssue: 6 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: pingPong }
    })
    house.advance("1 hour")
    assert.strictEqual(starts(house), 6)
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "sessions" })
  })

  it("waits longer each time when a rate limit says that it is over and is not", () => {
    const house = makeHousehold({
      config: { agent: { maxRetryBackoffMs: 300_000 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: failing("rate_limit", 0) }
    })
    house.advance("10 minutes")
    assert.isAtMost(starts(house), 6)
  })
})

describe("an issue that is to be parked", () => {
  for (const [what, hide, millis] of [
    ["an editor has just put its file aside", ({ folder }: Household) => folder.remove("Todo/A.md"), 500],
    ["its file is saved in parts", ({ folder }: Household) => folder.spoil("Todo/A.md"), 500],
    ["its file cannot be read for a while", ({ folder }: Household) => folder.spoil("Todo/A.md"), 60_000]
  ] as const) {
    it(`is parked although ${what}`, () => {
      const house = makeHousehold({
        config: { agent: { circuitBreakerThreshold: 1 } },
        issues: { "Todo/A.md": {} },
        behaviour: { prompt: failing("exit") },
        started: false
      })
      let notes = 0
      house.world.behaviour.tracker = ({ operation }) =>
        Effect.sync(() => {
          if (operation !== "append" || notes++ > 0) return
          hide(house)
          house.machine.after(millis, () => house.put("Todo/A.md", { title: "Saved" }))
        })
      house.start()
      house.advance("2 minutes")
      assert.deepStrictEqual(house.files(), ["Parked/A.md"])
      assert.deepInclude(house.record("A").hold, { reason: "breaker", parkedIn: "Parked" })
      assert.strictEqual(starts(house), 1)
    })
  }
})

describe("an issue whose id is a word of JavaScript", () => {
  it("is an issue like any other, over a restart too", () => {
    const house = makeHousehold({
      issues: { "Todo/constructor.md": {}, "Todo/toString.md": {} },
      behaviour: { prompt: inTurn(failing("exit")) }
    })
    house.restart()
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/constructor.md", "Done/toString.md"])
  })
})

describe("caps of a state that issues are moved to when they start", () => {
  it("hold for those that come from elsewhere", () => {
    const states = [
      testState("Todo", "active", { onStart: "In Progress" }),
      testState("In Progress", "active", { maxConcurrent: 1 }),
      testState("Done", "terminal")
    ]
    const house = makeHousehold({
      config: { states },
      issues: { "Todo/A.md": {}, "Todo/B.md": {}, "Todo/C.md": {} },
      behaviour: { prompt: busy }
    })
    house.advance("5 seconds")
    assert.deepStrictEqual(house.files(), ["In Progress/A.md", "Todo/B.md", "Todo/C.md"])
    assert.deepInclude(house.why("B"), { _tag: "StateCap", state: "In Progress", cap: 1 })
  })
})

describe("a remote that says no", () => {
  it("costs neither the workspace nor the patch, and is for a person to mend", () => {
    const house = makeHousehold({
      config: { handoff: { mode: "pull_request" } },
      issues: { "Todo/A.md": {} },
      started: false
    })
    Effect.runSync(
      Ref.set(house.world.handoff.fault, (operation) =>
        operation === "publish"
          ? new HandoffError({ reason: "push", code: "push", detail: "the remote said no", hint: null })
          : null
      )
    )
    house.start()
    house.advance("10 minutes")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "handoff" })
    assert.match(house.record("A").hold?.message ?? "", /the remote said no.*symphony handoff A/s)
    assert.isNotNull(house.record("A").handoff)
    assert.isNotNull(house.record("A").workspace)
    assert.strictEqual(Effect.runSync(Ref.get(house.world.folders)).size, 1)
    assert.strictEqual(starts(house), 1)

    // Asked again while nothing is mended, by either name and by a restart: it says so, and nothing is lost.
    for (const again of ["HandOver", "RetryNow"] as const) {
      house.command({ _tag: again, issue: A })
      house.advance("1 minute")
      assert.deepInclude(house.why("A"), { _tag: "Held", reason: "handoff" })
    }
    house.restart("power")
    house.advance("1 minute")
    assert.match(house.record("A").hold?.message ?? "", /the remote said no.*symphony handoff A/s)
    assert.isNotNull(house.record("A").workspace)

    Effect.runSync(Ref.set(house.world.handoff.fault, () => null))
    house.command({ _tag: "HandOver", issue: A })
    house.advance("1 minute")
    assert.deepStrictEqual(house.why("A"), { _tag: "ForReview", state: "Done" })
    assert.strictEqual(house.record("A").pullRequest, "https://forge.test/pull/agent/A")
    assert.isNull(house.record("A").workspace)
    assert.strictEqual(starts(house), 1)
    assert.strictEqual(house.refused({ _tag: "HandOver", issue: A }), "nothing_to_hand_over")
  })

  it("is asked again at the next start: somebody may have mended it", () => {
    const house = makeHousehold({
      config: { handoff: { mode: "pull_request" } },
      issues: { "Todo/A.md": {} },
      started: false
    })
    const error = new HandoffError({ reason: "push", code: "push", detail: "the remote said no", hint: null })
    Effect.runSync(
      Ref.set(house.world.handoff.fault, (operation) => (operation === "publish" ? error : null))
    )
    house.start()
    house.advance("10 minutes")
    Effect.runSync(Ref.set(house.world.handoff.fault, () => null))
    house.restart("power")
    house.advance("1 minute")
    assert.strictEqual(house.why("A")._tag, "ForReview")
    assert.strictEqual(starts(house), 1)
  })
})

describe("work that is done and cannot be handed over", () => {
  const refuse = (house: ReturnType<typeof makeHousehold>, error: HandoffError | null) =>
    Effect.runSync(
      Ref.set(house.world.handoff.fault, (operation) => (operation === "exportRun" ? error : null))
    )
  for (const reason of ["io", "hostile", "unverified"] as const) {
    it(`needs a person, and its agent does not work again (${reason})`, () => {
      const house = makeHousehold({ issues: { "Todo/A.md": {} }, started: false })
      refuse(house, new HandoffError({ reason, code: reason, detail: "the commits are refused", hint: null }))
      house.start()
      house.advance("2 hours")
      assert.strictEqual(starts(house), 1)
      assert.deepStrictEqual(house.files(), ["Todo/A.md"])
      assert.deepInclude(house.why("A"), { _tag: "Held", reason: "handoff" })
      assert.match(house.record("A").hold?.message ?? "", /refused.*symphony handoff A/s)
      assert.strictEqual(Effect.runSync(Ref.get(house.world.folders)).size, 1)

      refuse(house, null)
      if (reason === "io") house.command({ _tag: "HandOver", issue: A })
      else house.world.tracker.move("Todo/A.md", "Done/A.md")
      house.advance("1 minute")
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
      assert.isNull(house.record("A").hold)
      assert.lengthOf([...Effect.runSync(Ref.get(house.world.handoff.exports))], 1)
      assert.strictEqual(Effect.runSync(Ref.get(house.world.folders)).size, 0)
      assert.strictEqual(starts(house), 1)
    })
  }
})

const states = [testState("Todo", "active"), testState("Review", "active"), testState("Done", "terminal")]

describe("an issue that a person moves on although its work could not be handed over", () => {
  /** An issue in Todo/ whose export has failed; it works again now. */
  const refused = (onDisk: boolean) => {
    const house = makeHousehold({ config: { states }, onDisk, issues: { "Todo/A.md": {} }, started: false })
    const error = new HandoffError({ reason: "io", code: "io", detail: "the disk is full", hint: null })
    const { fault } = house.world.handoff
    Effect.runSync(Ref.set(fault, (operation) => (operation === "exportRun" ? error : null)))
    house.start()
    house.advance("1 minute")
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "handoff" })
    Effect.runSync(Ref.set(fault, () => null))
    house.world.behaviour.prompt = busy
    return house
  }
  const isWorkedOn = (house: Household) => {
    assert.deepStrictEqual(house.files(), ["Review/A.md"])
    assert.deepInclude(house.runOf("A"), { state: "Review", attempt: 2 })
    assert.isNull(house.record("A").hold)
  }

  it("while symphony is stopped is worked on there", () => {
    const house = refused(true)
    house.stop()
    house.folder.move("Todo/A.md", "Review/A.md")
    house.start()
    house.advance("1 minute")
    isWorkedOn(house)
  })

  it("while it is handed over again is worked on there, and what came of it counts", () => {
    const house = refused(false)
    const moving = (operation: string) => {
      if (operation === "exportRun") house.folder.move("Todo/A.md", "Review/A.md")
      return null
    }
    Effect.runSync(Ref.set(house.world.handoff.fault, moving))
    house.command({ _tag: "HandOver", issue: A })
    house.advance("1 minute")
    isWorkedOn(house)
    assert.deepStrictEqual(house.record("A").history[0]?.outcome, { _tag: "Completed", state: "Done" })
  })
})

describe("work that is done and whose issue cannot be moved", () => {
  const trouble = {
    read: new TrackerError({ operation: "read", path: "Todo/A.md", detail: "input/output error" }),
    append: new TrackerError({ operation: "append", path: "Todo/A.md", detail: "input/output error" })
  }
  for (const [operation, signal] of [
    ["read", diligent],
    ["read", passing("Review")],
    ["append", passing("Review")]
  ] as const) {
    it(`waits for a tracker that is in trouble (${operation}, ${signal === diligent ? "done" : "passed on"})`, () => {
      let troubles = 0
      const house = makeHousehold({
        config: { states },
        issues: { "Todo/A.md": {} },
        behaviour: {
          prompt: only(
            "A",
            inTurn((turn) => Effect.tap(signal(turn), () => Effect.sync(() => (troubles = 3))))
          ),
          tracker: (step) =>
            Effect.suspend(() =>
              step.operation === operation && troubles-- > 0 ? Effect.fail(trouble[operation]) : Effect.void
            )
        }
      })
      house.advance("10 minutes")
      assert.isBelow(troubles, 1)
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
      assert.strictEqual(starts(house), signal === diligent ? 1 : 2)
      assert.deepStrictEqual(
        house.record("A").history.map(({ outcome }) => outcome._tag),
        signal === diligent ? ["Completed"] : ["Completed", "Completed"]
      )
    })
  }

  it("needs a person where its name is taken, whatever is done to the settings, and its agent does not work again", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {}, "Done/A.md": { id: "other", identifier: "other" } }
    })
    house.advance("1 minute")
    house.configure({ agent: { maxTurns: 7 } })
    house.restart()
    house.advance("1 hour")
    assert.strictEqual(starts(house), 1)
    assert.deepStrictEqual(house.files(), ["Done/A.md", "Todo/A.md"])
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "handoff" })
    assert.match(house.record("A").hold?.message ?? "", /Done\/A\.md exists already.*patch/s)

    house.command({ _tag: "HandOver", issue: A })
    house.advance("1 minute")
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "handoff" })
    assert.strictEqual(starts(house), 1)

    house.world.tracker.move("Done/A.md", "Done/B.md")
    house.command({ _tag: "HandOver", issue: A })
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md", "Done/B.md"])
    assert.isNull(house.record("A").hold)
    assert.isNull(house.record("A").workspace)
    assert.strictEqual(starts(house), 1)
  })

  /** A file that cannot be read from the moment on at which its agent has signalled. */
  const spoilt = (signal: Script) => {
    const house = makeHousehold({
      config: { states },
      onDisk: true,
      issues: { "Todo/A.md": {} },
      started: false
    })
    house.world.behaviour.prompt = only(
      "A",
      inTurn(
        (turn) => Effect.tap(signal(turn), () => Effect.sync(() => house.folder.spoil("Todo/A.md"))),
        busy
      )
    )
    house.start()
    return house
  }
  const NOTES = "Half is done."

  it("waits for a file that is saved half, and loses no notes", () => {
    const house = spoilt(passing("Review", NOTES))
    house.advance("1 second")
    house.folder.mend("Todo/A.md")
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Review/A.md"])
    assert.include(house.issue("A")?.description, NOTES)
    assert.isDefined(house.runOf("A"))
  })

  it("needs a person where its file cannot be read any more", () => {
    const house = spoilt(diligent)
    house.advance("10 minutes")
    assert.deepInclude(house.record("A").hold, { reason: "handoff" })
    house.command({ _tag: "HandOver", issue: A })
    house.advance("10 minutes")
    house.folder.mend("Todo/A.md")
    house.advance("10 minutes")
    assert.strictEqual(starts(house), 1)
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "handoff" })
  })

  it("takes what its agent has said along when it is moved later, once", () => {
    const house = spoilt(passing("Review", NOTES))
    house.advance("10 minutes")
    house.folder.mend("Todo/A.md")
    house.advance("1 second")
    house.command({ _tag: "HandOver", issue: A })
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Review/A.md"])
    assert.lengthOf(house.issue("A")?.description?.match(/> Half is done\./g) ?? [], 1)
  })
})

describe("work that is not handed over", () => {
  it("stays in its workspace when the workflow says so", () => {
    const house = makeHousehold({
      config: { handoff: { mode: "none" } },
      issues: { "Todo/A.md": {} }
    })
    house.advance("10 minutes")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.strictEqual(Effect.runSync(Ref.get(house.world.folders)).size, 1)
  })
})

describe("a signal that is taken while the conversation ends", () => {
  it("counts", () => {
    const lastWord: Script = (turn) => diligent(turn).pipe(Effect.andThen(failing("stall_timeout")(turn)))
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: inTurn(lastWord) } })
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.strictEqual(starts(house), 1)
  })
})

describe("a question that nobody answers", () => {
  it("is withdrawn when a person finishes the issue, so that it does not stand in its way later", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(asking("Which?")) }
    })
    house.advance("5 seconds")
    house.world.tracker.move("Todo/A.md", "Done/A.md")
    house.advance("1 minute")
    house.world.tracker.move("Done/A.md", "Todo/A.md")
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TrackerError } from "../../src/tracker/Tracker.ts"
import { type Household, makeHousehold } from "../support/household.ts"
import { busy, inTurn, only, passing, silent } from "../support/scripts.ts"
import { testState } from "../support/workflow.ts"

const board = [
  testState("Todo", "active"),
  testState("Review", "active"),
  testState("Triage", "holding"),
  testState("Done", "terminal")
]

const identifiers = (house: ReturnType<typeof makeHousehold>) =>
  house.world.prompts.map(({ identifier }) => identifier)

describe("dispatch", () => {
  it("looks at the tracker once an interval, and at once when the interval is lowered", () => {
    let scans = 0
    const house = makeHousehold({
      config: { polling: { intervalMs: 3_600_000 } },
      behaviour: {
        tracker: ({ operation }) => Effect.sync(() => void (scans += operation === "scan" ? 1 : 0))
      }
    })
    house.advance("30 minutes")
    assert.strictEqual(scans, 1)
    house.configure({ polling: { intervalMs: 10_000 } })
    house.advance("95 seconds")
    assert.strictEqual(scans, 11)
  })

  it("works an issue off at once, without waiting for the poll", () => {
    const house = makeHousehold({ issues: { "Todo/A-1.md": { title: "First" } } })
    house.advance("1 second")
    assert.deepStrictEqual(house.files(), ["Done/A-1.md"])
    assert.strictEqual(house.record("A-1").history[0]?.outcome._tag, "Completed")
  })

  it("starts what a person files while it runs", () => {
    const house = makeHousehold()
    house.put("Todo/A-1.md")
    house.advance("1 second")
    assert.deepStrictEqual(house.files(), ["Done/A-1.md"])
  })

  it("takes the most urgent first, then the oldest, then by identifier; null comes last", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 1 } },
      issues: {
        "Todo/E.md": {},
        "Todo/D.md": { priority: null, createdAt: "2025-01-01T00:00:00Z" },
        "Todo/C.md": { priority: 7 },
        "Todo/B.md": { priority: 1, createdAt: "2025-01-02T00:00:00Z" },
        "Todo/A.md": { priority: 1, createdAt: "2025-01-03T00:00:00Z" },
        "Todo/F.md": { priority: -1 }
      }
    })
    house.advance("10 seconds")
    assert.deepStrictEqual(identifiers(house), ["F", "B", "A", "C", "D", "E"])
  })

  it("never runs more than the cap, and fills a freed slot at once", () => {
    let live = 0
    let most = 0
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 3 }, polling: { intervalMs: 3_600_000 } },
      issues: Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`Todo/A-${index}.md`, {}])),
      behaviour: {
        prompt: (turn) =>
          Effect.gen(function* () {
            live += 1
            most = Math.max(most, live)
            yield* Effect.sleep("1 second")
            live -= 1
            yield* turn.call("mark_done", { title: "Done", summary: "Done." })
            return {
              stopReason: "end_turn" as const,
              tokens: { input: 1, output: 1, total: 2, source: "reported" as const }
            }
          })
      }
    })
    house.advance("11 seconds")
    assert.strictEqual(most, 3)
    assert.isTrue(house.files().every((path) => path.startsWith("Done/")))
  })

  it("holds the cap of a state, whatever the case it is written in", () => {
    const house = makeHousehold({
      config: { states: [testState("Todo", "active", { maxConcurrent: 1 }), testState("Done", "terminal")] },
      issues: { "todo/A.md": {}, "todo/B.md": {} },
      behaviour: { prompt: busy }
    })
    house.advance("1 second")
    assert.deepStrictEqual(identifiers(house), ["A"])
    assert.strictEqual(house.why("B")._tag, "StateCap")
  })

  it("counts a running issue in the state that it is moved to, and no more in the one that it left", () => {
    const one = { maxConcurrent: 1 }
    const house = makeHousehold({
      config: {
        states: [
          testState("Todo", "active", one),
          testState("Review", "active", one),
          testState("Done", "terminal")
        ]
      },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: busy }
    })
    house.advance("1 second")
    house.world.tracker.move("Todo/A.md", "Review/A.md")
    house.advance("1 second")
    house.put("Review/B.md")
    house.put("Todo/C.md")
    house.advance("1 second")
    assert.deepStrictEqual(house.why("B"), { _tag: "StateCap", state: "Review", cap: 1 })
    assert.deepStrictEqual(identifiers(house), ["A", "C"])
  })

  it("does not start an issue whose blockers are open, and starts it when they are finished", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 5 } },
      issues: { "Todo/A.md": { blockedBy: ["B"] }, "Triage/B.md": {} }
    })
    house.advance("1 minute")
    assert.deepInclude(house.why("A"), { _tag: "Blocked", by: ["B"], cycle: false })
    house.world.tracker.move("Triage/B.md", "Done/B.md")
    house.advance("1 second")
    assert.include(house.files(), "Done/A.md")
  })

  it("shows a circle of blockers instead of waiting for it in silence", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": { blockedBy: ["B"] }, "Todo/B.md": { blockedBy: ["A"] } }
    })
    house.advance("1 minute")
    assert.deepInclude(house.why("A"), { _tag: "Blocked", cycle: true })
    house.put("Todo/BEHIND.md", { blockedBy: ["A"] })
    house.put("Todo/FURTHER.md", { blockedBy: ["BEHIND"] })
    house.advance("1 second")
    assert.deepInclude(house.why("FURTHER"), { _tag: "Blocked", by: ["BEHIND"], cycle: true })
    assert.deepStrictEqual(identifiers(house), [])
  })

  it("treats a blocker that does not exist as open", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": { blockedBy: ["nobody"] } } })
    house.advance("1 minute")
    assert.strictEqual(house.why("A")._tag, "Blocked")
  })

  it("starts only issues that have every required label, without regard to case", () => {
    const house = makeHousehold({
      config: { tracker: { requiredLabels: ["Agent"] } },
      issues: { "Todo/A.md": { labels: ["agent", "ui"] }, "Todo/B.md": { labels: ["ui"] } },
      behaviour: { prompt: busy }
    })
    house.advance("1 second")
    assert.deepStrictEqual(identifiers(house), ["A"])
    assert.deepInclude(house.why("B"), { _tag: "MissingLabels", labels: ["agent"] })
  })

  it("starts nothing in holding, terminal and undeclared states", () => {
    const house = makeHousehold({
      config: { states: board },
      issues: { "Triage/A.md": {}, "Done/B.md": {}, "Somewhere/C.md": {} }
    })
    house.advance("1 minute")
    assert.deepStrictEqual(identifiers(house), [])
    assert.strictEqual(house.why("C")._tag, "NotActive")
  })

  it("goes on with an issue whose agent ended its session without a word, 1 s later and in the same slot", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 1, maxTurns: 1 } },
      issues: { "Todo/A.md": { priority: 2 } },
      behaviour: { prompt: only("A", inTurn(silent)) }
    })
    house.advance(0)
    house.put("Todo/B.md", { priority: 1 })
    house.advance("900 millis")
    assert.deepStrictEqual(identifiers(house), ["A"])
    assert.strictEqual(house.why("B")._tag, "GlobalCap")
    house.advance("5 seconds")
    assert.deepStrictEqual(identifiers(house), ["A", "A", "B"])
    assert.deepInclude(house.record("A").history[1], { kind: "continuation", attempt: 2 })
  })

  it("gives up the slot of a continuation that waits for its blocker", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 1, maxTurns: 1 } },
      issues: { "Todo/A.md": {} },
      started: false,
      behaviour: {
        prompt: only(
          "A",
          inTurn((turn) =>
            Effect.suspend(() => {
              house.put("Todo/B.md")
              house.put("Todo/A.md", { blockedBy: ["B"] })
              return silent(turn)
            })
          )
        )
      }
    })
    house.start()
    house.advance("1 minute")
    assert.deepStrictEqual(identifiers(house), ["A", "B", "A"])
    assert.deepStrictEqual(house.files(), ["Done/A.md", "Done/B.md"])
  })

  it("moves an issue that it starts to where its state says", () => {
    const house = makeHousehold({
      config: {
        states: [
          testState("Todo", "active", { onStart: "In Progress" }),
          testState("In Progress", "active"),
          testState("Done", "terminal")
        ]
      },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: busy }
    })
    house.advance("1 second")
    assert.deepStrictEqual(house.files(), ["In Progress/A.md"])
    assert.strictEqual(house.runOf("A")?.state, "In Progress")
  })

  it("passes an issue on with notes, which are in the issue before it moves", () => {
    const house = makeHousehold({
      config: { states: board },
      issues: { "Todo/A.md": { description: "Build it." } },
      behaviour: { prompt: inTurn(passing("review", "Half is done.")) }
    })
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    const [review] = house.world.prompts.slice(1)
    assert.strictEqual(review?.identifier, "A")
    assert.include(house.issue("A")?.description ?? "", "Half is done.")
    assert.strictEqual(house.record("A").history.length, 2)
  })

  it("lets an agent move its issue only to where its state allows", () => {
    const answers: Array<string> = []
    const house = makeHousehold({
      config: { states: [testState("Todo", "active", { transitions: ["Review"] }), ...board.slice(1)] },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: (turn) =>
          turn.call("transition", { to_state: "Done", notes: "No." }).pipe(
            Effect.tap((answer) => Effect.sync(() => answers.push(`${answer.isError} ${answer.text}`))),
            Effect.andThen(busy(turn))
          )
      }
    })
    house.advance("1 second")
    assert.match(answers[0] ?? "", /^true .*Review/s)
  })

  it("lets continuations go on one after another when the cap is lowered below their number", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 3, maxTurns: 1 } },
      issues: { "Todo/A.md": {}, "Todo/B.md": {}, "Todo/C.md": {} },
      behaviour: { prompt: inTurn(silent, silent, silent) }
    })
    house.configure({ agent: { maxConcurrentAgents: 1, maxTurns: 1 } })
    house.advance("10 minutes")
    assert.deepStrictEqual(house.files(), ["Done/A.md", "Done/B.md", "Done/C.md"])
  })

  it("applies a lower cap by starting less, without ending what runs", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 3 } },
      issues: { "Todo/A.md": {}, "Todo/B.md": {}, "Todo/C.md": {}, "Todo/D.md": {} },
      behaviour: { prompt: busy }
    })
    house.advance("1 second")
    house.configure({ agent: { maxConcurrentAgents: 1 } })
    house.advance("1 minute")
    assert.strictEqual(Object.keys(house.view().state.runs).length, 3)
    house.command({ _tag: "Stop", issue: house.view().state.runs["r1-1"]?.issue ?? assert.fail("no run") })
    house.advance("1 minute")
    assert.strictEqual(Object.keys(house.view().state.runs).length, 2)
    assert.deepInclude(house.why("D"), { _tag: "GlobalCap", cap: 1 })
  })

  it("gives the prompt a null attempt first and numbers from 1 later", () => {
    const house = makeHousehold({
      prompt: "attempt {{ attempt }} of {{ issue.identifier }}.",
      config: { agent: { maxTurns: 1 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(silent), open: () => Effect.succeed({ resumes: false }) }
    })
    house.advance("10 seconds")
    assert.deepStrictEqual(
      house.world.prompts.map(({ text }) => text.split("\n")[0]),
      ["attempt  of A.", "attempt 1 of A."]
    )
  })

  describe("reads its issue again before anything else", () => {
    /** What people or the disk do between the decision to start the issue and the first look at it. */
    const startedWhile = (happening: (house: Household) => TrackerError | undefined) => {
      let reads = 0
      const house = makeHousehold({
        config: { states: board, agent: { circuitBreakerThreshold: 1 } },
        issues: { "Todo/A.md": {} },
        started: false
      })
      house.world.behaviour.tracker = ({ operation }) =>
        Effect.suspend(() => {
          const failure = operation === "read" && reads++ === 0 ? happening(house) : undefined
          return failure === undefined ? Effect.void : Effect.fail(failure)
        })
      house.start()
      house.advance("1 second")
      return house
    }

    it("releases an issue that was moved or removed meanwhile, and blames nobody", () => {
      for (const [reason, happening] of [
        ["moved_to_inactive", ({ folder }: Household) => void folder.move("Todo/A.md", "Triage/A.md")],
        ["moved_to_terminal", ({ folder }: Household) => void folder.move("Todo/A.md", "Done/A.md")],
        ["issue_missing", ({ folder }: Household) => void folder.remove("Todo/A.md")]
      ] as const) {
        const house = startedWhile(happening)
        house.advance("1 minute")
        assert.deepStrictEqual(house.world.prompts, [])
        assert.deepInclude(house.record("A"), { attempts: 1, failures: 0, retry: null, hold: null })
        assert.deepStrictEqual(house.record("A").history[0]?.outcome, { _tag: "Cancelled", reason })
      }
    })

    it("puts off an issue that cannot be read just then, and counts no failure", () => {
      const detail = "input/output error"
      for (const happening of [
        () => new TrackerError({ operation: "read", path: "Todo/A.md", detail }),
        ({ folder }: Household) => void folder.spoil("Todo/A.md")
      ]) {
        const house = startedWhile(happening)
        assert.deepInclude(house.record("A"), { attempts: 1, failures: 0, hold: null })
        assert.isNotNull(house.record("A").retry)
        house.folder.mend("Todo/A.md")
        house.advance("1 minute")
        assert.deepStrictEqual(house.files(), ["Done/A.md"])
        assert.lengthOf(house.world.prompts, 1)
      }
    })
  })

  it("keeps on starting issues while one file cannot be read, and shows that file", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {}, "Todo/B.md": {} }, started: false })
    house.world.tracker.spoil("Todo/A.md")
    house.start()
    house.advance("1 second")
    assert.include(house.files(), "Done/B.md")
    assert.strictEqual(house.view().observation.tracker.problems.length, 1)
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Ref, References } from "effect"
import { TestClock } from "effect/testing"
import { PROPOSALS_PER_RUN } from "../../src/mcp/Proposals.ts"
import { RunTools } from "../../src/mcp/RunTools.ts"
import { TrackerError, Tracker } from "../../src/tracker/Tracker.ts"
import { makeTrackerWorld } from "../../src/tracker/TrackerWorld.ts"
import { grantOf, Ground, Tools, World } from "./support.ts"

const grant = grantOf("DEMO-1")

const call = (name: string, args: unknown, as = grant) =>
  Effect.flatMap(RunTools, (tools) => tools.call(as, name, args))

const accepted = Effect.fnUntraced(function* (name: string, args: unknown, as = grant) {
  const result = yield* call(name, args, as)
  assert.isFalse(result.isError, result.text)
  return result.text
})

const refused = Effect.fnUntraced(function* (name: string, args: unknown, as = grant) {
  const result = yield* call(name, args, as)
  assert.isTrue(result.isError, result.text)
  return result.text
})

const received = Effect.gen(function* () {
  const { signals } = yield* World
  return (yield* Ref.get(signals)).map(([, signal]) => signal)
})

const summary = "Adds the missing test."

describe("the tools of a run", () => {
  describe("mark_done", () => {
    it.effect("tells the scheduler once; a repeat gets the same answer", () =>
      Effect.gen(function* () {
        const first = yield* accepted("mark_done", { title: "  Fix the sum ", summary })
        const second = yield* accepted("mark_done", { title: "Fix it again", summary: "Else." })
        assert.strictEqual(second, first)
        assert.deepStrictEqual(yield* received, [{ _tag: "MarkDone", title: "Fix the sum", summary }])
      }).pipe(Effect.provide(Tools))
    )

    it.effect("takes a title of 72 characters, counted as people count them", () =>
      Effect.gen(function* () {
        yield* accepted("mark_done", { title: "🎉".repeat(72), summary })
        assert.lengthOf(yield* received, 1)
      }).pipe(Effect.provide(Tools))
    )

    it.effect("refuses a title of 73 characters or of two lines, and says exactly so", () =>
      Effect.gen(function* () {
        assert.include(
          yield* refused("mark_done", { title: "x".repeat(73), summary }),
          "title: must be one line of at most 72 characters; it has 73 characters"
        )
        for (const title of ["one\ntwo", "one\r\ntwo", "one\u2028two", "bell\u0007"]) {
          assert.include(
            yield* refused("mark_done", { title, summary }),
            "title: must be one line of at most 72 characters; it has a line break"
          )
        }
        assert.deepStrictEqual(yield* received, [])
      }).pipe(Effect.provide(Tools))
    )

    it.effect("names every problem at once and repeats none of what was sent", () =>
      Effect.gen(function* () {
        const text = yield* refused("mark_done", { title: " ", summary: 7, secret: "hunter2" })
        assert.include(text, "- title: must not be blank")
        assert.include(text, "- summary: Expected string")
        assert.include(text, "- secret: Expected no excess property")
        assert.notInclude(text, "hunter2")
        assert.include(yield* refused("mark_done", undefined), "- title: Missing key\n- summary: Missing key")
        assert.include(yield* refused("mark_done", ["x"]), "- arguments: Expected object")
        assert.include(
          yield* refused("mark_done", { title: "x", summary: "\n " }),
          "summary: must not be blank"
        )
      }).pipe(Effect.provide(Tools))
    )

    it.effect("answers many bad keys with a short text, and looks no further than it must", () =>
      Effect.gen(function* () {
        const bad = (count: number) =>
          Object.fromEntries(Array.from({ length: count }, (_, n) => [`${"k".repeat(500)}${n}`, n]))
        const text = yield* refused("mark_done", bad(100))
        assert.isBelow(text.length, 4000)
        assert.include(text, "- and 82 more")
        const bloated = yield* refused("mark_done", { title: { deep: Object.values(bad(1000)) } })
        assert.include(bloated, "- arguments: more than 200 values in all")
      }).pipe(Effect.provide(Tools))
    )
  })

  describe("request_human_steering", () => {
    it.effect("passes the question on, with the context that may be left out or null", () =>
      Effect.gen(function* () {
        yield* accepted("request_human_steering", { question: "Which port?" })
        yield* accepted("request_human_steering", { question: "Which host?", context: null })
        yield* accepted("request_human_steering", { question: "Why?", context: "Two say so." })
        assert.deepStrictEqual(yield* received, [
          { _tag: "AskHuman", question: "Which port?", context: null },
          { _tag: "AskHuman", question: "Which host?", context: null },
          { _tag: "AskHuman", question: "Why?", context: "Two say so." }
        ])
      }).pipe(Effect.provide(Tools))
    )

    it.effect("refuses a question of 10 MB", () =>
      Effect.gen(function* () {
        const question = "y".repeat(10_000_000)
        const text = yield* refused("request_human_steering", { question })
        assert.include(text, "question: must be at most 4000 characters; it has 10000000")
        assert.deepStrictEqual(yield* received, [])
      }).pipe(Effect.provide(Tools))
    )
  })

  describe("transition", () => {
    it.effect("passes on a state that the issue may move to, whatever its case", () =>
      Effect.gen(function* () {
        yield* accepted("transition", { to_state: "review", notes: "Ready." })
        assert.deepStrictEqual(yield* received, [{ _tag: "Transition", toState: "Review", notes: "Ready." }])
      }).pipe(Effect.provide(Tools))
    )

    it.effect("refuses any other state and names the legal ones", () =>
      Effect.gen(function* () {
        const text = yield* refused("transition", { to_state: "Todo", notes: "Back." })
        assert.include(text, "to_state: must be one of: Review, Done")
        assert.deepStrictEqual(yield* received, [])
      }).pipe(Effect.provide(Tools))
    )

    it.effect("is not offered, and refused, where no transition is allowed", () =>
      Effect.gen(function* () {
        yield* Ref.set((yield* World).transitions, [])
        const offered = yield* (yield* RunTools).list(grant)
        assert.notInclude(
          offered.map((tool) => tool.name),
          "transition"
        )
        yield* refused("transition", { to_state: "Review", notes: "Ready." })
        assert.deepStrictEqual(yield* received, [])
      }).pipe(Effect.provide(Tools))
    )
  })

  it.effect("log whose call it was", () =>
    Effect.gen(function* () {
      const told: Array<Readonly<Record<string, unknown>>> = []
      const logger = Logger.make(
        ({ fiber }) => void told.push(fiber.getRef(References.CurrentLogAnnotations))
      )
      yield* accepted("propose_issue", { title: "Look into it", description: "It is slow." }).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      assert.deepInclude(told[0], {
        issue_id: "id-1",
        issue_identifier: "DEMO-1",
        session_id: "session-1",
        run: "r1-1",
        tool: "propose_issue"
      })
    }).pipe(Effect.provide(Tools))
  )

  describe("propose_issue", () => {
    it.effect("files the proposal in the first holding state, naming who proposed it and when", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_700_000_000_000)
        const text = yield* accepted("propose_issue", {
          title: " Speed up the build ",
          description: "It takes an hour.",
          labels: ["build", " ci "],
          priority: 2
        })
        assert.include(text, "DEMO-100 in Triage")
        assert.deepStrictEqual(yield* Ref.get((yield* World).created), [
          {
            identifier: null,
            title: "Speed up the build",
            state: "Triage",
            description: "It takes an hour.",
            priority: 2,
            labels: ["build", "ci"],
            blockedBy: [],
            extra: {
              proposed_by: "DEMO-1",
              proposed_at: "2023-11-14T22:13:20.000Z",
              proposed_run: "r1-1"
            }
          }
        ])
      }).pipe(Effect.provide(Tools))
    )

    it.effect("cannot choose the state, the identifier or other front matter", () =>
      Effect.gen(function* () {
        for (const extra of [{ state: "Todo" }, { identifier: "DEMO-1" }, { hooks: { before_run: "id" } }]) {
          const text = yield* refused("propose_issue", { title: "Sneak in", ...extra })
          assert.include(text, `${Object.keys(extra)[0]}: Expected no excess property`)
        }
        assert.deepStrictEqual(yield* Ref.get((yield* World).created), [])
      }).pipe(Effect.provide(Tools))
    )

    it.effect("files a repeated proposal once, also when both come at the same time", () =>
      Effect.gen(function* () {
        const proposal = { title: "Speed up the build" }
        const [first, second] = yield* Effect.all(
          [accepted("propose_issue", proposal), accepted("propose_issue", { ...proposal, labels: [] })],
          { concurrency: "unbounded" }
        )
        assert.strictEqual(second, first)
        assert.lengthOf(yield* Ref.get((yield* World).created), 1)
      }).pipe(Effect.provide(Tools))
    )

    it.effect("files the same title once for an issue, over all of its runs", () =>
      Effect.gen(function* () {
        const proposal = { title: "Speed up the build" }
        const first = yield* accepted("propose_issue", proposal)
        const retried = { ...proposal, title: " Speed up  the build ", description: "Told anew." }
        assert.strictEqual(yield* accepted("propose_issue", retried, grantOf("DEMO-1", 2)), first)
        assert.lengthOf(yield* Ref.get((yield* World).created), 1)
        yield* accepted("propose_issue", proposal, grantOf("DEMO-2", 3))
        assert.lengthOf(yield* Ref.get((yield* World).created), 2, "another issue's is another")
      }).pipe(Effect.provide(Tools))
    )

    it.effect("stops at the quota of a run; another run has its own", () =>
      Effect.gen(function* () {
        for (let n = 0; n < PROPOSALS_PER_RUN; n++) yield* accepted("propose_issue", { title: `Idea ${n}` })
        assert.include(yield* refused("propose_issue", { title: "One more" }), `${PROPOSALS_PER_RUN} issues`)
        yield* accepted("propose_issue", { title: "Idea 0" })
        yield* accepted("propose_issue", { title: "One more" }, grantOf("DEMO-2", 2))
        assert.lengthOf(yield* Ref.get((yield* World).created), PROPOSALS_PER_RUN + 1)
      }).pipe(Effect.provide(Tools))
    )

    it.effect("a tracker that cannot write is a tool error, and spends nothing of the quota", () => {
      const failing = Layer.mock(Tracker, {
        snapshot: Effect.succeed(makeTrackerWorld({ states: [] }).snapshot()),
        create: () => new TrackerError({ operation: "create", path: "issues", detail: "disk full" })
      })
      return Effect.gen(function* () {
        for (let n = 0; n <= PROPOSALS_PER_RUN; n++) {
          const text = yield* refused("propose_issue", { title: `Idea ${n}` })
          assert.include(text, "could not be written")
          assert.notInclude(text, "disk full")
        }
      }).pipe(Effect.provide(RunTools.layer.pipe(Layer.provide(failing), Layer.provideMerge(Ground))))
    })
  })

  it.effect("every call of a run that has ended is refused and changes nothing", () =>
    Effect.gen(function* () {
      const world = yield* World
      yield* Ref.set(world.ended, new Set([grant.runId]))
      for (const [name, args] of [
        ["mark_done", { title: "Late", summary }],
        ["request_human_steering", { question: "Late?" }],
        ["transition", { to_state: "Review", notes: "Late." }],
        ["propose_issue", { title: "Late" }]
      ] as const) {
        assert.include(yield* refused(name, args), "run has ended")
      }
      assert.deepStrictEqual(yield* received, [])
      assert.deepStrictEqual(yield* Ref.get(world.created), [])
    }).pipe(Effect.provide(Tools))
  )

  it.effect("a flood is refused after a burst, and calls come back with time", () =>
    Effect.gen(function* () {
      const ask = call("request_human_steering", { question: "And now?" })
      const results = yield* Effect.all(Array.from({ length: 10_000 }, () => ask))
      assert.strictEqual(results.filter((result) => !result.isError).length, 60)
      assert.strictEqual(results.at(-1)?.text, "Too many calls. Wait 1 s, then call again.")
      yield* accepted("mark_done", { title: "Mine", summary }, grantOf("DEMO-2", 2))
      yield* TestClock.adjust("999 millis")
      assert.isTrue((yield* ask).isError)
      yield* TestClock.adjust("1 milli")
      assert.isFalse((yield* ask).isError)
      assert.isTrue((yield* ask).isError)
    }).pipe(Effect.provide(Tools))
  )

  it.effect("lists each tool with the schema of its arguments", () =>
    Effect.gen(function* () {
      const tools = yield* (yield* RunTools).list(grant)
      assert.deepStrictEqual(
        tools.map((tool) => tool.name),
        ["mark_done", "request_human_steering", "transition", "propose_issue"]
      )
      assert.deepNestedInclude(tools[0]?.inputSchema, {
        "properties.title.maxLength": 72,
        "properties.title.type": "string",
        required: ["title", "summary"],
        additionalProperties: false
      })
      for (const tool of tools) assert.strictEqual(tool.inputSchema["type"], "object")
    }).pipe(Effect.provide(Tools))
  )

  it.effect("an unknown tool is refused with the names of the known ones", () =>
    Effect.gen(function* () {
      for (const name of ["shell", "__proto__", "toString", ""]) {
        assert.include(yield* refused(name, {}), "mark_done, request_human_steering")
      }
    }).pipe(Effect.provide(Tools))
  )
})

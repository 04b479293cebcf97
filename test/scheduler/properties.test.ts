import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Schema } from "effect"
import { Identifier, IssueId, makeRunId } from "../../src/domain/ids.ts"
import { Issue } from "../../src/domain/Issue.ts"
import { roleOf } from "../../src/domain/State.ts"
import { eventsOf } from "../../src/scheduler/acts.ts"
import { decide } from "../../src/scheduler/decide.ts"
import { dispatchOrder, explain, type Observation } from "../../src/scheduler/eligibility.ts"
import { SchedulerEvent } from "../../src/scheduler/events.ts"
import { backoff } from "../../src/scheduler/retry.ts"
import { evolve } from "../../src/scheduler/evolve.ts"
import { emptyState, holdsSlot, type SchedulerState } from "../../src/scheduler/state.ts"
import { testState } from "../support/workflow.ts"

const STATES = [
  testState("Todo", "active"),
  testState("Review", "active", { maxConcurrent: 2 }),
  testState("Triage", "holding"),
  testState("Done", "terminal")
]
const NOW = 1_000_000

const issueArbitrary = (name: string) =>
  fc
    .record({
      state: fc.constantFrom("Todo", "Review", "Triage", "Done"),
      priority: fc.option(fc.integer({ min: -3, max: 5 })),
      createdAt: fc.option(fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")),
      blocked: fc.boolean()
    })
    .map(
      ({ blocked, createdAt, priority, state }) =>
        new Issue({
          id: IssueId.make(name),
          identifier: Identifier.make(name),
          title: name,
          description: null,
          priority,
          state,
          branchName: null,
          url: null,
          labels: [],
          blockedBy: blocked ? [{ id: null, identifier: "nobody", state: null }] : [],
          createdAt,
          updatedAt: null,
          assigneeId: null,
          nativeRef: null,
          proposedBy: null,
          fileName: `${name}.md`,
          inode: name,
          modifiedAt: null,
          contentHash: name
        })
    )

const issuesArbitrary = fc
  .integer({ min: 0, max: 12 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => issueArbitrary(`I-${index}`))))

const observationOf = (issues: ReadonlyArray<Issue>, cap: number): Observation => ({
  tracker: {
    issues,
    byId: new Map(issues.map((issue) => [issue.id, issue])),
    problems: [],
    unreadable: new Map(),
    scan: 1,
    outage: null
  },
  policy: {
    states: STATES,
    maxConcurrent: cap,
    maxSessions: 20,
    maxRetryBackoffMs: 300_000,
    breakerThreshold: 5,
    requiredLabels: [],
    handsOver: true,
    adapter: "demo"
  },
  memorySlots: null,
  busy: new Set(),
  kept: new Set(),
  obstacle: null
})

/** Some of the issues claimed, and some of those ended in one way or another. */
const historyArbitrary = (issues: ReadonlyArray<Issue>): fc.Arbitrary<ReadonlyArray<SchedulerEvent>> =>
  fc
    .array(
      fc.record({
        end: fc.constantFrom("runs", "quiesced", "done", "retry", "later", "continues", "held"),
        on: fc.boolean()
      }),
      { minLength: issues.length, maxLength: issues.length }
    )
    .map((choices) => [
      { _tag: "Booted", at: 1, epoch: 1 } as const,
      ...issues.flatMap((issue, index): ReadonlyArray<SchedulerEvent> => {
        const choice = choices[index]
        if (choice === undefined || !choice.on) return []
        const run = makeRunId(1, index + 1)
        const started: SchedulerEvent = {
          _tag: "RunStarted",
          at: 2,
          run,
          issue: issue.id,
          identifier: issue.identifier,
          title: issue.title,
          state: issue.state,
          fileName: issue.fileName,
          contentHash: issue.contentHash,
          attempt: 1,
          kind: "first",
          retryAttempt: null,
          adapter: "demo"
        }
        const quiesced: SchedulerEvent = { _tag: "Quiesced", at: 3, run, conclusion: { _tag: "Done" } }
        const ended = (next: Extract<SchedulerEvent, { _tag: "RunEnded" }>["next"]): SchedulerEvent => ({
          _tag: "RunEnded",
          at: 4,
          run,
          outcome: { _tag: "Continue", reason: "no_signal" },
          next
        })
        const retry = (kind: "continuation" | "retry", dueAt: number) =>
          ended({ _tag: "Retry", kind, attempt: 1, dueAt, class: null, error: null })
        switch (choice.end) {
          case "runs":
            return [started]
          case "quiesced":
            return [started, quiesced]
          case "done":
            return [started, quiesced, ended({ _tag: "None" })]
          case "retry":
            return [started, quiesced, retry("retry", NOW - 1)]
          case "later":
            return [started, quiesced, retry("retry", NOW + 1)]
          case "continues":
            return [started, quiesced, retry("continuation", NOW - 1)]
          default:
            return [started, quiesced, ended({ _tag: "Hold", reason: "operator_stop", message: "stopped" })]
        }
      })
    ])

const worldArbitrary = issuesArbitrary.chain((issues) =>
  fc.record({
    issues: fc.constant(issues),
    events: historyArbitrary(issues),
    cap: fc.integer({ min: 1, max: 5 })
  })
)

const replay = (events: ReadonlyArray<SchedulerEvent>): SchedulerState => events.reduce(evolve, emptyState)
const codec = Schema.toCodecJson(SchedulerEvent)

describe("the rules, whatever the world", () => {
  it("wait between 10 s and the cap, and never less than the time before", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 10_000, max: 10_000_000 }),
        (n, cap) => {
          assert.isAtLeast(backoff(n, cap), 10_000)
          assert.isAtMost(backoff(n, cap), cap)
          assert.isAtLeast(backoff(n + 1, cap), backoff(n, cap))
        }
      )
    )
  })

  it("order issues totally: two different ones are never equal, and sorting does not depend on where one began", () => {
    fc.assert(
      fc.property(issuesArbitrary, fc.integer(), (issues, salt) => {
        const claims = issues.map((issue) => ({ issue, kind: "first" as const }))
        const ids = (list: typeof claims) => list.toSorted(dispatchOrder).map(({ issue }) => issue.id)
        const shuffled = [...claims].sort(
          (left, right) => ((left.issue.id.length * salt) % 7) - ((right.issue.id.length * salt) % 5)
        )
        assert.deepStrictEqual(ids(claims), ids(shuffled.toReversed()))
        for (const left of claims)
          for (const right of claims) assert.strictEqual(dispatchOrder(left, right) === 0, left === right)
      })
    )
  })

  it("hold the caps, in total and per state, and never start an issue twice", () => {
    fc.assert(
      fc.property(worldArbitrary, ({ cap, events, issues }) => {
        let state = replay(events)
        const before = Object.values(state.runs).filter(holdsSlot).length
        const observation = observationOf(issues, cap)
        for (let round = 0; round < 3; round++) {
          for (const decision of decide(state, observation, new Map(), NOW))
            for (const event of eventsOf(decision, state, NOW)) state = evolve(state, event)
        }
        const live = Object.values(state.runs)
        assert.isAtMost(live.filter(holdsSlot).length, Math.max(before, cap))
        assert.strictEqual(new Set(live.map(({ issue }) => issue)).size, live.length)
        const review = (of: SchedulerState) =>
          Object.values(of.runs).filter((run) => holdsSlot(run) && run.state === "Review").length
        assert.isAtMost(review(state), Math.max(review(replay(events)), 2))
      })
    )
  })

  it("explain an issue as ready exactly when there is a slot for it, and start only such", () => {
    fc.assert(
      fc.property(worldArbitrary, ({ cap, events, issues }) => {
        const state = replay(events)
        const observation = observationOf(issues, cap)
        const started = decide(state, observation, new Map(), NOW).flatMap((decision) =>
          decision._tag === "StartRun" ? [decision.issue] : []
        )
        for (const issue of started) {
          assert.strictEqual(explain(state, observation, issue, NOW)._tag, "Ready")
          assert.strictEqual(roleOf(STATES, issue.state), "active")
        }
        const ready = issues.filter((issue) => explain(state, observation, issue, NOW)._tag === "Ready")
        assert.strictEqual(ready.length > 0, started.length > 0)
      })
    )
  })

  it("come to rest: what was decided once is not decided again", () => {
    fc.assert(
      fc.property(worldArbitrary, ({ cap, events, issues }) => {
        let state = replay(events)
        const observation = observationOf(issues, cap)
        for (let round = 0; round < 4; round++) {
          for (const decision of decide(state, observation, new Map(), NOW))
            for (const event of eventsOf(decision, state, NOW)) state = evolve(state, event)
        }
        const again = decide(state, observation, new Map(), NOW).filter(
          ({ _tag }) => _tag !== "RemoveWorkspace"
        )
        assert.deepStrictEqual(again, [])
      })
    )
  })

  it("remember the same from the journal as they knew when they lived", () => {
    fc.assert(
      fc.property(worldArbitrary, ({ events }) => {
        const written = events.map((event) => JSON.stringify(Schema.encodeSync(codec)(event)))
        const read = written.map((line) => Schema.decodeUnknownSync(codec)(JSON.parse(line)))
        assert.deepStrictEqual(replay(read), replay(events))
      })
    )
  })

  it("take any event at any time, and never lose a total", () => {
    fc.assert(
      fc.property(worldArbitrary, fc.array(fc.integer({ min: 0, max: 1_000 })), ({ events }, picks) => {
        let state = emptyState
        for (const pick of picks) {
          const event = events[pick % Math.max(1, events.length)]
          if (event === undefined) continue
          const next = evolve(state, event)
          assert.isAtLeast(next.totals.runs, state.totals.runs)
          assert.isAtLeast(next.totals.completed, state.totals.completed)
          assert.isAtLeast(next.totals.seconds, state.totals.seconds)
          state = next
        }
      })
    )
  })
})

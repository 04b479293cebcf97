import { Context, Effect, Layer, Ref } from "effect"
import { SecureRandom } from "effect/crypto"
import { Identifier, IssueId, makeRunId, type RunId } from "../../src/domain/ids.ts"
import { McpEndpoint } from "../../src/mcp/McpEndpoint.ts"
import { type Grant, RunGrants } from "../../src/mcp/RunGrants.ts"
import { RunTools } from "../../src/mcp/RunTools.ts"
import { type RunSignal, RunSignals, SignalRefused } from "../../src/scheduler/RunSignals.ts"
import { type NewIssue, Tracker } from "../../src/tracker/Tracker.ts"
import * as MemoryTracker from "../../src/tracker/MemoryTracker.ts"
import { makeTrackerWorld } from "../../src/tracker/TrackerWorld.ts"
import { Workflow } from "../../src/workflow/Workflow.ts"
import { testState, testWorkflow } from "../support/workflow.ts"

export const grantOf = (issue: string, run = 1, purpose: Grant["purpose"] = "mcp"): Grant => ({
  runId: makeRunId(1, run),
  identifier: Identifier.make(issue),
  purpose
})

/** What the tools can see and change, held in memory. */
export class World extends Context.Service<
  World,
  {
    readonly signals: Ref.Ref<ReadonlyArray<readonly [RunId, RunSignal]>>
    readonly ended: Ref.Ref<ReadonlySet<RunId>>
    /** States that `transition` may name. */
    readonly transitions: Ref.Ref<ReadonlyArray<string>>
    readonly created: Ref.Ref<ReadonlyArray<NewIssue>>
  }
>()("test/mcp/World") {
  static readonly layer = Layer.effect(
    World,
    Effect.all({
      signals: Ref.make<ReadonlyArray<readonly [RunId, RunSignal]>>([]),
      ended: Ref.make<ReadonlySet<RunId>>(new Set()),
      transitions: Ref.make<ReadonlyArray<string>>(["Review", "Done"]),
      created: Ref.make<ReadonlyArray<NewIssue>>([])
    })
  )
}

/** Takes every signal of a run that has not ended; a repeated `MarkDone` gets the answer of the first. */
const memorySignals = Layer.effect(
  RunSignals,
  Effect.gen(function* () {
    const world = yield* World
    const done = yield* Ref.make<ReadonlyMap<RunId, string>>(new Map())
    const live = Effect.fnUntraced(function* (runId: RunId) {
      if ((yield* Ref.get(world.ended)).has(runId)) {
        return yield* new SignalRefused({
          reason: "run_ended",
          message: "Your run has ended; nothing was changed."
        })
      }
    })
    return RunSignals.of({
      view: Effect.fnUntraced(function* (runId) {
        yield* live(runId)
        return {
          runId,
          issueId: IssueId.make("id-1"),
          identifier: Identifier.make("DEMO-1"),
          state: "Todo",
          session: "session-1",
          transitions: yield* Ref.get(world.transitions)
        }
      }),
      submit: Effect.fnUntraced(function* (runId, signal) {
        yield* live(runId)
        const before = (yield* Ref.get(done)).get(runId)
        if (signal._tag === "MarkDone" && before !== undefined) return before
        yield* Ref.update(world.signals, (all) => [...all, [runId, signal] as const])
        const answer = `${signal._tag} recorded. End your turn now.`
        if (signal._tag === "MarkDone") yield* Ref.update(done, (all) => new Map(all).set(runId, answer))
        return answer
      })
    })
  })
)

const states = [
  testState("Todo", "active"),
  testState("Review", "active"),
  testState("Triage", "holding"),
  testState("Done", "terminal")
]

const recordingTracker = Layer.unwrap(
  Effect.gen(function* () {
    const world = yield* World
    const folder = makeTrackerWorld({ states })
    folder.put("Done/DEMO-99.md", {})
    const inMemory = yield* Effect.map(Layer.build(MemoryTracker.layer(folder)), (built) =>
      Context.get(built, Tracker)
    )
    return Layer.succeed(
      Tracker,
      Tracker.of({
        ...inMemory,
        create: (issue) =>
          Effect.tap(
            inMemory.create(issue),
            Ref.update(world.created, (all) => [...all, issue])
          )
      })
    )
  })
)

const fixedWorkflow = Layer.mock(Workflow, { current: Effect.succeed(testWorkflow({ config: { states } })) })

export const Grants = RunGrants.layer.pipe(Layer.provide(SecureRandom.layerWebCrypto))

/** What the tools stand on, in memory. */
export const Ground = Layer.mergeAll(memorySignals, recordingTracker, fixedWorkflow).pipe(
  Layer.provideMerge(World.layer)
)

/** The real tools over it. */
export const Tools = RunTools.layer.pipe(Layer.provideMerge(Ground))

/** The real endpoint over the real tools and tokens. */
export const Endpoint = McpEndpoint.layer("0.0.0-test").pipe(
  Layer.provideMerge(Layer.mergeAll(Tools, Grants))
)

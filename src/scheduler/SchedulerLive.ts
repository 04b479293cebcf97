import {
  Clock,
  Context,
  Deferred,
  Duration,
  Effect,
  FiberHandle,
  FiberSet,
  Layer,
  Queue,
  Stream,
  SubscriptionRef
} from "effect"
import type { IssueId, RunId } from "../domain/ids.ts"
import type { Problem } from "../domain/Problem.ts"
import { Journal, type JournalError } from "../journal/Journal.ts"
import { Tracker } from "../tracker/Tracker.ts"
import { Workflow } from "../workflow/Workflow.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { actsOf, failedHandoffs, recoveryActs } from "./acts.ts"
import { makeKeptWorkspaces } from "./chores.ts"
import { missingNow, nextDue } from "./decide.ts"
import { apply, type Draft, type Input, newDraft, settle } from "./draft.ts"
import type { Observation } from "./eligibility.ts"
import type { SchedulerEvent } from "./events.ts"
import { exhaustionProblems } from "./exhaustion.ts"
import { Hurry } from "./Hurry.ts"
import { logEnd } from "./logEnd.ts"
import { entryOf, remember, snapshotOf } from "./memory.ts"
import { MemoryAdmission } from "./MemoryAdmission.ts"
import { makePerformer } from "./perform.ts"
import { policyFrom } from "./policy.ts"
import { Runs } from "./Runs.ts"
import { RunSignals } from "./RunSignals.ts"
import { makeRunSignals } from "./signalsOfRuns.ts"
import { CommandRefused, type OperatorCommand, Scheduler, type SchedulerView } from "./Scheduler.ts"
import { evolve } from "./evolve.ts"
import { holdsSlot } from "./state.ts"

export interface SchedulerOptions {
  /** Entries after which the journal is replaced by one snapshot. */
  readonly compactAfter: number
}

/** Pause before what could not be journaled is tried again. */
const JOURNAL_RETRY = Duration.seconds(1)
/** Time that all runs have to end by themselves at a graceful stop, hooks and hand-overs included. */
const SHUTDOWN_GRACE = Duration.seconds(4)
/** Timers sleep no longer than this and then look again: a changed wall clock cannot make them miss. */
const LONGEST_SLEEP = Duration.minutes(10)

const make = Effect.fnUntraced(function* ({ compactAfter }: SchedulerOptions) {
  const hurry = yield* Hurry
  const journal = yield* Journal
  const tracker = yield* Tracker
  const workflow = yield* Workflow
  const runs = yield* Runs
  const memory = yield* MemoryAdmission

  const inputs = yield* Queue.unbounded<Input>()
  const timer = yield* FiberHandle.make<void, never>()

  let state = yield* remember
  let problems: ReadonlyArray<Problem> = []
  let stopping = false
  let wakePending = false
  const missingSince = new Map<IssueId, number>()
  const kept = makeKeptWorkspaces()
  /** Inputs that could not be journaled and must not be lost. */
  let postponed: Array<Input> = []
  const remembered = () => state
  const { busy, perform, settings } = yield* makePerformer({ inputs, remembered, runs, tracker })
  const settingsOf = (run: RunId) => settings.get(run)

  const wake = Effect.suspend(() => {
    if (wakePending) return Effect.succeed({ coalesced: true })
    wakePending = true
    return Effect.as(Queue.offer(inputs, { _tag: "Wake" }), { coalesced: false })
  })

  const observe = Effect.fnUntraced(function* ({ config }: WorkflowDefinition) {
    const now = yield* Clock.currentTimeMillis
    const seen = yield* tracker.snapshot
    const observation: Observation = {
      tracker: seen,
      policy: policyFrom(config),
      memorySlots: yield* memory.slots(config, Object.values(state.runs).filter(holdsSlot).length),
      busy: new Set(busy),
      kept: kept.at(now),
      obstacle: stopping
        ? "symphony is stopping"
        : seen.outage === null
          ? null
          : `the tracker cannot be read: ${seen.outage}`
    }
    return observation
  })

  const first: SchedulerView = {
    state,
    observation: yield* observe(yield* workflow.current),
    problems,
    at: yield* Clock.currentTimeMillis
  }
  const views = yield* SubscriptionRef.make(first)

  // ── one step ──────────────────────────────────────────────────────────────────────────────────────

  const noteMissing = (observation: Observation, now: number): void => {
    const missing = missingNow(state, observation)
    for (const issue of missingSince.keys()) if (!missing.has(issue)) missingSince.delete(issue)
    for (const issue of missing) {
      // A clock that was set back must not make it wait.
      if ((missingSince.get(issue) ?? Infinity) > now) missingSince.set(issue, now)
    }
  }

  const publish = (observation: Observation, now: number) =>
    SubscriptionRef.set(views, {
      state,
      observation,
      problems: [...problems, ...exhaustionProblems(state.exhaustion)],
      at: now
    })

  const schedule = Effect.fnUntraced(function* (now: number) {
    const due = Math.min(nextDue(state, missingSince, now) ?? Infinity, ...kept.due(now))
    if (due === Infinity) return yield* FiberHandle.clear(timer)
    const wait = Math.min(due - now, Duration.toMillis(LONGEST_SLEEP))
    yield* FiberHandle.run(
      timer,
      Effect.sleep(Duration.millis(wait)).pipe(Effect.andThen(wake), Effect.asVoid)
    )
  })

  const compactWhenLong = Effect.gen(function* () {
    if ((yield* journal.length) < compactAfter) return
    yield* journal
      .compact(snapshotOf(state))
      .pipe(Effect.catch((error) => Effect.logWarning("journal is not compacted", error)))
  })

  const journalFailed = Effect.fnUntraced(function* (draft: Draft, error: JournalError) {
    yield* Effect.logError("the journal cannot be written; nothing takes effect until it can", error)
    problems = [
      {
        source: "journal",
        severity: "error",
        where: error.path,
        message: error.detail,
        hint: error.hint ?? "free some space; symphony goes on by itself"
      }
    ]
    postponed = draft.postponed
    yield* Effect.forEach(draft.setbacks, (setback) => setback(error), { discard: true })
    yield* FiberHandle.run(timer, Effect.sleep(JOURNAL_RETRY).pipe(Effect.andThen(wake), Effect.asVoid))
  })

  /** Takes inputs, writes down what follows from them, and only then lets it take effect. */
  const step = Effect.fnUntraced(function* (fresh: ReadonlyArray<Input>) {
    wakePending = false
    const batch = [...postponed, ...fresh]
    postponed = []
    const now = yield* Clock.currentTimeMillis
    for (const input of batch) {
      if (
        input._tag === "Relocated" ||
        input._tag === "CleanedUp" ||
        input._tag === "Redelivered" ||
        input._tag === "Swept"
      ) {
        busy.delete(input.issue)
      }
      if (input._tag === "CleanedUp") kept.note(input.issue, input.removed, now)
      if (input._tag === "Stop") stopping = true
    }
    const definition = yield* workflow.current
    const observation = yield* observe(definition)
    noteMissing(observation, now)
    const draft = newDraft(state)
    const moment = { observation, definition, settingsOf, at: now }
    for (const input of batch) apply(draft, input, moment)
    settle(draft, observation, missingSince, now)
    if (draft.events.length > 0) {
      const written = yield* Effect.result(journal.append(draft.events.map(entryOf)))
      if (written._tag === "Failure") {
        yield* journalFailed(draft, written.failure)
        return yield* publish({ ...observation, obstacle: written.failure.message }, now)
      }
      problems = []
    }
    yield* Effect.forEach(draft.events, (event) => logEnd(state, event), { discard: true })
    state = draft.state
    for (const run of settings.keys()) if (state.runs[run] === undefined) settings.delete(run)
    // Before the answers: an agent that is told "done" must find its run knowing so.
    yield* Effect.forEach(draft.acts, (act) => perform(act, definition), { discard: true })
    yield* Effect.forEach(draft.answers, (answer) => answer, { discard: true })
    yield* publish(yield* observe(definition), now)
    yield* schedule(now)
    yield* compactWhenLong
  })

  // ── life ──────────────────────────────────────────────────────────────────────────────────────────

  const booted: SchedulerEvent = {
    _tag: "Booted",
    at: yield* Clock.currentTimeMillis,
    epoch: state.epoch + 1
  }
  state = evolve(state, booted)
  const asked = failedHandoffs(state, first.observation, booted.at)
  yield* journal.append([booted, ...asked].map(entryOf))

  /** The loop and what feeds it: when one of them dies, the program must not go on without it. */
  const vital = yield* FiberSet.make<never, never>()
  yield* FiberSet.run(vital, Queue.takeAll(inputs).pipe(Effect.flatMap(step), Effect.forever))

  const shutdown = Effect.gen(function* () {
    const done = yield* Deferred.make<void>()
    yield* Queue.offer(inputs, { _tag: "Stop", done })
    yield* Deferred.await(done).pipe(
      Effect.andThen(runs.awaitEmpty),
      Effect.raceFirst(hurry),
      Effect.timeoutOption(SHUTDOWN_GRACE)
    )
    yield* runs.interruptAll
  })
  // Registered after the loop, so that it runs before the loop is interrupted.
  yield* Effect.addFinalizer(() => shutdown)

  // That it failed is in the snapshot.
  const refresh = Effect.andThen(Effect.ignore(tracker.refresh), wake)
  /** At once, then once an interval; another interval counts from when it is set. */
  const poll = workflow.changes.pipe(
    Stream.map(({ config }) => config.polling.intervalMs),
    Stream.changes,
    Stream.switchMap((millis) => Stream.tick(millis)),
    Stream.runForEach(() => refresh),
    Effect.andThen(Effect.never)
  )

  const atStart = yield* workflow.current
  const acts = [...recoveryActs(state), ...asked.flatMap((event) => actsOf(event, state))]
  yield* Effect.forEach(acts, (act) => perform(act, atStart), { discard: true })
  const known = new Set(Object.values(state.issues).map(({ identifier }) => identifier))
  const found = (yield* runs.workspaces(atStart)).filter(({ identifier }) => !known.has(identifier))
  if (found.length > 0) yield* Queue.offer(inputs, { _tag: "Found", workspaces: found })
  yield* FiberSet.run(vital, poll)
  yield* FiberSet.run(
    vital,
    tracker.changes.pipe(
      Stream.runForEach(() => wake),
      Effect.andThen(Effect.never)
    )
  )
  yield* FiberSet.run(
    vital,
    workflow.changes.pipe(
      Stream.drop(1),
      Stream.runForEach(() => Queue.offer(inputs, { _tag: "Settings" })),
      Effect.andThen(Effect.never)
    )
  )

  const command = Effect.fn("Scheduler.command")(function* (what: OperatorCommand) {
    if (stopping) {
      return yield* new CommandRefused({ reason: "stopping", message: "symphony is stopping" })
    }
    const reply = yield* Deferred.make<void, CommandRefused>()
    yield* Queue.offer(inputs, { _tag: "Command", command: what, reply })
    return yield* Deferred.await(reply)
  })

  return Context.make(
    Scheduler,
    Scheduler.of({
      view: SubscriptionRef.get(views),
      views: SubscriptionRef.changes(views).pipe(Stream.buffer({ capacity: 1, strategy: "sliding" })),
      command,
      refresh,
      shutdown,
      died: Effect.andThen(FiberSet.join(vital), Effect.never)
    })
  ).pipe(Context.add(RunSignals, makeRunSignals({ inputs, remembered, runs, settingsOf, workflow })))
})

/** The loop and the way up for agents: two faces of one state. */
export const layerWith = (
  options: SchedulerOptions
): Layer.Layer<Scheduler | RunSignals, JournalError, Journal | Tracker | Workflow | Runs> =>
  Layer.effectContext(make(options))

export const layer = layerWith({ compactAfter: 2_000 })

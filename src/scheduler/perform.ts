import { Deferred, Effect, FiberMap, Queue } from "effect"
import type { Identifier, IssueId, RunId } from "../domain/ids.ts"
import type { Tracker } from "../tracker/Tracker.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import type { Act } from "./acts.ts"
import { relocateUntilKnown } from "./chores.ts"
import type { Input } from "./draft.ts"
import type { RunFenced, RunReport, Runs } from "./Runs.ts"
import { issueOf, type SchedulerState } from "./state.ts"

interface World {
  readonly inputs: Queue.Queue<Input>
  readonly runs: Runs["Service"]
  readonly tracker: Tracker["Service"]
  /** The scheduler's memory at the moment of the act. */
  readonly remembered: () => SchedulerState
}

/**
 * Carries out what follows from events that are durable. None of it is waited for; what comes of it comes back as an
 * input. What is under way belongs to the scope.
 */
export const makePerformer = Effect.fnUntraced(function* ({ inputs, remembered, runs, tracker }: World) {
  const chores = yield* FiberMap.make<IssueId, void, never>()
  /** Issues that we are moving or cleaning up after right now. */
  const busy = new Set<IssueId>()
  /** The settings that each live run started with. */
  const settings = new Map<RunId, WorkflowDefinition>()

  const report = (run: RunId) => (what: RunReport) =>
    Effect.gen(function* () {
      const reply = yield* Deferred.make<void, RunFenced>()
      yield* Queue.offer(inputs, { _tag: "Report", run, report: what, reply })
      return yield* Deferred.await(reply)
    })

  const startRun = Effect.fnUntraced(function* (
    act: Extract<Act, { readonly _tag: "Start" }>,
    definition: WorkflowDefinition
  ) {
    const { record, recovering } = act
    settings.set(record.run, definition)
    const memory = issueOf(remembered(), record.issue)
    const last = memory?.history.at(-1)?.outcome
    const goesOn = record.kind === "continuation" || record.kind === "reply"
    yield* Effect.logInfo(recovering ? "run recovered" : "run started").pipe(
      Effect.annotateLogs({
        issue_id: record.issue,
        issue_identifier: record.identifier,
        run: record.run,
        ...(record.session === null ? {} : { session_id: record.session }),
        attempt: record.attempt,
        kind: record.kind
      })
    )
    yield* runs.start(
      {
        record,
        workflow: definition,
        steering: memory?.steering ?? null,
        answered: memory?.answered ?? null,
        resumeSession: goesOn ? (memory?.session ?? null) : null,
        resumeCost: memory?.runningCost ?? null,
        lastFailure: last?._tag === "Failed" ? last.message : null,
        recovering
      },
      report(record.run)
    )
  })

  const relocateAndTell = (act: Extract<Act, { readonly _tag: "Relocate" }>) =>
    Effect.gen(function* () {
      const where = yield* relocateUntilKnown(tracker, act)
      yield* Queue.offer(inputs, {
        _tag: "Relocated",
        issue: act.issue,
        state: where,
        scan: yield* tracker.lastScan
      })
    })

  const cleanUp = (act: Extract<Act, { readonly _tag: "CleanUp" }>, definition: WorkflowDefinition) =>
    Effect.gen(function* () {
      const removed = yield* runs.cleanUp(act.record, definition)
      yield* Queue.offer(inputs, { _tag: "CleanedUp", issue: act.record.id, removed })
    })

  const redeliver = (act: Extract<Act, { readonly _tag: "Redeliver" }>, definition: WorkflowDefinition) =>
    Effect.gen(function* () {
      const result = yield* runs.redeliver(act.record, definition)
      yield* Queue.offer(inputs, { _tag: "Redelivered", issue: act.record.id, result })
    })

  const forget = (act: Extract<Act, { readonly _tag: "Forget" }>, definition: WorkflowDefinition) =>
    Effect.gen(function* () {
      yield* runs.forget(act.record, definition)
      yield* Queue.offer(inputs, { _tag: "Swept", issue: act.record.id })
    })

  /** What is done for an issue that no run is working on: one at a time, and logged as the issue's. */
  const chore = (issue: IssueId, identifier: Identifier, effect: Effect.Effect<void>) => {
    busy.add(issue)
    const annotated = Effect.annotateLogs(effect, { issue_id: issue, issue_identifier: identifier })
    return Effect.asVoid(FiberMap.run(chores, issue, annotated))
  }

  /** By the settings that it was decided by. */
  const perform = (act: Act, definition: WorkflowDefinition): Effect.Effect<void> => {
    switch (act._tag) {
      case "Start":
        return startRun(act, definition)
      case "Tell":
        return runs.tell(act.run, act.message)
      case "Relocate":
        return chore(act.issue, act.identifier, relocateAndTell(act))
      case "CleanUp":
        return chore(act.record.id, act.record.identifier, cleanUp(act, definition))
      case "Redeliver":
        return chore(act.record.id, act.record.identifier, redeliver(act, definition))
      case "Forget":
        return chore(act.record.id, act.record.identifier, forget(act, definition))
    }
  }

  return { busy, perform, settings }
})

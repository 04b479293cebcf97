import { Clock, Console, Effect, Ref, Stream } from "effect"
import { printableLine } from "../domain/printable.ts"
import type { RunOutcome } from "../domain/Outcome.ts"
import { Scheduler } from "../scheduler/Scheduler.ts"
import { emptyState, type IssueRecord, type RunRecord, type SchedulerState } from "../scheduler/state.ts"

const endOf = (outcome: RunOutcome): string => {
  switch (outcome._tag) {
    case "Completed":
      return `is in ${outcome.state}`
    case "Continue":
      return "ended its session without a signal; it goes on"
    case "Waiting":
      return "gave its slot back while it waits for a human"
    case "Failed":
      return `failed: ${printableLine(outcome.message)}`
    case "Cancelled":
      return `was stopped (${outcome.reason})`
  }
}

const runLines = (before: RunRecord | undefined, run: RunRecord): ReadonlyArray<string> => [
  ...(before === undefined ? [`starts, run ${run.attempt} (${run.kind})`] : []),
  ...(run.session !== null && before?.session == null ? ["has an agent"] : []),
  ...(run.done !== null && before?.done == null ? [`says it is done: ${printableLine(run.done.title)}`] : []),
  ...(run.handoff?.patch != null && before?.handoff == null
    ? [`is verified and handed over: ${run.handoff.patch}`]
    : [])
]

const issueLines = (before: IssueRecord | undefined, issue: IssueRecord): ReadonlyArray<string> => {
  const known = before?.history.length ?? 0
  const asked = issue.steering !== null && issue.steering.question !== before?.steering?.question
  const answered = issue.steering?.reply != null && before?.steering?.reply == null
  return [
    ...(asked ? [`asks: ${printableLine(issue.steering?.text ?? "")}`] : []),
    ...(answered ? ["has its answer"] : []),
    ...issue.history.slice(known).map((attempt) => endOf(attempt.outcome)),
    ...(issue.hold !== null && before?.hold == null
      ? [`is stopped: ${printableLine(issue.hold.message)}`]
      : []),
    ...(issue.retry?.kind === "retry" && before?.retry?.dueAt !== issue.retry.dueAt
      ? ["is tried again soon"]
      : [])
  ]
}

/** What happened between two states of the scheduler, a line each. */
export const differences = (before: SchedulerState, after: SchedulerState): ReadonlyArray<string> => [
  ...Object.values(after.runs).flatMap((run) =>
    runLines(before.runs[run.run], run).map((line) => `${run.identifier}  ${line}`)
  ),
  ...Object.values(after.issues).flatMap((issue) =>
    issueLines(before.issues[issue.id], issue).map((line) => `${issue.identifier}  ${line}`)
  )
]

/** Prints what happens as it happens, with the seconds since the start, which began with nothing. */
export const narrate = Effect.gen(function* () {
  const scheduler = yield* Scheduler
  const start = yield* Clock.currentTimeMillis
  const last = yield* Ref.make(emptyState)
  yield* scheduler.views.pipe(
    Stream.runForEach((view) =>
      Effect.gen(function* () {
        const before = yield* Ref.getAndSet(last, view.state)
        const seconds = ((view.at - start) / 1000).toFixed(1).padStart(6)
        for (const line of differences(before, view.state)) yield* Console.log(`${seconds}s  ${line}`)
      })
    )
  )
})

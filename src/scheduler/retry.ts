import { Duration } from "effect"
import type { FailedOutcome, RunOutcome } from "../domain/Outcome.ts"
import { roleOf } from "../domain/State.ts"
import type { NextStep } from "./events.ts"
import { countsAsFailure, countsAsSession, rateLimitsInARow, statesReset } from "./failures.ts"
import type { Policy } from "./policy.ts"
import type { IssueRecord, RunRecord } from "./state.ts"

export const CONTINUATION_DELAY = Duration.seconds(1)
export const FIRST_BACKOFF = Duration.seconds(10)
/** Waiting for a rate limit without a stated reset: twice as long each time. */
export const RATE_LIMIT_DELAY = Duration.minutes(1)
export const LONGEST_UNSTATED_WAIT = Duration.hours(1)
/** Longer than the window of any plan: a stated reset further away is not believed at once, look again after it. */
export const LONGEST_RATE_LIMIT_WAIT = Duration.days(8)

/** The reason of a run whose agent is done and whose work is kept, but did not get out. */
export const HANDOFF_FAILED = "handoff_failed"

/** Milliseconds before the n-th retry in a row, from 1: `min(10 s · 2^(n−1), cap)`. */
export const backoff = (n: number, capMs: number): number =>
  Math.min(Duration.toMillis(FIRST_BACKOFF) * 2 ** Math.min(Math.max(n, 1) - 1, 30), capMs)

const rateLimitWait = (issue: IssueRecord, outcome: FailedOutcome, policy: Policy, now: number): number => {
  if (outcome.resetAt !== null && statesReset(outcome, now)) {
    // A reset that is always just ahead must not start a run each second.
    const soonest = backoff(rateLimitsInARow(issue.history, true) + 1, policy.maxRetryBackoffMs)
    return Math.min(Math.max(outcome.resetAt - now, soonest), Duration.toMillis(LONGEST_RATE_LIMIT_WAIT))
  }
  return Math.min(
    Duration.toMillis(RATE_LIMIT_DELAY) * 2 ** rateLimitsInARow(issue.history, false),
    Duration.toMillis(LONGEST_UNSTATED_WAIT)
  )
}

const tooManySessions = (issue: IssueRecord): NextStep => ({
  _tag: "Hold",
  reason: "sessions",
  message: `${issue.sessions + 1} sessions ended without the agent saying that it is done`
})

const failed = (
  issue: IssueRecord,
  run: RunRecord,
  outcome: FailedOutcome,
  policy: Policy,
  now: number
): NextStep => {
  const again = (dueAt: number): NextStep => ({
    _tag: "Retry",
    kind: "retry",
    attempt: (run.retryAttempt ?? 0) + 1,
    dueAt,
    class: outcome.class,
    error: outcome.message
  })
  if (outcome.reason === HANDOFF_FAILED) {
    return { _tag: "Hold", reason: "handoff", message: outcome.message }
  }
  if (outcome.class === "configuration")
    return { _tag: "Hold", reason: "configuration", message: outcome.message }
  const failures = issue.failures + 1
  if (
    countsAsFailure(issue.history, outcome, run.session !== null, now) &&
    policy.breakerThreshold > 0 &&
    failures >= policy.breakerThreshold
  ) {
    const message = `${failures} runs failed in a row; the last one: ${outcome.message}`
    return { _tag: "Hold", reason: "breaker", message }
  }
  if (countsAsSession(outcome, run.session !== null) && issue.sessions + 1 >= policy.maxSessions)
    return tooManySessions(issue)
  return again(
    now +
      (outcome.class === "rate_limit"
        ? rateLimitWait(issue, outcome, policy, now)
        : backoff(failures, policy.maxRetryBackoffMs))
  )
}

/** What follows the end of a run. Each failure in a row counts, whatever its reason. */
export const afterRun = (
  issue: IssueRecord,
  run: RunRecord,
  outcome: RunOutcome,
  policy: Policy,
  now: number
): NextStep => {
  switch (outcome._tag) {
    case "Completed":
      return run.done?.signal === "transition" &&
        roleOf(policy.states, outcome.state) === "active" &&
        issue.sessions + 1 >= policy.maxSessions
        ? tooManySessions(issue)
        : { _tag: "None" }
    case "Waiting":
      return { _tag: "None" }
    case "Continue":
      return issue.sessions + 1 >= policy.maxSessions
        ? tooManySessions(issue)
        : {
            _tag: "Retry",
            kind: "continuation",
            attempt: 1,
            dueAt: now + Duration.toMillis(CONTINUATION_DELAY),
            class: null,
            error: null
          }
    case "Failed":
      return failed(issue, run, outcome, policy, now)
    case "Cancelled":
      return outcome.reason === "shutdown"
        ? {
            _tag: "Retry",
            kind: "continuation",
            attempt: run.retryAttempt ?? 1,
            dueAt: now,
            class: null,
            error: null
          }
        : { _tag: "None" }
  }
}

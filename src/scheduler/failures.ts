import type { FailedOutcome, RunOutcome } from "../domain/Outcome.ts"

/** The reason of a run that met a machine with no space, memory, processes or open files left. */
export const MACHINE_EXHAUSTED = "machine_exhausted"
/** The reason of a run whose issue could not be read when it was to begin. */
export const TRACKER_UNREADABLE = "tracker_unreadable"
/** The reason of a run whose process ended under it. */
export const INTERRUPTED = "interrupted"

/** What an ended run left, oldest first. */
type History = ReadonlyArray<{ readonly endedAt: number; readonly outcome: RunOutcome }>

/**
 * Rate limits in a row without a stated reset that are waited for. With their waits that is five hours, the window
 * of the plans that agents are used with; what lasts longer is as likely no limit at all, and counts as failures do.
 */
export const PATIENT_RATE_LIMITS = 10

/** A reset that is over when it is stated says nothing. */
export const statesReset = (outcome: FailedOutcome, endedAt: number): boolean =>
  outcome.resetAt !== null && outcome.resetAt > endedAt

/** The newest attempts in a row that ended by rate limits, stated or not. */
export const rateLimitsInARow = (history: History, stated: boolean): number => {
  const other = history.findLastIndex(
    ({ endedAt, outcome }) =>
      outcome._tag !== "Failed" || outcome.class !== "rate_limit" || statesReset(outcome, endedAt) !== stated
  )
  return history.length - 1 - other
}

/**
 * Whether a failed run counts as a session that ended without a signal. The end of our process is not the issue's
 * fault; what had come as far as a session is bounded as sessions are, in case the issue is what ends us.
 */
export const countsAsSession = (outcome: FailedOutcome, hadSession: boolean): boolean =>
  outcome.reason === INTERRUPTED && hadSession

/** Before an agent has begun, and of any issue: it is put off. */
const saysNothingOfTheIssue = ({ reason }: FailedOutcome): boolean =>
  reason === MACHINE_EXHAUSTED || reason === TRACKER_UNREADABLE

/** Whether a failed run counts towards the breaker. */
export const countsAsFailure = (
  history: History,
  outcome: FailedOutcome,
  hadSession: boolean,
  now: number
): boolean => {
  if (saysNothingOfTheIssue(outcome) || countsAsSession(outcome, hadSession)) return false
  switch (outcome.class) {
    case "configuration":
      return false
    case "rate_limit":
      return !statesReset(outcome, now) && rateLimitsInARow(history, false) >= PATIENT_RATE_LIMITS
    case "agent":
    case "infrastructure":
      return true
  }
}

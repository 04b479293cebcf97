import { Schema } from "effect"
import { QuestionId } from "./ids.ts"

/**
 * Who has to act on a failure. `agent`: the agent did not do its work; `infrastructure`: ours or the
 * machine's fault; `rate_limit`: wait until the stated reset; `configuration`: do not retry until the input
 * changes.
 */
export const FailureClass = Schema.Literals(["agent", "infrastructure", "rate_limit", "configuration"])
export type FailureClass = typeof FailureClass.Type

/** Why a run was ended from outside. */
export const CancelReason = Schema.Literals([
  "moved_to_terminal",
  "moved_to_inactive",
  "issue_missing",
  "operator_stop",
  "shutdown"
])
export type CancelReason = typeof CancelReason.Type

/** How a run ended: the only thing a run tells the scheduler about its end. */
export const RunOutcome = Schema.TaggedUnion({
  /** Signalled by the agent, verified, handed off and moved. */
  Completed: { state: Schema.String },
  /** The turns of a session were used up, or the issue is still active after a clean end: go on. */
  Continue: { reason: Schema.Literals(["max_turns", "no_signal"]) },
  /** The question outlived `agent.steering_hold_ms`; the reply dispatches anew. */
  Waiting: { question: QuestionId },
  Failed: {
    class: FailureClass,
    /** Stable, for programs: `stall_timeout`, `agent_exit`, `hook_failed`, … */
    reason: Schema.String,
    /** For people: what happened and what to do. */
    message: Schema.String,
    /** Epoch milliseconds; only for `rate_limit`. */
    resetAt: Schema.NullOr(Schema.Number)
  },
  Cancelled: { reason: CancelReason }
})
export type RunOutcome = typeof RunOutcome.Type
/** Why it ended so, in a word that stays the same. */
export const reasonOf = (outcome: RunOutcome): string => {
  switch (outcome._tag) {
    case "Completed":
      return outcome.state
    case "Waiting":
      return outcome.question
    case "Continue":
    case "Failed":
    case "Cancelled":
      return outcome.reason
  }
}

/** Why a run ended, for people. */
export const outcomeDetail = (outcome: RunOutcome): string => {
  switch (outcome._tag) {
    case "Completed":
      return `moved to ${outcome.state}`
    case "Continue":
      return outcome.reason === "max_turns" ? "used up its turns" : "ended without a signal"
    case "Waiting":
      return "waits for an answer"
    case "Failed":
      return `${outcome.reason}: ${outcome.message}`
    case "Cancelled":
      return outcome.reason.replaceAll("_", " ")
  }
}

/** How a run ended and why, for people. */
export const outcomeText = (outcome: RunOutcome): string =>
  `${outcome._tag.toLowerCase()}: ${outcomeDetail(outcome)}`

export type FailedOutcome = Extract<RunOutcome, { _tag: "Failed" }>

/** What a failed stage of a run raises; becomes `RunOutcome.Failed`. */
export class RunFailure extends Schema.TaggedError<RunFailure>()("RunFailure", {
  class: FailureClass,
  reason: Schema.String,
  message: Schema.String,
  resetAt: Schema.NullOr(Schema.Number)
}) {}

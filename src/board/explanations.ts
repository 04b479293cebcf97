import { DateTime } from "effect"
import type { CancelReason } from "../domain/Outcome.ts"
import type { Explanation } from "../scheduler/eligibility.ts"
import type { IssueRecord } from "../scheduler/state.ts"
import type { Status } from "./Board.ts"

const clock = (at: number): string => `${DateTime.formatIso(DateTime.makeUnsafe(at)).slice(0, 19)}Z`

const cancelText = (reason: CancelReason): string =>
  reason === "operator_stop" ? "an operator asked for it" : reason.replaceAll("_", " ")

/** How an adapter that was stopped is started again, after what stopped it was mended. */
export const UNBLOCKING =
  "then retry an issue of it (on its page, or POST /api/v1/issues/<identifier>/retry), or POST /api/v1/resume"

/** The sentence for the one reason. The same on page, API and command line. */
export const textOf = (why: Explanation): string => {
  switch (why._tag) {
    case "Running":
      return why.run.cancel === null || why.run.conclusion !== null
        ? `${why.run.stage}, run ${why.run.attempt}`
        : `stopping: ${cancelText(why.run.cancel)}`
    case "Finished":
      return `closed: it is in ${why.state}`
    case "ForReview":
      return `handed over: it is in ${why.state}`
    case "Proposed":
      return `proposed by the agent of ${why.by}: approve or discard it`
    case "NotActive":
      return `${why.state} is not a state that issues are started from`
    case "Held":
      return why.message
    case "WaitingForHuman":
      return why.question
    case "Moving":
      return `is being moved to ${why.to}`
    case "MissingLabels":
      return `lacks the label ${why.labels.join(", ")}`
    case "Blocked":
      return why.cycle
        ? `blocked by ${why.by.join(", ")} for ever: issues block each other in a circle, break it by hand`
        : `blocked by ${why.by.join(", ")}`
    case "AdapterBlocked":
      return `the adapter ${why.adapter} cannot work: ${why.message}; ${UNBLOCKING}`
    case "Backoff":
      return `next try at ${clock(why.until)}${why.error === null ? "" : `, after: ${why.error}`}`
    case "RateLimited":
      return `rate limit: waits until ${clock(why.until)}`
    case "Obstacle":
      return why.message
    case "Paused":
      return `symphony is ${why.mode}`
    case "StateCap":
      return `all ${why.cap} slots of ${why.state} are in use`
    case "GlobalCap":
      return `all ${why.cap} slots are in use`
    case "MemoryCap":
      return "the host has no memory left for another sandbox"
    case "Ready":
      return "starts now"
  }
}

/** The word for an issue. */
export const statusOf = (why: Explanation, record: IssueRecord | undefined): Status => {
  switch (why._tag) {
    case "Running":
      return record?.steering != null && record.steering.reply === null && record.hold === null
        ? "needs you"
        : "working"
    case "WaitingForHuman":
      return "needs you"
    case "Held":
      return why.reason === "handoff" ? "needs you" : "stopped"
    case "AdapterBlocked":
    case "NotActive":
      return "stopped"
    case "Finished":
      return "closed"
    case "ForReview":
      return "ready for review"
    case "Proposed":
      return "needs you"
    case "Moving":
      return "working"
    default:
      return "waiting"
  }
}

import type { Issue } from "../domain/Issue.ts"
import { claimability, type Observation } from "./eligibility.ts"
import { isAhead } from "./isAhead.ts"
import { issueOf, type SchedulerState } from "./state.ts"

/** Why a retry by hand would change nothing about an issue, in words; null when it would. */
export const retryIsInVain = (
  state: SchedulerState,
  observation: Observation,
  issue: Issue,
  now: number
): string | null => {
  const record = issueOf(state, issue.id)
  const retry = record?.retry ?? null
  const claim = claimability(state, observation, issue, now)
  switch (claim._tag) {
    case "Held":
    case "WaitingForHuman":
    case "AdapterBlocked":
    case "Backoff":
    case "RateLimited":
      return null
    case "Running":
      // Stopped, and still at its end: a retry lifts the hold.
      return record?.hold == null ? `its run ${claim.run.run} is under way` : null
    case "Finished":
    case "ForReview":
      return `it is finished and lies in ${claim.state}; move it to a state that issues are started from`
    case "NotActive":
      return `it lies in ${claim.state}; move it to a state that issues are started from`
    case "Proposed":
      return `the agent of ${claim.by} proposes it; approve it, and it is started`
    case "Moving":
      return "it is being moved or cleaned up after"
    case "MissingLabels":
    case "Blocked":
      // Behind what blocks it, its wait is still there to be ended.
      return retry !== null && isAhead(retry.since, retry.dueAt, now)
        ? null
        : claim._tag === "Blocked"
          ? `it waits for ${claim.by.join(", ")}, and starts by itself`
          : `it lacks the label ${claim.labels.join(", ")}`
    default:
      return "it is neither held nor does it wait for a moment: it starts by itself as soon as it can"
  }
}

import { Duration } from "effect"
import type { IssueId, RunId } from "../domain/ids.ts"
import type { Issue } from "../domain/Issue.ts"
import type { CancelReason } from "../domain/Outcome.ts"
import { parkingState, roleOf, sameState } from "../domain/State.ts"
import {
  admit,
  capacityObstacle,
  capacityOf,
  claimability,
  dispatchOrder,
  explain,
  isMovedOn,
  isPaused,
  keepsSlot,
  type Observation,
  observed,
  obstacleTo
} from "./eligibility.ts"
import type { RunKind } from "./events.ts"
import { adapterFor, workingState } from "./policy.ts"
import { type IssueRecord, liveRunOf, parks, type RunRecord, type SchedulerState } from "./state.ts"

/** What is to be done now, each with the reason why. */
export type Decision =
  | {
      readonly _tag: "StartRun"
      readonly issue: Issue
      readonly kind: RunKind
      readonly retryAttempt: number | null
      readonly adapter: string
      readonly reason: string
    }
  | {
      readonly _tag: "CancelRun"
      readonly run: RunId
      readonly cancel: CancelReason
      readonly reason: string
    }
  | { readonly _tag: "TrackState"; readonly run: RunId; readonly state: string; readonly reason: string }
  | {
      readonly _tag: "Park"
      readonly issue: Issue
      readonly to: string
      readonly reason: string
    }
  | { readonly _tag: "LiftHold"; readonly issue: IssueId; readonly reason: string }
  | { readonly _tag: "DropRetry"; readonly issue: IssueId; readonly reason: string }
  | { readonly _tag: "WithdrawQuestion"; readonly issue: IssueId; readonly reason: string }
  | { readonly _tag: "RemoveWorkspace"; readonly record: IssueRecord; readonly reason: string }
  | { readonly _tag: "Forget"; readonly record: IssueRecord; readonly reason: string }

/**
 * How long an issue's file may be away before its run is ended: some editors move the file aside and write
 * a new one.
 */
export const MISSING_GRACE = Duration.millis(1500)

/** Records of finished issues that are kept for people to look at. */
export const KEPT_FINISHED = 500

/** Since when (epoch milliseconds) the file of a run's issue has not been seen. */
export type MissingSince = ReadonlyMap<IssueId, number>

/** Whether what the agent does still matters: it has not signalled, was not cancelled and has not concluded. */
const isOpenEnded = (run: RunRecord): boolean =>
  run.done === null && run.cancel === null && run.conclusion === null

const isGone = (missingSince: MissingSince, issue: IssueId, now: number): boolean => {
  const since = missingSince.get(issue)
  return since !== undefined && now - since >= Duration.toMillis(MISSING_GRACE)
}

const reconcileRun = (
  state: SchedulerState,
  observation: Observation,
  missingSince: MissingSince,
  now: number,
  run: RunRecord
): Decision | undefined => {
  const cancel = (reason: CancelReason, why: string): Decision => ({
    _tag: "CancelRun",
    run: run.run,
    cancel: reason,
    reason: why
  })
  const issue = observed(state, observation, run.issue)
  if (issue === undefined) {
    return isGone(missingSince, run.issue, now) ? cancel("issue_missing", "its file is gone") : undefined
  }
  const role = roleOf(observation.policy.states, issue.state)
  if (role === "terminal") return cancel("moved_to_terminal", `it was moved to ${issue.state}`)
  if (role === "holding") return cancel("moved_to_inactive", `it was moved to ${issue.state}`)
  const missing = observation.policy.requiredLabels.filter((label) => !issue.labels.includes(label))
  if (missing.length > 0) return cancel("moved_to_inactive", `it lost the label ${missing.join(", ")}`)
  return sameState(issue.state, run.state)
    ? undefined
    : { _tag: "TrackState", run: run.run, state: issue.state, reason: `it was moved to ${issue.state}` }
}

const reconcileHold = (
  state: SchedulerState,
  observation: Observation,
  record: IssueRecord
): Decision | undefined => {
  const hold = record.hold
  if (hold === null) return undefined
  const issue = observed(state, observation, record.id)
  if (issue === undefined || liveRunOf(state, record.id) !== undefined) return undefined
  if (record.relocation !== null || observation.busy.has(record.id)) return undefined
  const role = roleOf(observation.policy.states, issue.state)
  const isMoved: Decision = {
    _tag: "LiftHold",
    issue: record.id,
    reason: `it was moved to ${issue.state}`
  }
  if (parks(hold.reason) && hold.parkedIn === null) {
    return role === "active"
      ? {
          _tag: "Park",
          issue,
          to: parkingState(observation.policy.states),
          reason: hold.message
        }
      : isMoved
  }
  if (isMovedOn(hold, issue)) return isMoved
  return hold.contentHash !== null && hold.contentHash !== issue.contentHash
    ? { _tag: "LiftHold", issue: record.id, reason: "its text was changed" }
    : undefined
}

const reconcileRecord = (
  state: SchedulerState,
  observation: Observation,
  missingSince: MissingSince,
  now: number,
  record: IssueRecord
): Decision | undefined => {
  if (record.retry === null && record.steering === null && record.workspace === null) return undefined
  if (liveRunOf(state, record.id) !== undefined || record.relocation !== null) return undefined
  if (observation.busy.has(record.id)) return undefined
  const issue = observed(state, observation, record.id)
  if (issue === undefined) {
    return record.retry !== null && isGone(missingSince, record.id, now)
      ? { _tag: "DropRetry", issue: record.id, reason: "its file is gone" }
      : undefined
  }
  const role = roleOf(observation.policy.states, issue.state)
  if (record.retry !== null && role !== "active") {
    return { _tag: "DropRetry", issue: record.id, reason: `it is in ${issue.state}` }
  }
  if (role !== "terminal") return undefined
  if (record.steering !== null) {
    return { _tag: "WithdrawQuestion", issue: record.id, reason: "it is finished" }
  }
  const isOut = record.handoff !== null && record.handoff.verdict !== "none"
  const isWanted = record.hold?.reason === "handoff" || (!isOut && !observation.policy.handsOver)
  if (record.workspace !== null && !isWanted && !observation.kept.has(record.id)) {
    return { _tag: "RemoveWorkspace", record, reason: "it is finished" }
  }
  return undefined
}

/** Finished or vanished issues beyond what is kept, the longest finished first. */
const forgettable = (state: SchedulerState, observation: Observation): ReadonlyArray<Decision> => {
  if (Object.keys(state.issues).length <= KEPT_FINISHED) return []
  const idle = Object.values(state.issues).filter((record) => {
    if (liveRunOf(state, record.id) !== undefined || record.relocation !== null) return false
    const issue = observed(state, observation, record.id)
    return issue === undefined
      ? record.workspace === null && observation.tracker.unreadable.size === 0
      : roleOf(observation.policy.states, issue.state) === "terminal" && record.workspace === null
  })
  const endedAt = (record: IssueRecord): number => record.history.at(-1)?.endedAt ?? 0
  return idle
    .sort((left, right) => endedAt(right) - endedAt(left))
    .slice(KEPT_FINISHED)
    .map((record) => ({
      _tag: "Forget",
      record,
      reason: `more than ${KEPT_FINISHED} are finished`
    }))
}

const dispatch = (state: SchedulerState, observation: Observation, now: number): ReadonlyArray<Decision> => {
  if (obstacleTo(state, observation, now) !== null) return []
  let capacity = capacityOf(state, observation)
  // Nobody is looked for to whom there is nothing to give.
  if (capacity.inUse.total >= observation.policy.maxConcurrent) return []
  const ready = [...observation.tracker.byId.keys()]
    .flatMap((id) => {
      const issue = observed(state, observation, id)
      if (issue === undefined) return []
      const claim = claimability(state, observation, issue, now)
      return claim._tag === "Ready" && !isPaused(state, claim.kind)
        ? [{ issue, kind: claim.kind, retryAttempt: claim.retryAttempt }]
        : []
    })
    .sort(dispatchOrder)
  let memory = observation.memorySlots
  const decisions: Array<Decision> = []
  for (const { issue, kind, retryAttempt } of ready) {
    const keeps = keepsSlot(state, observation, issue)
    if (capacityObstacle(observation, capacity, issue, keeps) !== undefined) continue
    if (memory !== null && memory <= 0) break
    capacity = admit(capacity, observation, issue, keeps)
    if (memory !== null) memory--
    decisions.push({
      _tag: "StartRun",
      issue,
      kind,
      retryAttempt,
      adapter: adapterFor(observation.policy, workingState(observation.policy, issue.state)),
      reason: kind === "first" ? `it is in ${issue.state} and a slot is free` : `${kind} is due`
    })
    // Whether the machine has something to give again, one run finds out.
    if (state.exhaustion !== null) break
  }
  return decisions
}

/** Everything that is to be done now. Looks at the present only, never at how it came about. */
export const decide = (
  state: SchedulerState,
  observation: Observation,
  missingSince: MissingSince,
  now: number
): ReadonlyArray<Decision> => {
  const records = Object.values(state.issues)
  const upkeep = [
    ...Object.values(state.runs)
      .filter(isOpenEnded)
      .map((run) => reconcileRun(state, observation, missingSince, now, run)),
    ...records.map((record) => reconcileHold(state, observation, record)),
    ...records.map((record) => reconcileRecord(state, observation, missingSince, now, record)),
    ...forgettable(state, observation)
  ].filter((decision) => decision !== undefined)
  return [...upkeep, ...dispatch(state, observation, now)]
}

/** Issues that are worked on or to be retried, and whose file is neither listed nor merely unreadable. */
export const missingNow = (state: SchedulerState, observation: Observation): ReadonlySet<IssueId> => {
  const { byId, unreadable } = observation.tracker
  const runs = Object.values(state.runs).filter(
    (run) => isOpenEnded(run) && !byId.has(run.issue) && !unreadable.has(run.fileName)
  )
  // Nothing says what the file of an issue was called that no run is working on.
  const retries = Object.values(state.issues).filter(
    (record) => record.retry !== null && unreadable.size === 0 && !byId.has(record.id)
  )
  return new Set([...runs.map(({ issue }) => issue), ...retries.map(({ id }) => id)])
}

/** The next moment (epoch milliseconds) at which time alone changes a decision; null when nothing is due. */
export const nextDue = (state: SchedulerState, missingSince: MissingSince, now: number): number | null => {
  const due = [
    ...Object.values(state.issues).flatMap((record) =>
      record.retry !== null && record.retry.dueAt > now ? [record.retry.dueAt] : []
    ),
    ...[...missingSince.values()].map((since) => since + Duration.toMillis(MISSING_GRACE)),
    ...(state.exhaustion === null ? [] : [state.exhaustion.until])
  ].filter((time) => time > now)
  return due.length === 0 ? null : Math.min(...due)
}

/** Whether nothing more will happen unless a person, the tracker or the settings change something. */
export const isQuiet = (state: SchedulerState, observation: Observation, now: number): boolean =>
  Object.keys(state.runs).length === 0 &&
  observation.busy.size === 0 &&
  Object.values(state.issues).every((record) => record.relocation === null) &&
  [...observation.tracker.byId.keys()].every((id) => {
    const issue = observed(state, observation, id)
    if (issue === undefined) return true
    switch (explain(state, observation, issue, now)._tag) {
      case "Running":
      case "Moving":
      case "Backoff":
      case "RateLimited":
      case "Ready":
      case "StateCap":
      case "GlobalCap":
      case "MemoryCap":
      case "Obstacle":
        return false
      default:
        return true
    }
  }) &&
  decide(state, observation, new Map(), now).length === 0

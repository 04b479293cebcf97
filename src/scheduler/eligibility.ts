import type { IssueId, RunId } from "../domain/ids.ts"
import { Issue } from "../domain/Issue.ts"
import { policyOf, roleOf, sameState, stateKey } from "../domain/State.ts"
import type { TrackerSnapshot } from "../tracker/Tracker.ts"
import type { RunKind } from "./events.ts"
import { exhaustionObstacle } from "./exhaustion.ts"
import { adapterFor, type Policy, workingState } from "./policy.ts"
import { isAhead } from "./isAhead.ts"
import {
  type Hold,
  holdsSlot,
  type IssueRecord,
  issueOf,
  liveRunOf,
  type RunRecord,
  type SchedulerState
} from "./state.ts"

/** What the rules look at beside the scheduler's own memory. */
export interface Observation {
  readonly tracker: TrackerSnapshot
  readonly policy: Policy
  /** How many more sandboxes the host's memory allows; null when nobody counts. */
  readonly memorySlots: number | null
  /** Issues that we are moving or cleaning up after right now. */
  readonly busy: ReadonlySet<IssueId>
  /** Issues whose workspace could not be removed when we last tried. */
  readonly kept: ReadonlySet<IssueId>
  /** Why nothing may be started at all, such as an unreadable tracker or a full disk; null when all is well. */
  readonly obstacle: string | null
}

/** Exactly one reason why an issue is or is not running. The first that applies, in this order. */
export type Explanation =
  | { readonly _tag: "Running"; readonly run: RunRecord }
  | { readonly _tag: "Finished"; readonly state: string }
  | { readonly _tag: "NotActive"; readonly state: string }
  /** Its last run handed it over here, and nobody has looked at it yet. */
  | { readonly _tag: "ForReview"; readonly state: string }
  /** An agent filed it; a person approves or discards it. */
  | { readonly _tag: "Proposed"; readonly by: string }
  | { readonly _tag: "Held"; readonly reason: string; readonly message: string }
  | { readonly _tag: "WaitingForHuman"; readonly question: string }
  | { readonly _tag: "Moving"; readonly to: string }
  | { readonly _tag: "MissingLabels"; readonly labels: ReadonlyArray<string> }
  /** `cycle`: it never will be, for somewhere behind it issues block each other in a circle. */
  | { readonly _tag: "Blocked"; readonly by: ReadonlyArray<string>; readonly cycle: boolean }
  | { readonly _tag: "AdapterBlocked"; readonly adapter: string; readonly message: string }
  | { readonly _tag: "Backoff"; readonly until: number; readonly error: string | null }
  | { readonly _tag: "RateLimited"; readonly until: number }
  | { readonly _tag: "Obstacle"; readonly message: string }
  | { readonly _tag: "Paused"; readonly mode: "paused" | "draining" }
  | { readonly _tag: "StateCap"; readonly state: string; readonly cap: number }
  | { readonly _tag: "GlobalCap"; readonly cap: number }
  | { readonly _tag: "MemoryCap" }
  | { readonly _tag: "Ready"; readonly kind: RunKind; readonly retryAttempt: number | null }

/**
 * The issue as we know it: a scan that began before our own last move of it does not tell its state.
 * Undefined when the tracker does not hold it.
 */
export const observed = (state: SchedulerState, observation: Observation, id: IssueId): Issue | undefined => {
  const issue = observation.tracker.byId.get(id)
  const move = issueOf(state, id)?.lastMove ?? null
  return issue === undefined ||
    move === null ||
    observation.tracker.scan > move.scan ||
    issue.state === move.state
    ? issue
    : new Issue({ ...issue, state: move.state })
}

/** Whether a person has moved a held issue on from where it was left, which ends the hold. */
export const isMovedOn = (hold: Hold, issue: Issue): boolean =>
  hold.parkedIn !== null && !sameState(issue.state, hold.parkedIn)

const isOpen = (observation: Observation, blocker: Issue["blockedBy"][number]): boolean =>
  blocker.state === null || roleOf(observation.policy.states, blocker.state) !== "terminal"

/** Whether following the open blockers of an issue leads into a circle: to the issue itself, or further behind. */
const waitsForCircle = (observation: Observation, start: Issue): boolean => {
  const done = new Set<IssueId>()
  /** The way to where we are, with what is still to be followed at each step. */
  const way: Array<{ readonly id: IssueId; readonly rest: Array<Issue["blockedBy"][number]> }> = []
  const onWay = new Set<IssueId>()
  const enter = (issue: Issue): void => {
    way.push({ id: issue.id, rest: [...issue.blockedBy] })
    onWay.add(issue.id)
  }
  enter(start)
  for (let here = way.at(-1); here !== undefined; here = way.at(-1)) {
    const blocker = here.rest.pop()
    if (blocker === undefined) {
      way.pop()
      onWay.delete(here.id)
      done.add(here.id)
      continue
    }
    if (blocker.id === null || done.has(blocker.id) || !isOpen(observation, blocker)) continue
    if (onWay.has(blocker.id)) return true
    const issue = observation.tracker.byId.get(blocker.id)
    if (issue !== undefined) enter(issue)
  }
  return false
}

/** The run whose work waits where it was handed over to, for a person to look at it; null when none does. */
export const awaitingReview = (record: IssueRecord | undefined, issue: Issue): RunId | null => {
  const last = record?.history.at(-1)
  return last?.outcome._tag === "Completed" &&
    sameState(last.outcome.state, issue.state) &&
    record?.reviewed !== last.run
    ? last.run
    : null
}

/** Why nothing is started on an issue where it lies, in a holding or a terminal state. */
const restsBecause = (record: IssueRecord | undefined, issue: Issue, otherwise: Explanation): Explanation =>
  awaitingReview(record, issue) === null ? otherwise : { _tag: "ForReview", state: issue.state }

/** Why the issue may not be claimed, whatever the capacity; `Ready` when it may. */
export const claimability = (
  state: SchedulerState,
  observation: Observation,
  issue: Issue,
  now: number
): Explanation => {
  const { policy } = observation
  const record = issueOf(state, issue.id)
  const live = liveRunOf(state, issue.id)
  if (live !== undefined) return { _tag: "Running", run: live }
  const role = roleOf(policy.states, issue.state)
  if (role === "terminal" && record?.hold?.reason !== "handoff") {
    return restsBecause(record, issue, { _tag: "Finished", state: issue.state })
  }
  if (record?.hold != null) return { _tag: "Held", reason: record.hold.reason, message: record.hold.message }
  const steering = record?.steering ?? null
  if (steering !== null && steering.reply === null)
    return { _tag: "WaitingForHuman", question: steering.text }
  if (role === "holding") {
    const by = (record?.attempts ?? 0) === 0 ? issue.proposedBy : null
    return restsBecause(
      record,
      issue,
      by === null ? { _tag: "NotActive", state: issue.state } : { _tag: "Proposed", by }
    )
  }
  if (record?.relocation != null) return { _tag: "Moving", to: record.relocation.to }
  if (observation.busy.has(issue.id)) return { _tag: "Moving", to: issue.state }
  const missing = policy.requiredLabels.filter((label) => !issue.labels.includes(label))
  if (missing.length > 0) return { _tag: "MissingLabels", labels: missing }
  const blockers = issue.blockedBy.filter((blocker) => isOpen(observation, blocker))
  if (blockers.length > 0) {
    return {
      _tag: "Blocked",
      by: blockers.map((blocker) => blocker.identifier),
      cycle: waitsForCircle(observation, issue)
    }
  }
  const adapter = adapterFor(policy, workingState(policy, issue.state))
  const blocked = state.blockedAdapters[adapter]
  if (blocked !== undefined) return { _tag: "AdapterBlocked", adapter, message: blocked }
  const retry = record?.retry ?? null
  if (retry !== null && isAhead(retry.since, retry.dueAt, now)) {
    return retry.class === "rate_limit"
      ? { _tag: "RateLimited", until: retry.dueAt }
      : { _tag: "Backoff", until: retry.dueAt, error: retry.error }
  }
  if (steering !== null) return { _tag: "Ready", kind: "reply", retryAttempt: retry?.attempt ?? 1 }
  return retry === null
    ? { _tag: "Ready", kind: "first", retryAttempt: null }
    : { _tag: "Ready", kind: retry.kind, retryAttempt: retry.attempt }
}

/** Slots, counted in the state that is worked in. */
export interface Slots {
  readonly total: number
  readonly byState: ReadonlyMap<string, number>
}

/** In use by runs until their sandboxes are dead, and kept for continuations until these are dispatched. */
export interface Capacity {
  readonly inUse: Slots
  readonly kept: Slots
}

const countSlots = (policy: Policy, states: ReadonlyArray<string>): Slots => {
  const byState = new Map<string, number>()
  for (const state of states) {
    const key = stateKey(workingState(policy, state))
    byState.set(key, (byState.get(key) ?? 0) + 1)
  }
  return { total: states.length, byState }
}

export const capacityOf = (state: SchedulerState, observation: Observation): Capacity => ({
  inUse: countSlots(
    observation.policy,
    Object.values(state.runs).flatMap((run) => (holdsSlot(run) ? [run.state] : []))
  ),
  kept: countSlots(
    observation.policy,
    Object.values(state.issues).flatMap((record) => {
      if (record.retry?.kind !== "continuation") return []
      const issue = observed(state, observation, record.id)
      return issue !== undefined && keepsSlot(state, observation, issue) ? [issue.state] : []
    })
  )
})

/**
 * A continuation keeps the slot of the session before it, so that nobody is put in between. One that waits for
 * something else than its moment does not: what it waits for may need the slot.
 */
export const keepsSlot = (state: SchedulerState, observation: Observation, issue: Issue): boolean => {
  if (issueOf(state, issue.id)?.retry?.kind !== "continuation") return false
  const claim = claimability(state, observation, issue, Number.POSITIVE_INFINITY)
  return claim._tag === "Ready" && claim.kind === "continuation"
}

/**
 * Why capacity does not admit the issue now; undefined when it does. Kept slots are no obstacle to a
 * continuation: where a cap was lowered below their number, each would wait for the others.
 */
export const capacityObstacle = (
  observation: Observation,
  { inUse, kept }: Capacity,
  issue: Issue,
  keepsOwnSlot: boolean
): Explanation | undefined => {
  const { policy } = observation
  const total = inUse.total + (keepsOwnSlot ? 0 : kept.total)
  if (total >= policy.maxConcurrent) return { _tag: "GlobalCap", cap: policy.maxConcurrent }
  const state = workingState(policy, issue.state)
  const cap = policyOf(policy.states, state)?.maxConcurrent ?? null
  const there = ({ byState }: Slots) => byState.get(stateKey(state)) ?? 0
  if (cap !== null && there(inUse) + (keepsOwnSlot ? 0 : there(kept)) >= cap) {
    return { _tag: "StateCap", state, cap }
  }
  return undefined
}

/** The capacity that is left when the issue was admitted. */
export const admit = (
  { inUse, kept }: Capacity,
  observation: Observation,
  issue: Issue,
  keepsOwnSlot: boolean
): Capacity => {
  const key = stateKey(workingState(observation.policy, issue.state))
  const add = ({ byState, total }: Slots, n: number): Slots => ({
    total: total + n,
    byState: new Map(byState).set(key, (byState.get(key) ?? 0) + n)
  })
  return { inUse: add(inUse, 1), kept: keepsOwnSlot ? add(kept, -1) : kept }
}

const rank: Record<RunKind, number> = { reply: 0, continuation: 1, retry: 2, first: 2 }

const compareNullable = <A>(
  left: A | null,
  right: A | null,
  compare: (left: A, right: A) => number
): number => (left === null ? (right === null ? 0 : 1) : right === null ? -1 : compare(left, right))

const compareText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

/** Replies, then continuations, then by priority, age and identifier: total, so that order is deterministic. */
export const dispatchOrder = (
  left: { readonly issue: Issue; readonly kind: RunKind },
  right: { readonly issue: Issue; readonly kind: RunKind }
): number =>
  rank[left.kind] - rank[right.kind] ||
  compareNullable(left.issue.priority, right.issue.priority, (a, b) => a - b) ||
  compareNullable(left.issue.createdAt, right.issue.createdAt, compareText) ||
  compareText(left.issue.identifier, right.issue.identifier) ||
  compareText(left.issue.id, right.issue.id)

/** Why nothing at all may be started now; null when all is well. */
export const obstacleTo = (state: SchedulerState, observation: Observation, now: number): string | null =>
  observation.obstacle ??
  exhaustionObstacle(
    state.exhaustion,
    Object.values(state.runs).some(({ session }) => session === null),
    now
  )

/** Whether the operator lets no run of this kind start. Draining, what was begun goes on. */
export const isPaused = (
  state: SchedulerState,
  kind: RunKind
): state is SchedulerState & { readonly mode: "paused" | "draining" } =>
  state.mode === "paused" || (state.mode === "draining" && kind === "first")

/** The one reason why an issue is or is not running. The same rules as dispatch. */
export const explain = (
  state: SchedulerState,
  observation: Observation,
  issue: Issue,
  now: number
): Explanation => {
  const claim = claimability(state, observation, issue, now)
  if (claim._tag !== "Ready") return claim
  const obstacle = obstacleTo(state, observation, now)
  if (obstacle !== null) return { _tag: "Obstacle", message: obstacle }
  if (isPaused(state, claim.kind)) return { _tag: "Paused", mode: state.mode }
  const capacity = capacityOf(state, observation)
  const capped = capacityObstacle(observation, capacity, issue, keepsSlot(state, observation, issue))
  if (capped !== undefined) return capped
  return observation.memorySlots !== null && observation.memorySlots <= 0 ? { _tag: "MemoryCap" } : claim
}

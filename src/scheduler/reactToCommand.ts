import type { Identifier, IssueId } from "../domain/ids.ts"
import type { Issue } from "../domain/Issue.ts"
import { policyOf, roleOf, sameState, statesWithRole } from "../domain/State.ts"
import { awaitingReview, isMovedOn, type Observation, observed } from "./eligibility.ts"
import type { RelocationReason, SchedulerEvent } from "./events.ts"
import { type Redelivery } from "./Runs.ts"
import { CommandRefused, type OperatorCommand } from "./Scheduler.ts"
import { type IssueRecord, issueOf, liveRunOf, nextRunId, parks, type SchedulerState } from "./state.ts"
import { accepted, type Reaction, refused } from "./reaction.ts"
import { retryIsInVain } from "./retryNow.ts"

const reactToAnswer = (
  state: SchedulerState,
  command: Extract<OperatorCommand, { readonly _tag: "Answer" }>,
  at: number
): Reaction<void, CommandRefused> => {
  const steering = issueOf(state, command.issue)?.steering ?? null
  if (steering === null || (command.question !== null && command.question !== steering.question)) {
    const message =
      steering?.reply === null
        ? "that question is not open any more, and another one is open now"
        : "no question of this issue is open"
    return refused(new CommandRefused({ reason: "no_pending_steering", message }))
  }
  return steering.reply !== null
    ? refused(
        new CommandRefused({ reason: "already_answered", message: "this question was answered already" })
      )
    : accepted(
        [
          {
            _tag: "SteeringAnswered",
            at,
            issue: command.issue,
            question: steering.question,
            reply: command.text
          }
        ],
        undefined
      )
}

const notFound = (issue: IssueId): CommandRefused =>
  new CommandRefused({ reason: "issue_not_found", message: `no issue ${issue}` })

const isMoving = new CommandRefused({
  reason: "run_active",
  message: "the issue is being moved or cleaned up after; try again in a moment"
})

const reactToMove = (
  state: SchedulerState,
  observation: Observation,
  command: Extract<OperatorCommand, { readonly _tag: "Move" }>,
  at: number
): Reaction<void, CommandRefused> => {
  const issue = observed(state, observation, command.issue)
  if (issue === undefined) return refused(notFound(command.issue))
  const target = policyOf(observation.policy.states, command.to)
  if (target === undefined) {
    const names = observation.policy.states.map((state) => state.name).join(", ")
    return refused(
      new CommandRefused({ reason: "unknown_state", message: `no state ${command.to}; declared: ${names}` })
    )
  }
  if (sameState(issue.state, target.name)) return accepted([], undefined)
  const record = issueOf(state, command.issue)
  const live = liveRunOf(state, command.issue)
  if (
    (record?.relocation ?? null) !== null ||
    observation.busy.has(command.issue) ||
    (live !== undefined && (live.done !== null || live.move !== null))
  ) {
    return refused(isMoving)
  }
  const taken = observation.tracker.issues.some(
    (other) => other.fileName === issue.fileName && sameState(other.state, target.name)
  )
  if (taken) {
    return refused(
      new CommandRefused({
        reason: "name_taken",
        message: `there is a ${issue.fileName} in ${target.name} already; move or rename one of the two`
      })
    )
  }
  return accepted([relocation(issue, "operator", target.name, at)], undefined)
}

/** Ends what runs of an issue, and holds it: also where it only waits for its turn. */
const reactToStop = (
  state: SchedulerState,
  observation: Observation,
  id: IssueId,
  at: number
): Reaction<void, CommandRefused> => {
  const run = liveRunOf(state, id)
  const issue = observed(state, observation, id)
  const record = issueOf(state, id)
  if (run === undefined && record?.hold?.reason === "operator_stop") return accepted([], undefined)
  const isActive = issue !== undefined && roleOf(observation.policy.states, issue.state) === "active"
  const waits = record?.retry != null || record?.steering != null || (isActive && record?.hold == null)
  if (run === undefined && !waits) {
    return refused(
      issue === undefined
        ? notFound(id)
        : new CommandRefused({
            reason: "not_running",
            message: "nothing of this issue is running or waiting to run"
          })
    )
  }
  return accepted(
    [
      ...(run === undefined || run.done !== null || run.cancel !== null || run.conclusion !== null
        ? []
        : [{ _tag: "CancelRequested", at, run: run.run, reason: "operator_stop" } as const]),
      {
        _tag: "OperatorStopped",
        at,
        issue: id,
        identifier: issue?.identifier ?? null,
        title: issue?.title ?? null,
        // A run that has signalled may still write its notes into the issue.
        contentHash: run?.done == null ? (issue?.contentHash ?? run?.contentHash ?? null) : null,
        state: issue?.state ?? run?.state ?? null
      }
    ],
    undefined
  )
}

/** An operator's command. What was asked for twice is done once. */
export const reactToCommand = (
  state: SchedulerState,
  observation: Observation,
  command: OperatorCommand,
  at: number
): Reaction<void, CommandRefused> => {
  switch (command._tag) {
    case "Pause":
      return accepted(state.mode === "paused" ? [] : [{ _tag: "ModeSet", at, mode: "paused" }], undefined)
    case "Drain":
      return accepted(state.mode === "draining" ? [] : [{ _tag: "ModeSet", at, mode: "draining" }], undefined)
    case "Resume":
      return accepted(
        [
          ...(state.mode === "running" ? [] : [{ _tag: "ModeSet", at, mode: "running" } as const]),
          ...unblockAdapters(state, at)
        ],
        undefined
      )
    case "Answer":
      return reactToAnswer(state, command, at)
    case "Move":
      return reactToMove(state, observation, command, at)
    case "HandOver": {
      const record = issueOf(state, command.issue)
      if (record?.hold?.reason === "handoff") return handOverAgain(observation, record, at)
      return refused(
        observation.tracker.byId.has(command.issue)
          ? new CommandRefused({
              reason: "nothing_to_hand_over",
              message: "no handoff of this issue has failed"
            })
          : notFound(command.issue)
      )
    }
    case "Review": {
      const issue = observed(state, observation, command.issue)
      if (issue === undefined) return refused(notFound(command.issue))
      const record = issueOf(state, command.issue)
      const run = awaitingReview(record, issue)
      if (run !== null) return accepted([{ _tag: "Reviewed", at, issue: command.issue, run }], undefined)
      const last = record?.history.at(-1)
      return last !== undefined && last.run === record?.reviewed
        ? accepted([], undefined)
        : refused(
            new CommandRefused({
              reason: "nothing_to_review",
              message: "no run has handed this issue over where it lies"
            })
          )
    }
    case "Stop":
      return reactToStop(state, observation, command.issue, at)
    case "RetryNow": {
      const issue = observed(state, observation, command.issue)
      if (issue === undefined) return refused(notFound(command.issue))
      const record = issueOf(state, command.issue)
      if ((record?.relocation ?? null) !== null) return refused(isMoving)
      const inVain = retryIsInVain(state, observation, issue, at)
      if (inVain !== null) {
        return refused(
          new CommandRefused({ reason: "nothing_to_retry", message: `nothing to retry: ${inVain}` })
        )
      }
      if (record === undefined) return accepted(unblockAdapters(state, at), undefined)
      if (record.hold?.reason === "handoff") return handOverAgain(observation, record, at)
      return accepted(
        [
          { _tag: "RetryNow", at, issue: command.issue },
          // What was held comes back to where it was, with its question still asked.
          ...(record.hold === null &&
          record.steering !== null &&
          record.steering.reply === null &&
          liveRunOf(state, record.id) === undefined
            ? [{ _tag: "SteeringWithdrawn", at, issue: record.id, why: "retried without an answer" } as const]
            : []),
          ...unblockAdapters(state, at),
          ...backFromParking(state, observation, record, at)
        ],
        undefined
      )
    }
  }
}

const handOverAgain = (
  observation: Observation,
  record: IssueRecord,
  at: number
): Reaction<void, CommandRefused> =>
  // Under way already: it will say what comes of it.
  accepted(observation.busy.has(record.id) ? [] : [{ _tag: "HandoffAsked", at, issue: record.id }], undefined)

/**
 * What comes of a handoff that was tried again: told, and the issue moved where its agent meant it to go, unless a
 * person has moved it on meanwhile.
 */
export const reactToHandoff = (
  state: SchedulerState,
  observation: Observation,
  id: IssueId,
  result: Redelivery,
  at: number
): ReadonlyArray<SchedulerEvent> => {
  if (result._tag === "Failed") return [{ _tag: "HandoffFailed", at, issue: id, message: result.message }]
  const issue = observed(state, observation, id)
  const record = issueOf(state, id)
  const hold = record?.hold ?? null
  const target = record?.claim?.target
  const handedOver: SchedulerEvent = {
    _tag: "HandedOver",
    at,
    issue: id,
    handoff: result.handoff,
    url: result.url
  }
  // Where it lies will show once it can be read: until then it is not to be worked on again.
  if (issue === undefined) return [handedOver]
  const isWhereItBelongs =
    target === undefined ||
    sameState(issue.state, target) ||
    (hold !== null && isMovedOn(hold, issue)) ||
    roleOf(observation.policy.states, issue.state) !== "active"
  return [
    handedOver,
    isWhereItBelongs
      ? { _tag: "HoldLifted", at, issue: id, why: "it is handed over" }
      : // A move lifts the hold; a name that is taken leaves it.
        relocation(issue, "handoff", target, at)
  ]
}

/** A parked issue that is to be retried goes back to where it came from, else to where issues are dispatched from. */
const backFromParking = (
  state: SchedulerState,
  observation: Observation,
  record: IssueRecord,
  at: number
): ReadonlyArray<SchedulerEvent> => {
  const issue = observed(state, observation, record.id)
  const active = statesWithRole(observation.policy.states, "active")
  const from = record.hold?.parkedFrom ?? null
  const target = active.find((name) => from !== null && sameState(name, from)) ?? active[0]
  return issue === undefined ||
    target === undefined ||
    record.relocation !== null ||
    record.hold?.parkedIn == null ||
    !parks(record.hold.reason) ||
    !sameState(record.hold.parkedIn, issue.state) ||
    roleOf(observation.policy.states, issue.state) === "active"
    ? []
    : [relocation(issue, "operator", target, at)]
}

/** The intent to move an issue that no run is working on. */
export const relocation = (
  issue: Issue,
  why: RelocationReason,
  to: string,
  at: number
): Extract<SchedulerEvent, { readonly _tag: "RelocationIntended" }> => ({
  _tag: "RelocationIntended",
  at,
  issue: issue.id,
  identifier: issue.identifier,
  title: issue.title,
  why,
  from: issue.state,
  to,
  fileName: issue.fileName,
  inode: issue.inode
})

const unblockAdapters = (state: SchedulerState, at: number): ReadonlyArray<SchedulerEvent> =>
  Object.keys(state.blockedAdapters).map((adapter) => ({ _tag: "AdapterUnblocked", at, adapter }))

export interface FoundWorkspace {
  readonly identifier: Identifier
  readonly path: string
}

/** A finished issue that nothing is remembered of leaves no workspace behind. */
export const reactToWorkspace = (
  state: SchedulerState,
  { policy, tracker }: Observation,
  { identifier, path }: FoundWorkspace,
  at: number
): ReadonlyArray<SchedulerEvent> => {
  const issue = tracker.issues.find((candidate) => candidate.identifier === identifier)
  return issue === undefined ||
    issueOf(state, issue.id) !== undefined ||
    roleOf(policy.states, issue.state) !== "terminal"
    ? []
    : [
        {
          _tag: "WorkspaceFound",
          at,
          issue: issue.id,
          identifier,
          title: issue.title,
          run: nextRunId(state),
          path
        }
      ]
}

/** New settings may mend what was wrong with the old ones. */
export const reactToSettings = (state: SchedulerState, at: number): ReadonlyArray<SchedulerEvent> => [
  ...unblockAdapters(state, at),
  ...Object.values(state.issues)
    .filter((record) => record.hold?.reason === "configuration")
    .map((record): SchedulerEvent => ({
      _tag: "HoldLifted",
      at,
      issue: record.id,
      why: "the settings changed"
    }))
]

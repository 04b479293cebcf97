import type { Identifier, IssueId, RunId } from "../domain/ids.ts"
import type { Decision } from "./decide.ts"
import { isMovedOn, type Observation, observed } from "./eligibility.ts"
import type { SchedulerEvent } from "./events.ts"
import { type IssueNote, parkingNote, passingNote } from "./notes.ts"
import { relocation } from "./reactToCommand.ts"
import type { RunMessage } from "./Runs.ts"
import {
  type IssueRecord,
  issueOf,
  liveRunOf,
  nextRunId,
  type Relocation,
  type RunRecord,
  type SchedulerState
} from "./state.ts"

/** An effect on the world, taken only after the event it follows from is durable. */
export type Act =
  | { readonly _tag: "Start"; readonly record: RunRecord; readonly recovering: boolean }
  | { readonly _tag: "Tell"; readonly run: RunId; readonly message: RunMessage }
  | {
      readonly _tag: "Relocate"
      readonly issue: IssueId
      readonly identifier: Identifier
      readonly relocation: Relocation
      /** To be written into the issue first. */
      readonly note: IssueNote | null
    }
  | { readonly _tag: "CleanUp"; readonly record: IssueRecord }
  | { readonly _tag: "Redeliver"; readonly record: IssueRecord }
  /** The last that is known of an issue. */
  | { readonly _tag: "Forget"; readonly record: IssueRecord }

/** What a decision writes into the journal; `state` is the one it is applied to. */
export const eventsOf = (
  decision: Decision,
  state: SchedulerState,
  at: number
): ReadonlyArray<SchedulerEvent> => {
  switch (decision._tag) {
    case "StartRun": {
      const { issue, kind, retryAttempt, adapter } = decision
      return [
        {
          _tag: "RunStarted",
          at,
          run: nextRunId(state),
          issue: issue.id,
          identifier: issue.identifier,
          title: issue.title,
          state: issue.state,
          fileName: issue.fileName,
          contentHash: issue.contentHash,
          attempt: (issueOf(state, issue.id)?.attempts ?? 0) + 1,
          kind,
          retryAttempt,
          adapter
        }
      ]
    }
    case "CancelRun":
      return [{ _tag: "CancelRequested", at, run: decision.run, reason: decision.cancel }]
    case "TrackState":
      return [{ _tag: "StateChanged", at, run: decision.run, state: decision.state }]
    case "Park":
      return [relocation(decision.issue, "park", decision.to, at)]
    case "LiftHold":
      return [{ _tag: "HoldLifted", at, issue: decision.issue, why: decision.reason }]
    case "WithdrawQuestion":
      return [{ _tag: "SteeringWithdrawn", at, issue: decision.issue, why: decision.reason }]
    case "DropRetry":
      return [{ _tag: "RetryDropped", at, issue: decision.issue, why: decision.reason }]
    case "Forget":
      return [{ _tag: "Forgotten", at, issue: decision.record.id }]
    case "RemoveWorkspace":
      return []
  }
}

/** What an event asks for once it is durable; `state` is the one after it. */
export const actsOf = (event: SchedulerEvent, state: SchedulerState): ReadonlyArray<Act> => {
  switch (event._tag) {
    case "RunStarted": {
      const record = state.runs[event.run]
      return record === undefined ? [] : [{ _tag: "Start", record, recovering: false }]
    }
    case "CancelRequested":
      return [{ _tag: "Tell", run: event.run, message: { _tag: "Cancel", reason: event.reason } }]
    case "DoneClaimed":
      return [{ _tag: "Tell", run: event.run, message: { _tag: "DoneAccepted", claim: event.claim } }]
    case "SteeringAsked":
      return [
        { _tag: "Tell", run: event.run, message: { _tag: "QuestionAccepted", question: event.question } }
      ]
    case "SteeringAnswered": {
      const run = liveRunOf(state, event.issue)
      const steering = issueOf(state, event.issue)?.steering ?? null
      return run === undefined || steering === null
        ? []
        : [{ _tag: "Tell", run: run.run, message: { _tag: "Reply", steering } }]
    }
    case "RelocationIntended":
      return relocate(state, event.issue)
    case "HandoffAsked": {
      const record = issueOf(state, event.issue)
      return record === undefined ? [] : [{ _tag: "Redeliver", record }]
    }
    default:
      return []
  }
}

const relocate = (state: SchedulerState, issue: IssueId): ReadonlyArray<Act> => {
  const record = issueOf(state, issue)
  if (record === undefined || record.relocation === null) return []
  const { identifier, relocation } = record
  return [{ _tag: "Relocate", issue, identifier, relocation, note: noteFor(record, relocation) }]
}

const noteFor = ({ claim, history, hold }: IssueRecord, relocation: Relocation): IssueNote | null => {
  switch (relocation.why) {
    case "park":
      return hold === null ? null : parkingNote(hold, relocation)
    case "handoff": {
      const last = history.at(-1)
      return claim?.signal !== "transition" || last === undefined
        ? null
        : passingNote(last.run, `run ${last.run}`, relocation.from, claim)
    }
    case "operator":
      return null
  }
}

/** What an earlier process left undone: every claim goes on at its last stage, every move is finished. */
export const recoveryActs = (state: SchedulerState): ReadonlyArray<Act> => [
  ...Object.values(state.runs).map((record): Act => ({ _tag: "Start", record, recovering: true })),
  ...Object.values(state.issues).flatMap((record) => relocate(state, record.id))
]

/**
 * Handoffs that failed are asked for again at each start: `symphony handoff` may have been there meanwhile, or what was
 * wrong is mended. Where a person has moved the issue on, it does not wait for that any more. `state` is the one after
 * the boot.
 */
export const failedHandoffs = (
  state: SchedulerState,
  observation: Observation,
  at: number
): ReadonlyArray<SchedulerEvent> =>
  Object.values(state.issues)
    .filter(({ hold, id, relocation }) => {
      if (hold?.reason !== "handoff" || relocation !== null || liveRunOf(state, id) !== undefined)
        return false
      const issue = observed(state, observation, id)
      return issue === undefined || !isMovedOn(hold, issue)
    })
    .map(({ id }) => ({ _tag: "HandoffAsked", at, issue: id }))

import type { Identifier, IssueId, RunId } from "../domain/ids.ts"
import type { RunOutcome } from "../domain/Outcome.ts"
import { sameState } from "../domain/State.ts"
import { addTokens, noTokens, type Tokens, unknownTokens } from "../domain/Tokens.ts"
import type { SchedulerEvent } from "./events.ts"
import { exhaustionAfter } from "./exhaustion.ts"
import { countsAsFailure, countsAsSession } from "./failures.ts"
import {
  type Attempt,
  type Hold,
  type IssueRecord,
  issueOf,
  type Retry,
  type RunRecord,
  type SchedulerState,
  secondsOf,
  type Steering
} from "./state.ts"

const KEPT_ATTEMPTS = 20

/** Another text lifts a hold that the text may have caused; after a signal we write into the issue ourselves. */
const liftedByText = (reason: Hold["reason"], run: RunRecord): boolean =>
  reason === "configuration" && run.done === null

const newIssueRecord = (id: IssueId, identifier: Identifier, title: string): IssueRecord => ({
  id,
  identifier,
  title,
  attempts: 0,
  failures: 0,
  sessions: 0,
  retry: null,
  hold: null,
  steering: null,
  answered: null,
  session: null,
  runningCost: null,
  workspace: null,
  handoff: null,
  earlierHandoff: null,
  claim: null,
  pullRequest: null,
  reviewed: null,
  relocation: null,
  lastMove: null,
  tokens: noTokens,
  seconds: 0,
  history: []
})

const patchRun = (state: SchedulerState, id: RunId, patch: Partial<RunRecord>): SchedulerState => {
  const run = state.runs[id]
  return run === undefined ? state : { ...state, runs: { ...state.runs, [id]: { ...run, ...patch } } }
}

const patchIssue = (state: SchedulerState, id: IssueId, patch: Partial<IssueRecord>): SchedulerState => {
  const issue = issueOf(state, id)
  return issue === undefined ? state : { ...state, issues: { ...state.issues, [id]: { ...issue, ...patch } } }
}

const patchIssueOf = (
  state: SchedulerState,
  id: RunId,
  patch: (issue: IssueRecord, run: RunRecord) => Partial<IssueRecord>
): SchedulerState => {
  const run = state.runs[id]
  const issue = run === undefined ? undefined : issueOf(state, run.issue)
  return run === undefined || issue === undefined ? state : patchIssue(state, run.issue, patch(issue, run))
}

const omit = <A>(record: Readonly<Record<string, A>>, key: string): Readonly<Record<string, A>> =>
  Object.fromEntries(Object.entries(record).filter(([name]) => name !== key))

/** Something was used, by the run, its issue and in all. */
const withTokens = (state: SchedulerState, id: RunId, tokens: Tokens): SchedulerState => {
  const run = state.runs[id]
  if (run === undefined) return state
  const counted = patchRun(state, id, { tokens: addTokens(run.tokens, tokens) })
  return {
    ...patchIssueOf(counted, id, (issue) => ({ tokens: addTokens(issue.tokens, tokens) })),
    totals: { ...state.totals, tokens: addTokens(state.totals.tokens, tokens) }
  }
}

/** What a new session has to be told, once an agent goes on from the reply that it was given. */
const takenUp = ({ answered, steering }: IssueRecord): Steering | null =>
  steering !== null && steering.reply !== null ? steering : answered

type EventOf<Tag extends SchedulerEvent["_tag"]> = Extract<SchedulerEvent, { readonly _tag: Tag }>

const runStarted = (state: SchedulerState, event: EventOf<"RunStarted">): SchedulerState => {
  const issue = issueOf(state, event.issue) ?? newIssueRecord(event.issue, event.identifier, event.title)
  const record: RunRecord = {
    run: event.run,
    issue: event.issue,
    identifier: event.identifier,
    title: event.title,
    state: event.state,
    fileName: event.fileName,
    contentHash: event.contentHash,
    attempt: event.attempt,
    kind: event.kind,
    retryAttempt: event.retryAttempt,
    adapter: event.adapter,
    startedAt: event.at,
    earlierSeconds: 0,
    aliveSince: null,
    stage: "preparing",
    workspace: null,
    session: null,
    turn: 0,
    openTurn: null,
    tokens: noTokens,
    questions: 0,
    done: null,
    cancel: null,
    conclusion: null,
    handoff: null,
    move: null,
    moved: false,
    hookStarted: false,
    hookEnded: false,
    published: null
  }
  return {
    ...state,
    nextRun: state.nextRun + 1,
    runs: { ...state.runs, [event.run]: record },
    issues: {
      ...state.issues,
      [event.issue]: {
        ...issue,
        identifier: event.identifier,
        title: event.title,
        attempts: event.attempt,
        retry: null,
        handoff: null,
        earlierHandoff:
          issue.handoff === null || issue.handoff.verdict === "none" ? issue.earlierHandoff : issue.handoff,
        claim: null
      }
    },
    totals: { ...state.totals, runs: state.totals.runs + 1 }
  }
}

const withUsed = (
  state: SchedulerState,
  event: EventOf<"TurnEnded"> | EventOf<"UsageCounted">
): SchedulerState => {
  const counted = withTokens(state, event.run, event.tokens)
  const { running } = event
  return running === undefined ? counted : patchIssueOf(counted, event.run, () => ({ runningCost: running }))
}

const sessionOpened = (state: SchedulerState, event: EventOf<"SessionOpened">): SchedulerState => {
  const opened = patchRun(state, event.run, { session: event.session, stage: "conversing" })
  return patchIssueOf(opened, event.run, ({ runningCost }) => ({
    session: event.session,
    // Another session tells a total of its own.
    runningCost: event.resumed ? runningCost : null
  }))
}

/** Failures and sessions in a row, after a run that ended so. */
const counters = (
  issue: IssueRecord,
  run: RunRecord,
  outcome: RunOutcome,
  endedAt: number
): Pick<IssueRecord, "failures" | "sessions"> => {
  const hadSession = run.session !== null
  switch (outcome._tag) {
    case "Completed":
      // Passing an issue on between active states does not end it: agents must not do so for ever.
      return { failures: 0, sessions: run.done?.signal === "transition" ? issue.sessions + 1 : 0 }
    case "Continue":
      return { failures: 0, sessions: issue.sessions + 1 }
    case "Waiting":
      return { failures: 0, sessions: issue.sessions }
    case "Failed":
      return {
        failures: issue.failures + (countsAsFailure(issue.history, outcome, hadSession, endedAt) ? 1 : 0),
        sessions: issue.sessions + (countsAsSession(outcome, hadSession) ? 1 : 0)
      }
    case "Cancelled":
      return { failures: issue.failures, sessions: issue.sessions }
  }
}

const runEnded = (before: SchedulerState, event: EventOf<"RunEnded">): SchedulerState => {
  const state =
    before.runs[event.run]?.openTurn == null ? before : withTokens(before, event.run, unknownTokens)
  const run = state.runs[event.run]
  const issue = run === undefined ? undefined : issueOf(state, run.issue)
  if (run === undefined || issue === undefined) return state
  const seconds = secondsOf(run, event.at)
  const attempt: Attempt = {
    run: run.run,
    attempt: run.attempt,
    kind: run.kind,
    startedAt: run.startedAt,
    endedAt: event.at,
    outcome: event.outcome,
    tokens: run.tokens,
    turns: run.turn
  }
  const retry: Retry | null =
    event.next._tag === "Retry"
      ? {
          kind: event.next.kind,
          attempt: event.next.attempt,
          since: event.at,
          dueAt: event.next.dueAt,
          class: event.next.class,
          error: event.next.error
        }
      : null
  const hold: Hold | null =
    event.next._tag === "Hold"
      ? {
          reason: event.next.reason,
          message: event.next.message,
          at: event.at,
          contentHash: liftedByText(event.next.reason, run) ? run.contentHash : null,
          parkedIn: event.next.reason === "handoff" ? (run.move?.from ?? run.state) : null,
          parkedFrom: null
        }
      : issue.hold
  return {
    ...state,
    runs: omit(state.runs, event.run),
    issues: {
      ...state.issues,
      [run.issue]: {
        ...issue,
        ...counters(issue, run, event.outcome, event.at),
        retry,
        hold,
        session: run.session ?? issue.session,
        seconds: issue.seconds + seconds,
        history: [...issue.history, attempt].slice(-KEPT_ATTEMPTS)
      }
    },
    totals: {
      ...state.totals,
      seconds: state.totals.seconds + seconds,
      completed: state.totals.completed + (event.outcome._tag === "Completed" ? 1 : 0)
    }
  }
}

/**
 * A new process may have been given other settings: what the old ones were at fault for is tried again. It counts
 * scans anew, and none of its own began before what an old one has moved.
 */
const inNewProcess = (issue: IssueRecord): IssueRecord => ({
  ...issue,
  hold: issue.hold?.reason === "configuration" ? null : issue.hold,
  lastMove: null
})

const endedNow = (retry: Retry, at: number): Retry => ({ ...retry, since: at, dueAt: at })

/** The last run is completed after all. */
const handedOver = (state: SchedulerState, event: EventOf<"HandedOver">): SchedulerState => {
  const issue = issueOf(state, event.issue)
  const last = issue?.history.at(-1)
  if (issue === undefined || last === undefined || issue.claim === null) return state
  const outcome: RunOutcome = { _tag: "Completed", state: issue.claim.target }
  const isNews = last.outcome._tag !== "Completed"
  return {
    ...patchIssue(state, event.issue, {
      handoff: event.handoff,
      pullRequest: event.url ?? issue.pullRequest,
      failures: 0,
      sessions: 0,
      history: [...issue.history.slice(0, -1), { ...last, outcome }]
    }),
    totals: { ...state.totals, completed: state.totals.completed + (isNews ? 1 : 0) }
  }
}

const workspaceFound = (state: SchedulerState, event: EventOf<"WorkspaceFound">): SchedulerState => {
  if (issueOf(state, event.issue) !== undefined) return state
  const attempt: Attempt = {
    run: event.run,
    attempt: 1,
    kind: "first",
    startedAt: event.at,
    endedAt: event.at,
    outcome: { _tag: "Cancelled", reason: "moved_to_terminal" },
    tokens: noTokens,
    turns: 0
  }
  const issue: IssueRecord = {
    ...newIssueRecord(event.issue, event.identifier, event.title),
    attempts: 1,
    workspace: event.path,
    history: [attempt]
  }
  return { ...state, nextRun: state.nextRun + 1, issues: { ...state.issues, [event.issue]: issue } }
}

/** The state after an event. Total: an event of a run or issue that is not there changes nothing but the time. */
export const evolve = (state: SchedulerState, event: SchedulerEvent): SchedulerState => ({
  ...changed(state, event),
  exhaustion: exhaustionAfter(state.exhaustion, event),
  lastAt: event.at
})

const changed = (state: SchedulerState, event: SchedulerEvent): SchedulerState => {
  switch (event._tag) {
    case "Booted":
      return {
        ...state,
        issues: Object.fromEntries(
          Object.entries(state.issues).map(([id, issue]) => [id, inNewProcess(issue)])
        ),
        runs: Object.fromEntries(
          Object.entries(state.runs).map(([id, run]) => [
            id,
            {
              ...run,
              earlierSeconds: secondsOf(run, state.lastAt ?? run.startedAt),
              aliveSince: event.at
            }
          ])
        ),
        epoch: event.epoch,
        nextRun: 1,
        blockedAdapters: {}
      }
    case "RunStarted":
      return runStarted(state, event)
    case "WorkspaceReady":
      return patchIssueOf(
        patchRun(state, event.run, { workspace: event.path, stage: "preparing" }),
        event.run,
        () => ({ workspace: event.path })
      )
    case "SessionOpened":
      return sessionOpened(state, event)
    case "TurnStarted":
      return patchRun(state, event.run, {
        turn: event.turn,
        openTurn: { reply: event.reply },
        stage: "conversing"
      })
    case "TurnEnded":
      return withUsed(patchRun(state, event.run, { openTurn: null }), event)
    case "UsageCounted":
      return withUsed(state, event)
    case "StateChanged":
      return patchRun(state, event.run, { state: event.state })
    case "SteeringAsked": {
      const run = state.runs[event.run]
      if (run === undefined) return state
      return patchIssueOf(
        patchRun(state, event.run, { questions: run.questions + 1, stage: "waiting" }),
        event.run,
        (issue) => ({
          answered: takenUp(issue),
          steering: {
            question: event.question,
            run: event.run,
            text: event.text,
            context: event.context,
            askedAt: event.at,
            turn: run.turn,
            reply: null,
            answeredAt: null
          }
        })
      )
    }
    case "SteeringAnswered": {
      const steering = issueOf(state, event.issue)?.steering
      const retry = issueOf(state, event.issue)?.retry ?? null
      return steering?.question === event.question
        ? patchIssue(state, event.issue, {
            steering: { ...steering, reply: event.reply, answeredAt: event.at },
            // A person is there: what waits, but for a rate limit, waits no longer.
            retry: retry === null || retry.class === "rate_limit" ? retry : endedNow(retry, event.at)
          })
        : state
    }
    case "SteeringDelivered":
      return patchIssueOf(state, event.run, (issue) =>
        issue.steering?.question === event.question ? { steering: null, answered: takenUp(issue) } : {}
      )
    case "SteeringWithdrawn":
      return patchIssue(state, event.issue, { steering: null })
    case "DoneClaimed":
      return patchIssueOf(
        patchRun(state, event.run, { done: event.claim, stage: "quiescing" }),
        event.run,
        (issue) => ({ steering: null, answered: takenUp(issue), claim: event.claim })
      )
    case "CancelRequested":
      return patchRun(state, event.run, { cancel: event.reason })
    case "Quiesced":
      return patchRun(state, event.run, {
        // A signal that was taken counts, however the conversation ended.
        conclusion: state.runs[event.run]?.done == null ? event.conclusion : { _tag: "Done" },
        stage: "exporting"
      })
    case "Exported":
      return patchIssueOf(
        patchRun(state, event.run, { handoff: event.handoff, stage: "moving" }),
        event.run,
        () => ({ handoff: event.handoff })
      )
    case "MoveIntended": {
      const { from, to, fileName, inode } = event
      return patchRun(state, event.run, { move: { from, to, fileName, inode } })
    }
    case "Moved": {
      const run = state.runs[event.run]
      if (run === undefined) return state
      const moved = { state: event.state ?? run.state, move: null }
      return patchIssueOf(
        patchRun(
          state,
          event.run,
          run.conclusion === null ? moved : { ...moved, moved: true, stage: "finishing" }
        ),
        event.run,
        ({ hold }) =>
          event.state === null
            ? {}
            : {
                lastMove: { state: event.state, scan: event.scan },
                // Our own move is no person's.
                ...(event.byUs && hold?.reason === "operator_stop"
                  ? { hold: { ...hold, parkedIn: event.state } }
                  : {})
              }
      )
    }
    case "HookStarted":
      return patchRun(state, event.run, { hookStarted: true, stage: "finishing" })
    case "HookEnded":
      return patchRun(state, event.run, { hookEnded: true })
    case "PublishIntended":
      return patchRun(state, event.run, { stage: "publishing" })
    case "Published":
      return patchIssueOf(
        patchRun(state, event.run, { published: { url: event.url }, stage: "releasing" }),
        event.run,
        () => ({ pullRequest: event.url })
      )
    case "RunEnded":
      return runEnded(state, event)
    case "HandoffAsked":
      return state
    case "HandedOver":
      return handedOver(state, event)
    case "HandoffFailed": {
      const hold = issueOf(state, event.issue)?.hold
      return hold?.reason === "handoff"
        ? patchIssue(state, event.issue, { hold: { ...hold, message: event.message, at: event.at } })
        : state
    }
    case "Reviewed":
      return patchIssue(state, event.issue, { reviewed: event.run })
    case "HoldLifted":
      return patchIssue(state, event.issue, { hold: null, failures: 0, sessions: 0 })
    case "RelocationIntended": {
      const issue = issueOf(state, event.issue) ?? newIssueRecord(event.issue, event.identifier, event.title)
      const { why, from, to, fileName, inode } = event
      return {
        ...state,
        issues: {
          ...state.issues,
          [event.issue]: { ...issue, relocation: { why, from, to, fileName, inode } }
        }
      }
    }
    case "Relocated": {
      const issue = issueOf(state, event.issue)
      if (issue === undefined || issue.relocation === null) return state
      const { from, to, why } = issue.relocation
      const parked = {
        // Where nobody knows, it is parked once it is seen again. Where it lies in neither, a person has moved it: as
        // from where it was to be parked.
        parkedIn: event.state === null ? null : sameState(event.state, from) ? from : to,
        parkedFrom: from
      }
      return patchIssue(state, event.issue, {
        relocation: null,
        lastMove: event.state === null ? issue.lastMove : { state: event.state, scan: event.scan },
        hold: why === "park" && issue.hold !== null ? { ...issue.hold, ...parked } : issue.hold
      })
    }
    case "RetryDropped":
      return patchIssue(state, event.issue, { retry: null })
    case "RetryNow": {
      const retry = issueOf(state, event.issue)?.retry
      return patchIssue(state, event.issue, {
        hold: null,
        failures: 0,
        sessions: 0,
        ...(retry == null ? {} : { retry: endedNow(retry, event.at) })
      })
    }
    case "OperatorStopped": {
      const hold: Hold = {
        reason: "operator_stop",
        message: "stopped by the operator",
        at: event.at,
        contentHash: event.contentHash,
        parkedIn: event.state,
        parkedFrom: null
      }
      const issue =
        issueOf(state, event.issue) ??
        (event.identifier === null
          ? undefined
          : newIssueRecord(event.issue, event.identifier, event.title ?? ""))
      return issue === undefined
        ? state
        : { ...state, issues: { ...state.issues, [event.issue]: { ...issue, hold, retry: null } } }
    }
    case "WorkspaceRemoved":
      return patchIssue(state, event.issue, { workspace: null })
    case "WorkspaceFound":
      return workspaceFound(state, event)
    case "AdapterBlocked":
      return {
        ...state,
        blockedAdapters: { ...state.blockedAdapters, [event.adapter]: event.message }
      }
    case "AdapterUnblocked":
      return { ...state, blockedAdapters: omit(state.blockedAdapters, event.adapter) }
    case "ModeSet":
      return { ...state, mode: event.mode }
    case "Forgotten":
      return { ...state, issues: omit(state.issues, event.issue) }
  }
}

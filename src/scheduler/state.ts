import { Schema } from "effect"
import { Identifier, IssueId, makeQuestionId, makeRunId, QuestionId, RunId } from "../domain/ids.ts"
import { CancelReason, FailureClass, RunOutcome } from "../domain/Outcome.ts"
import { RunningCost } from "../domain/Cost.ts"
import { sameState } from "../domain/State.ts"
import { addTokens, noTokens, Tokens, unknownTokens } from "../domain/Tokens.ts"
import {
  Conclusion,
  DoneClaim,
  HandoffRecord,
  HoldReason,
  nullUnlessWritten,
  RunKind,
  SchedulerEvent,
  zeroUnlessWritten
} from "./events.ts"
import { Exhaustion, exhaustionAfter } from "./exhaustion.ts"
import { countsAsFailure, countsAsSession } from "./failures.ts"

/** How far a run has come. From `exporting` on it has no sandbox and holds no slot. */
export const RunStage = Schema.Literals([
  "preparing",
  "conversing",
  "waiting",
  "quiescing",
  "exporting",
  "moving",
  "finishing",
  "publishing",
  "releasing"
])
export type RunStage = typeof RunStage.Type

export const Move = Schema.Struct({
  from: Schema.String,
  to: Schema.String,
  fileName: Schema.String,
  inode: Schema.String
})

/** A run that has not ended: from its claim until everything about it is done. */
export const RunRecord = Schema.Struct({
  run: RunId,
  issue: IssueId,
  identifier: Identifier,
  title: Schema.String,
  /** The issue's state as last seen by the run. */
  state: Schema.String,
  fileName: Schema.String,
  contentHash: Schema.String,
  attempt: Schema.Int,
  kind: RunKind,
  retryAttempt: Schema.NullOr(Schema.Int),
  adapter: Schema.String,
  startedAt: Schema.Number,
  /** Seconds that it was alive for in earlier processes, and since when it is in this one (null: its start). */
  earlierSeconds: zeroUnlessWritten,
  aliveSince: nullUnlessWritten(Schema.Number),
  stage: RunStage,
  workspace: Schema.NullOr(Schema.String),
  session: Schema.NullOr(Schema.String),
  turn: Schema.Int,
  /** The turn that is under way, with the question whose reply it carries. */
  openTurn: nullUnlessWritten(Schema.Struct({ reply: Schema.NullOr(QuestionId) })),
  /** Of the turns that have ended. */
  tokens: Tokens,
  /** Questions asked so far, to number the next. */
  questions: Schema.Int,
  done: Schema.NullOr(DoneClaim),
  cancel: Schema.NullOr(CancelReason),
  conclusion: Schema.NullOr(Conclusion),
  handoff: Schema.NullOr(HandoffRecord),
  move: Schema.NullOr(Move),
  moved: Schema.Boolean,
  hookStarted: Schema.Boolean,
  hookEnded: Schema.Boolean,
  published: Schema.NullOr(Schema.Struct({ url: Schema.NullOr(Schema.String) }))
})
export type RunRecord = typeof RunRecord.Type

export const Relocation = Schema.Struct({
  why: Schema.Literals(["park", "operator"]),
  ...Move.fields
})
export type Relocation = typeof Relocation.Type

export const Retry = Schema.Struct({
  kind: Schema.Literals(["continuation", "retry"]),
  attempt: Schema.Int,
  /** When it was set, and until when it waits: a clock that shows an earlier time was set back. */
  since: zeroUnlessWritten,
  dueAt: Schema.Number,
  class: Schema.NullOr(FailureClass),
  error: Schema.NullOr(Schema.String)
})
export type Retry = typeof Retry.Type

/** A steering request: outlives the run and the process. */
export const Steering = Schema.Struct({
  question: QuestionId,
  run: RunId,
  text: Schema.String,
  context: Schema.NullOr(Schema.String),
  askedAt: Schema.Number,
  reply: Schema.NullOr(Schema.String),
  answeredAt: Schema.NullOr(Schema.Number)
})
export type Steering = typeof Steering.Type

export const Hold = Schema.Struct({
  reason: HoldReason,
  message: Schema.String,
  at: Schema.Number,
  /** The issue's text that led to the hold: another text lifts it. Parking writes into the issue, so it needs none. */
  contentHash: Schema.NullOr(Schema.String),
  /**
   * The holding state that the issue was parked in, or where it lay when its work could not be handed over or it was
   * stopped: moving it elsewhere lifts the hold.
   */
  parkedIn: Schema.NullOr(Schema.String)
})
export type Hold = typeof Hold.Type

/** One ended run, for people. */
export const Attempt = Schema.Struct({
  run: RunId,
  attempt: Schema.Int,
  kind: RunKind,
  startedAt: Schema.Number,
  endedAt: Schema.Number,
  outcome: RunOutcome,
  tokens: Tokens,
  turns: Schema.Int
})
export type Attempt = typeof Attempt.Type

/** What is remembered of an issue that was ever claimed. */
export const IssueRecord = Schema.Struct({
  id: IssueId,
  identifier: Identifier,
  title: Schema.String,
  attempts: Schema.Int,
  /** In a row, of any reason; a signalled end resets it. */
  failures: Schema.Int,
  /** Sessions in a row that ended without a signal. */
  sessions: Schema.Int,
  retry: Schema.NullOr(Retry),
  hold: Schema.NullOr(Hold),
  /** The question that is open, or whose reply no agent has taken up yet. */
  steering: Schema.NullOr(Steering),
  /** The last question whose reply was taken up: what a new session has to be told. */
  answered: nullUnlessWritten(Steering),
  session: Schema.NullOr(Schema.String),
  /** What that session last told that it has cost in all. */
  runningCost: nullUnlessWritten(RunningCost),
  workspace: Schema.NullOr(Schema.String),
  handoff: Schema.NullOr(HandoffRecord),
  /** What the agent of the last run said when it was done. Untrusted. */
  claim: nullUnlessWritten(DoneClaim),
  pullRequest: Schema.NullOr(Schema.String),
  /** The newest run whose work a person has looked at. */
  reviewed: nullUnlessWritten(RunId),
  /** A move of ours that is under way while no run is. */
  relocation: Schema.NullOr(Relocation),
  /** Where this process has last put it, and the number of the tracker's scan that later ones are counted from. */
  lastMove: Schema.NullOr(Schema.Struct({ state: Schema.String, scan: zeroUnlessWritten })),
  tokens: Tokens,
  /** Seconds of all its runs. */
  seconds: Schema.Number,
  /** The newest last, at most 20. */
  history: Schema.Array(Attempt)
})
export type IssueRecord = typeof IssueRecord.Type

export const Mode = Schema.Literals(["running", "paused", "draining"])
export type Mode = typeof Mode.Type

export const SchedulerState = Schema.Struct({
  epoch: Schema.Int,
  /** Number of the next run of this epoch. */
  nextRun: Schema.Int,
  mode: Mode,
  issues: Schema.Record(Schema.String, IssueRecord),
  runs: Schema.Record(Schema.String, RunRecord),
  /** Adapters that cannot work until the configuration changes, with what is wrong. */
  blockedAdapters: Schema.Record(Schema.String, Schema.String),
  exhaustion: nullUnlessWritten(Exhaustion),
  /** Of the newest event: until then, at the least, the process has lived. Epoch milliseconds. */
  lastAt: nullUnlessWritten(Schema.Number),
  totals: Schema.Struct({ tokens: Tokens, seconds: Schema.Number, runs: Schema.Int, completed: Schema.Int })
})
export type SchedulerState = typeof SchedulerState.Type

export const emptyState: SchedulerState = {
  epoch: 0,
  nextRun: 1,
  mode: "running",
  issues: {},
  runs: {},
  blockedAdapters: {},
  exhaustion: null,
  lastAt: null,
  totals: { tokens: noTokens, seconds: 0, runs: 0, completed: 0 }
}

const KEPT_ATTEMPTS = 20

/** Holds that move the issue to a holding state, with the reason written into it. */
export const parks = (reason: Hold["reason"]): boolean => reason === "breaker" || reason === "sessions"

/** Whether the issue goes on in another run as soon as this one, whose sandbox is dead, has ended. */
const isContinued = ({ conclusion }: RunRecord): boolean =>
  conclusion?._tag === "Ended" &&
  (conclusion.outcome._tag === "Continue" ||
    (conclusion.outcome._tag === "Cancelled" && conclusion.outcome.reason === "shutdown"))

/**
 * A run holds a slot while it has, or may have, a sandbox; one that is continued keeps it for the run after it, so
 * that nobody is put in between.
 */
export const holdsSlot = (run: RunRecord): boolean => run.conclusion === null || isContinued(run)

/** What is remembered of an issue. Its id is untrusted: `constructor` is an id like any other. */
export const issueOf = (state: SchedulerState, id: IssueId): IssueRecord | undefined =>
  Object.hasOwn(state.issues, id) ? state.issues[id] : undefined

/** The run of an issue that has not ended: there is at most one. */
export const liveRunOf = (state: SchedulerState, issue: IssueId): RunRecord | undefined => {
  for (const id in state.runs) if (state.runs[id]?.issue === issue) return state.runs[id]
  return undefined
}

/** How long a run has been at work. Who had nobody to work for, because our process had ended, was not. */
export const secondsOf = ({ aliveSince, earlierSeconds, startedAt }: RunRecord, now: number): number =>
  earlierSeconds + Math.max(0, now - (aliveSince ?? startedAt)) / 1000

/** What a run has used so far. Of a turn that was cut off nobody will say. */
export const tokensOf = ({ openTurn, tokens }: RunRecord): Tokens =>
  openTurn === null ? tokens : addTokens(tokens, unknownTokens)

export const nextRunId = (state: SchedulerState): RunId => makeRunId(state.epoch, state.nextRun)

export const nextQuestionId = (run: RunRecord): QuestionId => makeQuestionId(run.run, run.questions + 1)

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
          parkedIn: event.next.reason === "handoff" ? (run.move?.from ?? run.state) : null
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
      // Where it lies in neither, a person has moved it: as from where it was to be parked.
      const parkedIn = event.state !== null && sameState(event.state, from) ? from : to
      return patchIssue(state, event.issue, {
        relocation: null,
        lastMove: event.state === null ? issue.lastMove : { state: event.state, scan: event.scan },
        hold: why === "park" && issue.hold !== null ? { ...issue.hold, parkedIn } : issue.hold
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
        parkedIn: event.state
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

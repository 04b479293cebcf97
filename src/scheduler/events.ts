import { Effect, Schema } from "effect"
import { Identifier, IssueId, QuestionId, RunId } from "../domain/ids.ts"
import { CancelReason, FailureClass, RunOutcome } from "../domain/Outcome.ts"
import { RunningCost } from "../domain/Cost.ts"
import { Tokens } from "../domain/Tokens.ts"

/** A field that journals of earlier versions lack. */
export const nullUnlessWritten = <S extends Schema.Constraint>(schema: S) =>
  Schema.NullOr(schema).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))

export const zeroUnlessWritten = Schema.Number.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0)))

/** Why a run was started; `reply` and `continuation` take up the session before where the agent can. */
export const RunKind = Schema.Literals(["first", "continuation", "retry", "reply"])
export type RunKind = typeof RunKind.Type

/** Why an issue is not retried until its input changes or a person says so. */
export const HoldReason = Schema.Literals([
  "breaker",
  "sessions",
  "configuration",
  "handoff",
  "operator_stop"
])
export type HoldReason = typeof HoldReason.Type

/** What follows the end of a run; fixed when it ends, so that a later change of settings does not alter it. */
export const NextStep = Schema.TaggedUnion({
  None: {},
  Retry: {
    kind: Schema.Literals(["continuation", "retry"]),
    /** What the prompt is told as `attempt`. */
    attempt: Schema.Int,
    /** Epoch milliseconds. */
    dueAt: Schema.Number,
    class: Schema.NullOr(FailureClass),
    error: Schema.NullOr(Schema.String)
  },
  Hold: { reason: HoldReason, message: Schema.String }
})
export type NextStep = typeof NextStep.Type

/** How the conversation of a run ended, before anything was done about it. */
export const Conclusion = Schema.TaggedUnion({
  /** The agent signalled: `target` is where the issue goes. */
  Done: {},
  /** Nothing to hand over; the run ends so. */
  Ended: { outcome: RunOutcome }
})
export type Conclusion = typeof Conclusion.Type

export const DoneClaim = Schema.Struct({
  signal: Schema.Literals(["mark_done", "transition"]),
  /** The state the issue goes to. */
  target: Schema.String,
  title: Schema.String,
  summary: Schema.String
})
export type DoneClaim = typeof DoneClaim.Type

/** What was handed over, as far as the scheduler and those who look at it need to know. */
export const HandoffRecord = Schema.Struct({
  verdict: Schema.Literals(["verified", "analysis", "none"]),
  head: Schema.NullOr(Schema.String),
  commits: Schema.Int,
  files: Schema.Int,
  flags: Schema.Array(Schema.String),
  patch: Schema.NullOr(Schema.String),
  report: Schema.NullOr(Schema.String)
})
export type HandoffRecord = typeof HandoffRecord.Type

/** Why we move an issue: to park it, because the operator asked, or because it is handed over after all. */
export const RelocationReason = Schema.Literals(["park", "operator", "handoff"])
export type RelocationReason = typeof RelocationReason.Type

/** What was used, and the running cost that the session has told by then. */
const used = { tokens: Tokens, running: Schema.optionalKey(RunningCost) }

const at = Schema.Number
const run = RunId

/**
 * Everything that changes the scheduler's memory. Journaled before its effect; replaying them gives the state
 * at the moment of a crash.
 */
export const SchedulerEvent = Schema.TaggedUnion({
  Booted: { at, epoch: Schema.Int },
  RunStarted: {
    at,
    run,
    issue: IssueId,
    identifier: Identifier,
    title: Schema.String,
    state: Schema.String,
    fileName: Schema.String,
    /** Of the issue's text that this run works on. */
    contentHash: Schema.String,
    /** 1-based number of this run among those of the issue. */
    attempt: Schema.Int,
    kind: RunKind,
    /** What the prompt is told as `attempt`: null on the first run. */
    retryAttempt: Schema.NullOr(Schema.Int),
    adapter: Schema.String
  },
  WorkspaceReady: { at, run, path: Schema.String },
  SessionOpened: { at, run, session: Schema.String, resumed: Schema.Boolean },
  TurnStarted: {
    at,
    run,
    turn: Schema.Int,
    /** The question whose reply its prompt carries. */
    reply: nullUnlessWritten(QuestionId)
  },
  TurnEnded: { at, run, turn: Schema.Int, ...used },
  /** What became known after the last turn had ended: its late requests, and what was used beside any turn. */
  UsageCounted: { at, run, ...used },
  StateChanged: { at, run, state: Schema.String },
  SteeringAsked: {
    at,
    run,
    question: QuestionId,
    text: Schema.String,
    context: Schema.NullOr(Schema.String)
  },
  SteeringAnswered: { at, issue: IssueId, question: QuestionId, reply: Schema.String },
  /** The turn that carried the reply has ended as it should: an agent has taken it up. */
  SteeringDelivered: { at, run, question: QuestionId },
  /** Nobody waits for its answer any more: the issue is finished, or goes on without. */
  SteeringWithdrawn: { at, issue: IssueId, why: Schema.String },
  DoneClaimed: { at, run, claim: DoneClaim },
  CancelRequested: { at, run, reason: CancelReason },
  /** The sandbox is confirmed dead and every token of the run revoked: its slot is free. */
  Quiesced: { at, run, conclusion: Conclusion },
  Exported: { at, run, handoff: HandoffRecord },
  MoveIntended: {
    at,
    run,
    from: Schema.String,
    to: Schema.String,
    fileName: Schema.String,
    inode: Schema.String
  },
  /**
   * `state`: where the issue is now, null when a person removed it. `scan`: the number of the tracker's last scan
   * that had begun by then; a later one knows better, however late this is written down.
   */
  Moved: { at, run, state: Schema.NullOr(Schema.String), byUs: Schema.Boolean, scan: zeroUnlessWritten },
  HookStarted: { at, run },
  HookEnded: { at, run, error: Schema.NullOr(Schema.String) },
  PublishIntended: { at, run },
  Published: { at, run, url: Schema.NullOr(Schema.String) },
  RunEnded: { at, run, outcome: RunOutcome, next: NextStep },
  /** The issue's own text or the settings changed, or a person asked: what held it back no longer does. */
  HoldLifted: { at, issue: IssueId, why: Schema.String },
  /** A move of an issue that no run is working on. */
  RelocationIntended: {
    at,
    issue: IssueId,
    identifier: Identifier,
    title: Schema.String,
    why: RelocationReason,
    from: Schema.String,
    to: Schema.String,
    fileName: Schema.String,
    inode: Schema.String
  },
  /** As `Moved`, but null also when its file cannot be read. */
  Relocated: { at, issue: IssueId, state: Schema.NullOr(Schema.String), scan: zeroUnlessWritten },
  RetryDropped: { at, issue: IssueId, why: Schema.String },
  RetryNow: { at, issue: IssueId },
  OperatorStopped: {
    at,
    issue: IssueId,
    identifier: nullUnlessWritten(Identifier),
    title: nullUnlessWritten(Schema.String),
    contentHash: Schema.NullOr(Schema.String),
    /** Where it lay. */
    state: nullUnlessWritten(Schema.String)
  },
  /** What a handoff that failed has left to do is done again, without an agent. */
  HandoffAsked: { at, issue: IssueId },
  /** It worked this time: the issue's last run has handed over after all. */
  HandedOver: { at, issue: IssueId, handoff: HandoffRecord, url: Schema.NullOr(Schema.String) },
  HandoffFailed: { at, issue: IssueId, message: Schema.String },
  /** A person has looked at what this run of the issue handed over. */
  Reviewed: { at, issue: IssueId, run },
  WorkspaceRemoved: { at, issue: IssueId },
  /**
   * A finished issue of which nothing is remembered has a workspace, which is to go once what is in it is out: `run`
   * stands for those that have worked there.
   */
  WorkspaceFound: {
    at,
    issue: IssueId,
    identifier: Identifier,
    title: Schema.String,
    run,
    path: Schema.String
  },
  AdapterBlocked: { at, adapter: Schema.String, message: Schema.String },
  AdapterUnblocked: { at, adapter: Schema.String },
  /** `running`: dispatch; `paused`: start nothing, keep what runs; `draining`: go on with what was begun, begin nothing. */
  ModeSet: { at, mode: Schema.Literals(["running", "paused", "draining"]) },
  /** Nothing more is to be remembered of an issue that is finished or gone. */
  Forgotten: { at, issue: IssueId }
})
export type SchedulerEvent = typeof SchedulerEvent.Type

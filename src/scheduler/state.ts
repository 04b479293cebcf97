import { Schema } from "effect"
import { Identifier, IssueId, makeQuestionId, makeRunId, QuestionId, RunId } from "../domain/ids.ts"
import { CancelReason, FailureClass, RunOutcome } from "../domain/Outcome.ts"
import { RunningCost } from "../domain/Cost.ts"
import { addTokens, noTokens, Tokens, unknownTokens } from "../domain/Tokens.ts"
import {
  Conclusion,
  DoneClaim,
  HandoffRecord,
  HoldReason,
  nullUnlessWritten,
  RelocationReason,
  RunKind,
  zeroUnlessWritten
} from "./events.ts"
import { Exhaustion } from "./exhaustion.ts"

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
  why: RelocationReason,
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
  /** Of its run: the one that asked. */
  turn: nullUnlessWritten(Schema.Int),
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
  parkedIn: Schema.NullOr(Schema.String),
  /** Where it lay before we parked it, and goes back to when it is retried. */
  parkedFrom: nullUnlessWritten(Schema.String)
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
  /** What was handed over before the last run began. */
  earlierHandoff: nullUnlessWritten(HandoffRecord),
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

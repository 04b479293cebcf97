import { Schema } from "effect"
import { Status } from "../../board/Board.ts"
import { Blocker } from "../../domain/Issue.ts"
import { CancelReason } from "../../domain/Outcome.ts"
import { Problem } from "../../domain/Problem.ts"
import { StateRole } from "../../domain/State.ts"
import { ChangeCommit, ChangedFile, Exported, HandoffFlag } from "../../handoff/Handoff.ts"
import { TranscriptEntry } from "../../journal/Transcripts.ts"
import { HandoffRecord } from "../../scheduler/events.ts"
import { Mode, RunStage } from "../../scheduler/state.ts"

/** ISO 8601, UTC. */
const Time = Schema.String

/** As agents say. Amounts of different currencies are not added up. */
export const CostSum = Schema.Struct({
  amounts: Schema.Record(Schema.String, Schema.Number),
  /** Some of it is not known: a lower bound. */
  partial: Schema.Boolean
})

export const TokenCount = Schema.Struct({
  input_tokens: Schema.Int,
  output_tokens: Schema.Int,
  total_tokens: Schema.Int,
  /** Where the numbers come from; `unknown` is not zero. */
  source: Schema.String,
  /** Absent where nobody said. */
  cost: Schema.optionalKey(CostSum)
})

/** A stable code and a sentence. */
export const Reason = Schema.Struct({ code: Schema.String, text: Schema.String })

export const RunningIssue = Schema.Struct({
  issue_id: Schema.String,
  issue_identifier: Schema.String,
  issue_title: Schema.String,
  issue_body: Schema.NullOr(Schema.String),
  state: Schema.String,
  run_id: Schema.String,
  attempt: Schema.Int,
  stage: RunStage,
  adapter: Schema.String,
  sandbox: Schema.NullOr(Schema.String),
  session_id: Schema.NullOr(Schema.String),
  turn_count: Schema.Int,
  last_event: Schema.NullOr(Schema.String),
  last_message: Schema.NullOr(Schema.String),
  started_at: Time,
  last_event_at: Time,
  tokens: TokenCount,
  steering_requested: Schema.Boolean,
  steering_question: Schema.NullOr(Schema.String),
  steering_context: Schema.NullOr(Schema.String),
  marked_done: Schema.Boolean,
  /** Why it is being ended from our side. */
  stopping: Schema.NullOr(CancelReason)
})

export const RetryingIssue = Schema.Struct({
  issue_id: Schema.String,
  issue_identifier: Schema.String,
  attempt: Schema.Int,
  kind: Schema.Literals(["continuation", "retry"]),
  due_at: Time,
  error: Schema.NullOr(Schema.String)
})

/** An issue that is not running, with the one reason why. */
export const IdleIssue = Schema.Struct({
  issue_id: Schema.String,
  issue_identifier: Schema.String,
  issue_title: Schema.String,
  state: Schema.String,
  status: Status,
  reason: Reason,
  changed_at: Schema.NullOr(Time)
})

export const Question = Schema.Struct({
  issue_id: Schema.String,
  issue_identifier: Schema.String,
  question_id: Schema.String,
  question: Schema.String,
  context: Schema.NullOr(Schema.String),
  asked_at: Time,
  /** Given, not yet taken up by the agent. */
  reply: Schema.NullOr(Schema.String)
})

export const StateResponse = Schema.Struct({
  generated_at: Time,
  workflow: Schema.String,
  tracker_root: Schema.String,
  mode: Mode,
  badge: Schema.Literals(["working", "attention", "idle"]),
  slots: Schema.Struct({ used: Schema.Int, limit: Schema.Int }),
  counts: Schema.Struct({
    running: Schema.Int,
    retrying: Schema.Int,
    needs_you: Schema.Int,
    ready_for_review: Schema.Int,
    waiting: Schema.Int,
    parked: Schema.Int,
    closed: Schema.Int
  }),
  problems: Schema.Array(Problem),
  running: Schema.Array(RunningIssue),
  retrying: Schema.Array(RetryingIssue),
  questions: Schema.Array(Question),
  waiting: Schema.Array(IdleIssue),
  parked: Schema.Array(IdleIssue),
  codex_totals: Schema.Struct({ ...TokenCount.fields, seconds_running: Schema.Number }),
  runs_total: Schema.Int,
  runs_completed: Schema.Int,
  rate_limits: Schema.Null
})

export const IssueSummary = Schema.Struct({
  identifier: Schema.String,
  state: Schema.String,
  title: Schema.String,
  status: Status,
  reason: Reason
})
export const IssueList = Schema.Struct({ issues: Schema.Array(IssueSummary) })

/** Told as one thing: the parts of a union mean nothing to a caller. */
const given = <S extends Schema.Top>(schema: S, what: string) =>
  Schema.optionalKey(Schema.NullOr(schema).annotate({ message: `Expected ${what} or null` }))

export const NewIssueBody = Schema.Struct({
  title: Schema.String,
  identifier: given(Schema.String, "a text"),
  state: given(Schema.String, "a text"),
  description: given(Schema.String, "a text"),
  priority: given(Schema.Int, "a whole number"),
  labels: Schema.optional(Schema.Array(Schema.String)),
  blocked_by: Schema.optional(Schema.Array(Schema.String))
})
export const IssueCreated = Schema.Struct({
  path: Schema.String,
  identifier: Schema.String,
  state: Schema.String
})

export const AttemptResponse = Schema.Struct({
  run_id: Schema.String,
  attempt: Schema.Int,
  kind: Schema.String,
  started_at: Time,
  ended_at: Time,
  turns: Schema.Int,
  /** `Completed`, `Continue`, `Waiting`, `Failed` or `Cancelled`, and why in a sentence. */
  outcome: Schema.String,
  detail: Schema.NullOr(Schema.String),
  tokens: TokenCount
})

export const RecentEvent = Schema.Struct({ at: Time, event: Schema.String, message: Schema.String })

export const IssueDetail = Schema.Struct({
  issue_id: Schema.String,
  issue_identifier: Schema.String,
  issue_title: Schema.String,
  issue_body: Schema.NullOr(Schema.String),
  state: Schema.String,
  role: StateRole,
  status: Status,
  reason: Reason,
  priority: Schema.NullOr(Schema.Int),
  labels: Schema.Array(Schema.String),
  blocked_by: Schema.Array(Blocker),
  url: Schema.NullOr(Schema.String),
  created_at: Schema.NullOr(Schema.String),
  updated_at: Schema.NullOr(Schema.String),
  running: Schema.NullOr(RunningIssue),
  retrying: Schema.NullOr(RetryingIssue),
  question: Schema.NullOr(Question),
  attempts: Schema.Array(AttemptResponse),
  handoff: Schema.NullOr(HandoffRecord),
  /** What the agent of that handoff said when it was done. */
  account: Schema.NullOr(Schema.Struct({ title: Schema.String, summary: Schema.String })),
  pull_request: Schema.NullOr(Schema.String),
  workspace: Schema.NullOr(Schema.String),
  branch: Schema.String,
  tokens: TokenCount,
  seconds: Schema.Number,
  /** Of the newest run, at most 50. */
  recent_events: Schema.Array(RecentEvent)
})

export const RefreshResponse = Schema.Struct({
  queued: Schema.Boolean,
  coalesced: Schema.Boolean,
  requested_at: Time,
  operations: Schema.Array(Schema.Literals(["poll", "reconcile"]))
})

export const ModeResponse = Schema.Struct({ mode: Mode })
export const Accepted = Schema.Struct({ identifier: Schema.String, accepted_at: Time })

/** `question`: answers this one only; whatever is open when left out. */
export const SteeringReply = Schema.Struct({
  text: Schema.String,
  question: Schema.optional(Schema.NullOr(Schema.String))
})
export const MoveBody = Schema.Struct({ to: Schema.String })

export const TranscriptPage = Schema.Struct({
  entries: Schema.Array(TranscriptEntry),
  /** Entries of the whole transcript. */
  total: Schema.Int
})

const change = {
  /** Over the base, oldest first. */
  commits: Schema.Array(ChangeCommit),
  /** The one that `patch` is of; null: of all of them. */
  commit: Schema.NullOr(Schema.String),
  /** A unified diff; null when it is too large. */
  patch: Schema.NullOr(Schema.String)
}

/** What a run handed over, as a reviewer sees it. */
export const DiffResponse = Schema.Struct({
  run_id: Schema.String,
  title: Schema.String,
  summary: Schema.String,
  exported: Exported,
  ...change
})

/** What a workspace held at one moment. Nothing of it is handed over yet. */
export const WorkResponse = Schema.Struct({
  taken_at: Time,
  base: Schema.String,
  /** The commit that would be delivered; null: there is none over the base. */
  head: Schema.NullOr(Schema.String),
  files: Schema.Array(ChangedFile),
  flags: Schema.Array(HandoffFlag),
  /** Changed, gone or new since the last commit. */
  uncommitted: Schema.Array(Schema.String),
  /** In no commit, and more than an export could keep beside the commits. */
  left_out: Schema.Array(Schema.String),
  /** Beside the branch that is handed over, in words. */
  elsewhere: Schema.Array(Schema.String),
  /** What an agent would be told if it were done with it now; null: it would be taken. */
  refusal: Schema.NullOr(Schema.String),
  ...change
})

export const ReviewBody = Schema.Struct({
  purpose: Schema.Literals(["answer", "note", "send_back"]),
  text: Schema.String
})

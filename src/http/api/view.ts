import type { BoardIssue, BoardRun, BoardSnapshot } from "../../board/Board.ts"
import { outcomeDetail } from "../../domain/Outcome.ts"
import type { Tokens } from "../../domain/Tokens.ts"
import type { TranscriptEntry } from "../../journal/Transcripts.ts"
import { eventLine } from "../eventLine.ts"
import { isoTime } from "../isoTime.ts"
import type {
  AttemptResponse,
  IdleIssue,
  IssueDetail,
  IssueList,
  Question,
  RecentEvent,
  RetryingIssue,
  RunningIssue,
  StateResponse,
  TokenCount
} from "./model.ts"

const tokenCount = (tokens: Tokens): typeof TokenCount.Type => ({
  input_tokens: tokens.input,
  output_tokens: tokens.output,
  total_tokens: tokens.total,
  source: tokens.source,
  ...(tokens.cost === undefined ? {} : { cost: tokens.cost })
})

/** An issue that waits for a person's answer, as opposed to one whose answer is on its way, or that is stopped. */
export const isAsking = (issue: BoardIssue): boolean =>
  issue.status === "needs you" && issue.question !== null && issue.question.reply === null

const running = (issue: BoardIssue, run: BoardRun): typeof RunningIssue.Type => ({
  issue_id: issue.id,
  issue_identifier: issue.identifier,
  issue_title: issue.title,
  issue_body: issue.description,
  state: issue.state,
  run_id: run.run,
  attempt: run.attempt,
  stage: run.stage,
  adapter: run.adapter,
  sandbox: run.sandbox,
  session_id: run.session,
  turn_count: run.turn,
  last_event: run.lastEvent,
  last_message: run.lastMessage,
  started_at: isoTime(run.startedAt),
  last_event_at: isoTime(run.lastEventAt),
  tokens: tokenCount(run.tokens),
  steering_requested: isAsking(issue),
  steering_question: issue.question?.text ?? null,
  steering_context: issue.question?.context ?? null,
  marked_done: run.markedDone,
  stopping: run.stopping
})

const retrying = (issue: BoardIssue, retry: NonNullable<BoardIssue["retry"]>): typeof RetryingIssue.Type => ({
  issue_id: issue.id,
  issue_identifier: issue.identifier,
  attempt: retry.attempt,
  kind: retry.kind,
  due_at: isoTime(retry.dueAt),
  error: retry.error
})

const question = (issue: BoardIssue, asked: NonNullable<BoardIssue["question"]>): typeof Question.Type => ({
  issue_id: issue.id,
  issue_identifier: issue.identifier,
  question_id: asked.id,
  question: asked.text,
  context: asked.context,
  asked_at: isoTime(asked.askedAt),
  reply: asked.reply
})

const idle = (issue: BoardIssue): typeof IdleIssue.Type => ({
  issue_id: issue.id,
  issue_identifier: issue.identifier,
  issue_title: issue.title,
  state: issue.state,
  status: issue.status,
  reason: issue.why,
  changed_at: issue.changedAt === null ? null : isoTime(issue.changedAt)
})

export const stateResponse = (board: BoardSnapshot): typeof StateResponse.Type => {
  const runs = board.issues.flatMap((issue) => (issue.run === null ? [] : [running(issue, issue.run)]))
  const retries = board.issues.flatMap((issue) =>
    issue.retry === null ? [] : [retrying(issue, issue.retry)]
  )
  const waiting = board.issues.filter((issue) => issue.status === "waiting")
  const parked = board.issues.filter((issue) => issue.status === "stopped")
  const counted = (status: BoardIssue["status"]): number =>
    board.issues.filter((issue) => issue.status === status).length
  return {
    generated_at: isoTime(board.generatedAt),
    workflow: board.workflow,
    tracker_root: board.trackerRoot,
    mode: board.mode,
    badge: board.badge,
    slots: board.slots,
    counts: {
      running: runs.length,
      retrying: retries.length,
      needs_you: counted("needs you"),
      ready_for_review: counted("ready for review"),
      waiting: waiting.length,
      parked: parked.length,
      closed: counted("closed")
    },
    problems: board.problems,
    running: runs,
    retrying: retries,
    questions: board.issues.flatMap((issue) =>
      issue.question === null ? [] : [question(issue, issue.question)]
    ),
    waiting: waiting.map(idle),
    parked: parked.map(idle),
    codex_totals: { ...tokenCount(board.totals.tokens), seconds_running: board.totals.seconds },
    runs_total: board.totals.runs,
    runs_completed: board.totals.completed,
    rate_limits: null
  }
}

const compareText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

export const issueList = (board: BoardSnapshot): typeof IssueList.Type => ({
  issues: board.issues
    .map((issue) => ({
      identifier: issue.identifier,
      state: issue.state,
      title: issue.title,
      status: issue.status,
      reason: issue.why
    }))
    .sort((left, right) => compareText(left.identifier, right.identifier))
})

const attempt = (ended: BoardIssue["history"][number]): typeof AttemptResponse.Type => ({
  run_id: ended.run,
  attempt: ended.attempt,
  kind: ended.kind,
  started_at: isoTime(ended.startedAt),
  ended_at: isoTime(ended.endedAt),
  turns: ended.turns,
  outcome: ended.outcome._tag,
  detail: outcomeDetail(ended.outcome),
  tokens: tokenCount(ended.tokens)
})

export const recentEvent = (entry: TranscriptEntry): typeof RecentEvent.Type => ({
  at: isoTime(entry.at),
  event: entry.event._tag,
  message: eventLine(entry.event)
})

export const issueDetail = (
  issue: BoardIssue,
  entries: ReadonlyArray<TranscriptEntry>
): typeof IssueDetail.Type => ({
  issue_id: issue.id,
  issue_identifier: issue.identifier,
  issue_title: issue.title,
  issue_body: issue.description,
  state: issue.state,
  role: issue.role,
  status: issue.status,
  reason: issue.why,
  priority: issue.priority,
  labels: issue.labels,
  blocked_by: issue.blockedBy,
  url: issue.url,
  created_at: issue.createdAt,
  updated_at: issue.updatedAt,
  running: issue.run === null ? null : running(issue, issue.run),
  retrying: issue.retry === null ? null : retrying(issue, issue.retry),
  question: issue.question === null ? null : question(issue, issue.question),
  attempts: issue.history.map(attempt),
  handoff: issue.handoff,
  account: issue.account,
  pull_request: issue.pullRequest,
  workspace: issue.workspace,
  branch: issue.branch,
  tokens: tokenCount(issue.tokens),
  seconds: issue.seconds,
  recent_events: entries.map(recentEvent)
})

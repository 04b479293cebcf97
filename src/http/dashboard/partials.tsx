import { HttpServerResponse } from "effect/http"
import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import type { Problem } from "../../domain/Problem.ts"
import { printableLine } from "../../domain/printable.ts"
import { isAsking } from "../api/view.ts"
import { duration, plural, tokenText } from "./format.ts"
import { Act, Ago, IssueLink, issuePath, StatusMark, Untrusted } from "./pieces.tsx"
import { fragmentResponse } from "./render.ts"

const LONGEST_MESSAGE = 140
const LONGEST_ERROR = 200
const SHOWN_IDLE = 50

export interface RegionProps {
  readonly board: BoardSnapshot
}

const MODES: Record<BoardSnapshot["mode"], string> = {
  running: "dispatching",
  paused: "paused: nothing new is started",
  draining: "draining: nothing new is started, symphony ends when nothing runs"
}

export const Header = ({ board }: RegionProps) => (
  <>
    <a class="brand" href="/">
      symphony
    </a>
    <span class={`badge ${board.badge}`}>{board.badge}</span>
    <dl class="facts">
      <div>
        <dt>slots</dt>
        <dd>
          {board.slots.used}/{board.slots.limit}
        </dd>
      </div>
      <div>
        <dt>mode</dt>
        <dd>{MODES[board.mode]}</dd>
      </div>
      <div class="wide">
        <dt>workflow</dt>
        <dd>{printableLine(board.workflow)}</dd>
      </div>
      <div class="wide">
        <dt>tracker</dt>
        <dd>{printableLine(board.trackerRoot)}</dd>
      </div>
    </dl>
    <div class="acts">
      <Act action="/do/refresh" label="Refresh" />
      {board.mode === "running" ? (
        <>
          <Act action="/do/pause" label="Pause" />
          <a class="button" href="/do/drain">
            Drain…
          </a>
        </>
      ) : (
        <Act action="/do/resume" label="Resume" kind="primary" />
      )}
    </div>
  </>
)

const ProblemLine = ({ problem }: { readonly problem: Problem }) => (
  <li class={problem.severity === "warning" ? "warning" : ""}>
    <strong>{problem.severity}</strong> <code>{printableLine(problem.where)}</code>{" "}
    {printableLine(problem.message)}
    {problem.hint === null ? null : <span class="hint"> {printableLine(problem.hint)}</span>}
  </li>
)

const Problems = ({ problems }: { readonly problems: ReadonlyArray<Problem> }) =>
  problems.length === 0 ? null : (
    <section class="problems" aria-label="Problems">
      <h2>
        Problems <span class="count">{problems.length}</span>
      </h2>
      <ul>
        {problems.map((problem) => (
          <ProblemLine problem={problem} />
        ))}
      </ul>
    </section>
  )

/**
 * A question with its answer box; posts with htmx, and as a plain form without script. On the home page the
 * answer brings the queue as it is then.
 */
export const Ask = ({
  board,
  inQueue,
  issue
}: RegionProps & { readonly issue: BoardIssue; readonly inQueue: boolean }) => {
  const { question } = issue
  if (question === null) return null
  const id = `reply-${question.id}`
  const action = `${issuePath(issue.identifier)}/answer`
  return (
    <article class="ask" id={`ask-${question.id}`}>
      <h3>
        <IssueLink issue={issue} /> <span class="title">{printableLine(issue.title, 120)}</span>{" "}
        <span class="dim">
          {issue.run === null ? "" : `turn ${issue.run.turn}, `}
          asked <Ago at={question.askedAt} now={board.generatedAt} /> ago
        </span>
      </h3>
      <Untrusted text={question.text} />
      {question.reply === null ? (
        <form
          method="post"
          action={action}
          {...(inQueue
            ? {
                "hx-post": `/api/v1/issues/${encodeURIComponent(issue.identifier)}/steering-reply`,
                "hx-target": "#attention",
                "hx-swap": "morph:innerHTML"
              }
            : { "hx-post": action, "hx-swap": "none" })}
          class="answer"
        >
          <input type="hidden" name="question" value={question.id} />
          <label class="sr" for={id}>
            Answer {issue.identifier}
          </label>
          <textarea
            id={id}
            name="text"
            rows={1}
            required
            data-enter-sends
            placeholder="Answer"
            title="Enter sends, Shift+Enter starts a new line"
          />
          <button type="submit" class="primary">
            Send
          </button>
        </form>
      ) : (
        <p class="dim">Answered; the agent gets it with its next prompt.</p>
      )}
      <details id={`context-${question.id}`}>
        <summary>Context and issue</summary>
        {question.context === null ? null : (
          <>
            <h4>The agent's context</h4>
            <Untrusted text={question.context} />
          </>
        )}
        <h4>The issue</h4>
        <Untrusted text={issue.description ?? "The issue has no text."} />
      </details>
    </article>
  )
}

const Retries = ({ board }: RegionProps) => {
  const retries = board.issues.flatMap((issue) =>
    issue.retry === null || issue.retry.kind === "continuation" ? [] : [{ issue, retry: issue.retry }]
  )
  return retries.length === 0 ? null : (
    <section aria-label="Retries">
      <h2>
        Retries <span class="count">{retries.length}</span>
      </h2>
      <ul class="rows">
        {retries.map(({ issue, retry }) => (
          <li class="retry">
            <IssueLink issue={issue} />
            <span>attempt {retry.attempt}</span>
            <span class="dim">
              {retry.dueAt <= board.generatedAt
                ? "due now"
                : `due in ${duration((retry.dueAt - board.generatedAt) / 1000)}`}
            </span>
            <span class="error">{retry.error === null ? "" : printableLine(retry.error, LONGEST_ERROR)}</span>
            <Act action={`${issuePath(issue.identifier)}/retry`} label="Retry now" />
          </li>
        ))}
      </ul>
    </section>
  )
}

/** What needs a person; nothing at all when nobody is needed. */
export const Attention = ({ board, problem }: RegionProps & { readonly problem?: string | null }) => {
  const needing = board.issues.filter((issue) => issue.status === "needs you")
  return (
    <>
      {problem === undefined || problem === null ? null : (
        <p class="error banner" role="alert">
          {problem}
        </p>
      )}
      <Problems problems={board.problems} />
      {needing.length === 0 ? null : (
        <section aria-label="Needs you">
          <h2>
            Needs you <span class="count">{needing.length}</span>
          </h2>
          {needing.map((issue) =>
            issue.question === null ? (
              <article class="ask">
                <h3>
                  <IssueLink issue={issue} /> <span class="title">{printableLine(issue.title, 120)}</span>
                </h3>
                <p>{printableLine(issue.why.text)}</p>
              </article>
            ) : (
              <Ask board={board} issue={issue} inQueue />
            )
          )}
        </section>
      )}
      <Retries board={board} />
    </>
  )
}

const Session = ({
  board,
  issue,
  run
}: RegionProps & { readonly issue: BoardIssue; readonly run: NonNullable<BoardIssue["run"]> }) => (
  <li class="session">
    <IssueLink issue={issue} />
    <span class="title">{printableLine(issue.title, 120)}</span>
    <StatusMark status={isAsking(issue) ? "needs you" : issue.status} />
    <span class="num">{run.stage}</span>
    <span class="num">turn {run.turn}</span>
    <span class="num">{tokenText(run.tokens)}</span>
    <span class="num age" title="since the last sign of life">
      <Ago at={run.lastEventAt} now={board.generatedAt} />
    </span>
    <span class="last dim">
      {run.lastMessage === null || run.lastMessage === ""
        ? (run.lastEvent ?? "no word yet")
        : printableLine(run.lastMessage, LONGEST_MESSAGE)}
    </span>
  </li>
)

export const Sessions = ({ board }: RegionProps) => {
  const runs = board.issues.flatMap((issue) => (issue.run === null ? [] : [{ issue, run: issue.run }]))
  return (
    <section aria-label="Sessions">
      <h2>
        Sessions <span class="count">{runs.length}</span>
      </h2>
      {runs.length === 0 ? (
        <p class="dim">Nothing runs.</p>
      ) : (
        <ul class="rows sessions">
          {runs.map(({ issue, run }) => (
            <Session board={board} issue={issue} run={run} />
          ))}
        </ul>
      )}
    </section>
  )
}

const Idle = ({ issue }: { readonly issue: BoardIssue }) => (
  <li class="idle">
    <IssueLink issue={issue} />
    <span class="title">{printableLine(issue.title, 120)}</span>
    <span class="dim">{printableLine(issue.state, 40)}</span>
    <span class="why">{printableLine(issue.why.text)}</span>
  </li>
)

const IdleList = ({
  issues,
  name,
  status
}: {
  readonly name: string
  readonly status: BoardIssue["status"]
  readonly issues: ReadonlyArray<BoardIssue>
}) =>
  issues.length === 0 ? null : (
    <section aria-label={name}>
      <h2>
        <StatusMark status={status} /> <span class="count">{issues.length}</span>
      </h2>
      <ul class="rows">
        {issues.slice(0, SHOWN_IDLE).map((issue) => (
          <Idle issue={issue} />
        ))}
      </ul>
      {issues.length > SHOWN_IDLE ? (
        <p>
          <a href={`/issues?status=${encodeURIComponent(status)}`}>and {issues.length - SHOWN_IDLE} more</a>
        </p>
      ) : null}
    </section>
  )

/** Issues on disk that no run works on, each with the one reason why. */
export const Disk = ({ board }: RegionProps) => {
  const idle = board.issues.filter((issue) => issue.run === null)
  return (
    <>
      <IdleList name="Waiting" status="waiting" issues={idle.filter((issue) => issue.status === "waiting")} />
      <IdleList
        name="Ready for review"
        status="ready for review"
        issues={idle.filter((issue) => issue.status === "ready for review")}
      />
      <IdleList
        name="Stopped"
        status="stopped"
        issues={idle.filter((issue) => issue.status === "stopped" && issue.role !== "terminal")}
      />
    </>
  )
}

export const Totals = ({ board: { totals } }: RegionProps) =>
  totals.runs === 0 && totals.tokens.total === 0 ? null : (
    <p>
      {plural(totals.runs, "run")} · {totals.completed} completed · {tokenText(totals.tokens)} tokens ·{" "}
      {duration(totals.seconds)} of agent time
    </p>
  )

/** The regions of the home page that refresh by themselves; their names are part of their addresses. */
export const regions = {
  header: Header,
  attention: Attention,
  sessions: Sessions,
  disk: Disk,
  totals: Totals
} as const

/** What an answer by htmx gets: the queue as it is now, with what went wrong on top. */
export const attentionResponse = (
  board: BoardSnapshot,
  problem: string | null
): HttpServerResponse.HttpServerResponse => {
  const response = fragmentResponse(<Attention board={board} problem={problem} />)
  return problem === null ? HttpServerResponse.setHeader(response, "hx-trigger", "accepted") : response
}

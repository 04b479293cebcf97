import { HttpServerResponse } from "effect/http"
import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import type { Problem } from "../../domain/Problem.ts"
import { printableLine } from "../../domain/printable.ts"
import { duration } from "./format.ts"
import { Act, Ago, IssueLink, issuePath, type RegionProps, Untrusted } from "./pieces.tsx"
import { fragmentResponse } from "./render.ts"

const LONGEST_ERROR = 200

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

/** What an answer by htmx gets: the queue as it is now, with what went wrong on top. */
export const attentionResponse = (
  board: BoardSnapshot,
  problem: string | null
): HttpServerResponse.HttpServerResponse => {
  const response = fragmentResponse(<Attention board={board} problem={problem} />)
  return problem === null ? HttpServerResponse.setHeader(response, "hx-trigger", "accepted") : response
}

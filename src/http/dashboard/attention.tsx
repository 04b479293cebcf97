import { HttpServerResponse } from "effect/http"
import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { UNREADABLE } from "../../board/unread.ts"
import type { Problem } from "../../domain/Problem.ts"
import { printableLine } from "../../domain/printable.ts"
import { isAsking } from "../api/view.ts"
import { within } from "./pageBytes.ts"
import {
  Age,
  Ago,
  areaText,
  Excerpt,
  FieldProblem,
  IssueLink,
  issuePath,
  More,
  refusedField,
  type RegionProps,
  textOf,
  Until,
  Untrusted
} from "./pieces.tsx"
import { Proposal, RetryNow } from "./issueActions.tsx"
import { fragmentResponse } from "./render.ts"

const LONGEST_ERROR = 200
/**
 * What each part may take; the home page is fetched anew with each change. Cards that there is no room for are lines
 * that lead to their issues.
 */
const PROBLEMS_BYTES = 5000
const CARDS_BYTES = 24_000
const LINES_BYTES = 9000
const RETRIES_BYTES = 5000
/** Of a card, what the question and each of the texts below it may take. */
const QUESTION_BYTES = 6000
const TEXT_BYTES = 1000

const ProblemLine = ({ problem }: { readonly problem: Problem }) => (
  <li class={problem.severity === "warning" ? "warning" : ""}>
    <strong>{problem.severity}</strong> <code>{printableLine(problem.where)}</code>{" "}
    {printableLine(problem.message)}
    {problem.hint === null ? null : <span class="hint"> — {printableLine(problem.hint)}</span>}
    {problem.source === "workflow" && problem.severity === "error" ? (
      <span class="hint"> The last good version stays in force.</span>
    ) : null}
  </li>
)

const Problems = ({ problems }: { readonly problems: ReadonlyArray<Problem> }) => {
  const { more, rows } = within(problems, (problem) => <ProblemLine problem={problem} />, PROBLEMS_BYTES)
  return problems.length === 0 ? null : (
    <section id="problems" class="problems" aria-label="Problems">
      <h2>
        Problems <span class="count">{problems.length}</span>
      </h2>
      <div class="listing" tabindex={0} role="region" aria-label="All problems">
        <ul>
          {rows}
          {more === 0 ? null : (
            <li>
              and {more} more, all of them in <a href="/api/v1/state">/api/v1/state</a>
            </li>
          )}
        </ul>
      </div>
    </section>
  )
}

/** An answer that was not taken: what was typed, and why. `question: null`: whatever is open. */
export interface RefusedAnswer {
  readonly identifier: string
  readonly question: string | null
  readonly text: string
  readonly message: string
}

/** Whether the question that an answer was meant for is still open, so that it can be sent again. */
export const isOpenFor = (refused: RefusedAnswer, issue: BoardIssue): boolean =>
  issue.identifier === refused.identifier &&
  isAsking(issue) &&
  (refused.question === null || refused.question === issue.question?.id)

/** Longer than what is in sight on a phone at once: it scrolls, and so has to be reached by keyboard. */
const scrolls = (text: string): boolean => text.length > 120 || text.split("\n").length > 3

export const QuestionText = ({ issue, text }: { readonly issue: BoardIssue; readonly text: string }) =>
  scrolls(text) ? (
    <div class="question" tabindex={0} role="region" aria-label={`Question of ${issue.identifier}`}>
      <Excerpt issue={issue} text={text} bytes={QUESTION_BYTES} />
    </div>
  ) : (
    <Untrusted text={text} />
  )

/** What becomes of a question that nobody is asked just now. */
const settled = ({ hold }: BoardIssue, { reply }: NonNullable<BoardIssue["question"]>): string => {
  if (reply === null) return "It is stopped, and waits for no answer: retried, it asks this again."
  return hold === null
    ? "Answered; the agent gets it with its next prompt."
    : "Answered; the agent gets it once the issue is retried."
}

/**
 * A question with its answer box where it is open; posts with htmx, and as a plain form without script. On the home page the
 * answer brings the queue as it is then. `refused`: again, with what was typed.
 */
export const Ask = ({
  board,
  inQueue,
  issue,
  refused = null
}: RegionProps & {
  readonly issue: BoardIssue
  readonly inQueue: boolean
  readonly refused?: RefusedAnswer | null
}) => {
  const { question } = issue
  if (question === null) return null
  const id = `reply-${question.id}`
  const action = `${issuePath(issue.identifier)}/answer`
  return (
    <article class="ask" id={`ask-${question.id}`}>
      <h3>
        {inQueue ? (
          <>
            <IssueLink issue={issue} /> <span class="title">{printableLine(issue.title, 120)}</span>
          </>
        ) : (
          "Question"
        )}{" "}
        <span class="dim">
          {question.turn === null ? "" : `turn ${question.turn}, `}
          asked <Ago at={question.askedAt} now={board.generatedAt} /> ago
        </span>
      </h3>
      {inQueue && issue.why.code === UNREADABLE ? <p class="error">{printableLine(issue.why.text)}</p> : null}
      <QuestionText issue={issue} text={question.text} />
      {isAsking(issue) ? (
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
          data-done="Sent."
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
            data-key="a"
            placeholder="Answer"
            title="Enter sends, Shift+Enter starts a new line"
            value={areaText(refused?.text ?? "")}
            {...refusedField(id, refused?.message ?? null)}
          />
          <button type="submit" class="primary">
            Send
          </button>
          <FieldProblem of={id} problem={refused?.message ?? null} />
        </form>
      ) : (
        <p class="dim">{settled(issue, question)}</p>
      )}
      <details id={`context-${question.id}`}>
        <summary>Context and issue</summary>
        {question.context === null ? null : (
          <>
            <h4>The agent's context</h4>
            <Excerpt issue={issue} text={question.context} bytes={TEXT_BYTES} />
          </>
        )}
        <h4>The issue</h4>
        <Excerpt issue={issue} text={textOf(issue)} bytes={TEXT_BYTES} />
      </details>
    </article>
  )
}

/** What a person decides about a proposal or a failed handoff, by the same buttons as on the issue's own page. */
const Decide = ({ board, issue }: RegionProps & { readonly issue: BoardIssue }) => (
  <article class="ask" id={`decide-${issue.id}`}>
    <h3>
      <IssueLink issue={issue} /> <span class="title">{printableLine(issue.title, 120)}</span>{" "}
      <span class="dim">
        {issue.changedAt === null ? null : (
          <>
            <Ago at={issue.changedAt} now={board.generatedAt} /> ago
          </>
        )}
      </span>
    </h3>
    <p>{printableLine(issue.why.text)}</p>
    <div class="acts">
      {issue.hold === null ? (
        <Proposal board={board} issue={issue} />
      ) : (
        <RetryNow board={board} issue={issue} />
      )}
    </div>
    {issue.description === null ? null : (
      <details id={`text-${issue.id}`}>
        <summary>The issue</summary>
        <Excerpt issue={issue} text={textOf(issue)} bytes={TEXT_BYTES} />
      </details>
    )}
  </article>
)

/** An issue that needs a person, and whose card there is no room for. */
const NeedingLine = ({ board, issue }: RegionProps & { readonly issue: BoardIssue }) => (
  <li class="idle" id={`needs-${issue.id}`}>
    <IssueLink issue={issue} />
    <span class="title">{printableLine(issue.title, 80)}</span>
    <Age board={board} issue={issue} />
  </li>
)

type Retry = NonNullable<BoardIssue["retry"]>

const RetryLine = ({
  board,
  issue,
  retry
}: RegionProps & { readonly issue: BoardIssue; readonly retry: Retry }) => (
  <li class="retry" id={`retry-${issue.id}`}>
    <IssueLink issue={issue} />
    <span>attempt {retry.attempt}</span>
    <span class="dim">
      due <Until at={retry.dueAt} now={board.generatedAt} />
    </span>
    <span class="error">{retry.error === null ? "" : printableLine(retry.error, LONGEST_ERROR)}</span>
    <RetryNow board={board} issue={issue} />
  </li>
)

const Retries = ({ board }: RegionProps) => {
  const retries = board.issues.flatMap((issue) =>
    issue.retry === null || issue.retry.kind === "continuation" ? [] : [{ issue, retry: issue.retry }]
  )
  const { more, rows } = within(retries, (of) => <RetryLine board={board} {...of} />, RETRIES_BYTES)
  return retries.length === 0 ? null : (
    <section aria-label="Retries">
      <h2>
        Retries <span class="count">{retries.length}</span>
      </h2>
      <ul class="rows">{rows}</ul>
      <More count={more} href="/issues?status=waiting" />
    </section>
  )
}

/** What needs a person; nothing at all when nobody is needed. */
export const Attention = ({
  board,
  refused = null
}: RegionProps & { readonly refused?: RefusedAnswer | null }) => {
  const again = (issue: BoardIssue) => (refused !== null && isOpenFor(refused, issue) ? refused : null)
  const all = board.issues.filter((issue) => issue.status === "needs you")
  // What was typed is on a card, whatever else there is.
  const needing = [
    ...all.filter((issue) => again(issue) !== null),
    ...all.filter((issue) => again(issue) === null)
  ]
  const cards = within(
    needing,
    (issue) =>
      issue.question === null ? (
        <Decide board={board} issue={issue} />
      ) : (
        <Ask board={board} issue={issue} inQueue refused={again(issue)} />
      ),
    CARDS_BYTES
  )
  const lines = within(
    needing.slice(cards.rows.length),
    (issue) => <NeedingLine board={board} issue={issue} />,
    LINES_BYTES
  )
  return (
    <>
      {refused === null || needing.some((issue) => again(issue) !== null) ? null : (
        <p class="error banner" role="alert">
          {refused.message}
        </p>
      )}
      <Problems problems={board.problems} />
      {needing.length === 0 ? null : (
        <section aria-label="Needs you" data-needing={needing.length}>
          <h2>
            Needs you <span class="count">{needing.length}</span>
          </h2>
          {cards.rows}
          {lines.rows.length === 0 ? null : <ul class="rows">{lines.rows}</ul>}
          <More count={lines.more} href="/issues?status=needs+you" />
        </section>
      )}
      <Retries board={board} />
    </>
  )
}

/** What an answer by htmx gets: the queue as it is now, with what went wrong at the answer, else on top. */
export const attentionResponse = (
  board: BoardSnapshot,
  refused: RefusedAnswer | null
): HttpServerResponse.HttpServerResponse => {
  const response = fragmentResponse(<Attention board={board} refused={refused} />)
  return refused === null ? HttpServerResponse.setHeader(response, "hx-trigger", "accepted") : response
}

import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import type { ComponentChildren } from "preact"
import { printableLine } from "../../domain/printable.ts"
import { Ask, isOpenFor, type RefusedAnswer } from "./attention.tsx"
import { Answered } from "./changeView.tsx"
import { Bar } from "./bar.tsx"
import { Document } from "./layout.tsx"
import { NewIssueForm, type RefusedIssue } from "./newIssue.tsx"
import { areaText, FieldProblem, issuePath, refusedField } from "./pieces.tsx"

const RefusedPage = ({
  back,
  board,
  children,
  heading
}: {
  readonly board: BoardSnapshot
  readonly heading: string
  readonly back: string
  readonly children: ComponentChildren
}) => (
  <Document title={`${heading} · symphony`} now={board.generatedAt}>
    <Bar board={board} />
    <main id="main" class="page">
      <h1>{heading}</h1>
      {children}
      <p>
        <a href={back} data-stop>
          Back
        </a>
      </p>
    </main>
  </Document>
)

/** The form of a new issue again, with all that was typed and what is wrong at its field. */
export const RefusedIssuePage = ({
  board,
  refused
}: {
  readonly board: BoardSnapshot
  readonly refused: RefusedIssue
}) => (
  <RefusedPage board={board} heading="The issue was not filed" back="/">
    <NewIssueForm board={board} refused={refused} />
  </RefusedPage>
)

/** Words that have nowhere to go any more, to be copied from. */
const Kept = ({ text }: { readonly text: string }) => (
  <div class="stack">
    <label for="kept">What you typed</label>
    <textarea id="kept" rows={6} readonly value={areaText(text)} />
  </div>
)

/** The question again with what was typed; only the words where nobody asks it any more. */
export const RefusedAnswerPage = ({
  board,
  issue,
  refused
}: {
  readonly board: BoardSnapshot
  /** Undefined where it is gone. */
  readonly issue: BoardIssue | undefined
  readonly refused: RefusedAnswer
}) => (
  <RefusedPage
    board={board}
    heading={`The answer to ${printableLine(refused.identifier, 80)} was not taken`}
    back={issue === undefined ? "/" : issuePath(issue.identifier)}
  >
    {issue !== undefined && isOpenFor(refused, issue) ? (
      <Ask board={board} issue={issue} inQueue={false} refused={refused} />
    ) : (
      <>
        <p class="error banner" role="alert">
          {refused.message}
        </p>
        <Kept text={refused.text} />
      </>
    )}
  </RefusedPage>
)

const AGAIN = {
  answer: "Answer with this",
  note: "Write it down",
  send_back: "Send back with this"
} as const

export interface RefusedReview {
  readonly identifier: string
  readonly run: string
  /** The page that was commented on. */
  readonly page: "diff" | "work"
  readonly purpose: keyof typeof AGAIN
  /** All comments as one text. */
  readonly text: string
  readonly message: string
}

/** All that was said about a diff, as the one message that it becomes, to be mended and sent again. */
export const RefusedReviewPage = ({
  board,
  issue,
  refused
}: {
  readonly board: BoardSnapshot
  /** Undefined where it is gone. */
  readonly issue: BoardIssue | undefined
  readonly refused: RefusedReview
}) => {
  const path = issuePath(refused.identifier)
  return (
    <RefusedPage board={board} heading="The review was not taken" back={`${path}/${refused.page}`}>
      <form method="post" action={`${path}/review`} class="stack">
        <input type="hidden" name="run" value={refused.run} />
        <input type="hidden" name="page" value={refused.page} />
        {issue !== undefined && refused.purpose === "answer" ? <Answered issue={issue} /> : null}
        <label for="review-again">Your comments, as one message</label>
        <textarea
          id="review-again"
          name="text"
          rows={8}
          value={areaText(refused.text)}
          {...refusedField("review-again", refused.message)}
        />
        <FieldProblem of="review-again" problem={refused.message} />
        <button type="submit" name="purpose" value={refused.purpose} class="primary">
          {AGAIN[refused.purpose]}
        </button>
      </form>
    </RefusedPage>
  )
}

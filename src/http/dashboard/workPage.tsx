import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import type { WorkPreview } from "../../handoff/Handoff.ts"
import { isAsking } from "../api/view.ts"
import { Bar } from "./bar.tsx"
import { ANSWER, ChangeView, Flags, Review, type ReviewPurpose, shortId } from "./changeView.tsx"
import { clockTime, plural } from "./format.ts"
import { Document } from "./layout.tsx"
import { issuePath } from "./pieces.tsx"

const MOST_LISTED = 25

const SEND_BACK: ReviewPurpose = {
  says: "Your comments are written into the issue, all in one message, and its next run takes them up.",
  buttons: [{ purpose: "send_back", label: "Send back with this" }]
}

/** To whom comments can go: nobody while an agent is at work that asks nothing. */
const purposeOf = (issue: BoardIssue): ReviewPurpose | null =>
  isAsking(issue) ? ANSWER : issue.run === null && issue.question === null ? SEND_BACK : null

const Names = ({ heading, names }: { readonly heading: string; readonly names: ReadonlyArray<string> }) =>
  names.length === 0 ? null : (
    <section aria-label={heading}>
      <h2>
        {heading} <span class="count">{names.length}</span>
      </h2>
      <ul class="names mono">
        {names.slice(0, MOST_LISTED).map((name) => (
          <li>{printableLine(name, 200)}</li>
        ))}
      </ul>
      {names.length > MOST_LISTED ? <p class="dim">and {names.length - MOST_LISTED} more</p> : null}
    </section>
  )

/** What is in the workspace of an issue now, before anybody has handed it over. */
export const WorkPage = ({
  board,
  issue,
  page,
  work
}: {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
  readonly work: WorkPreview
  readonly page: number
}) => {
  const path = `${issuePath(issue.identifier)}/work`
  const purpose = purposeOf(issue)
  return (
    <Document
      title={`Work on ${printableLine(issue.identifier, 80)} · symphony`}
      now={board.generatedAt}
      scripts={["review.js"]}
    >
      <Bar board={board}>
        <a class="id" href={issuePath(issue.identifier)}>
          {printableLine(issue.identifier, 80)}
        </a>
        <span>work so far</span>
      </Bar>
      <main id="main">
        <h1 class="issue-title">{printableLine(issue.title, 200)}</h1>
        <p>
          <strong>Not handed over yet.</strong> What is in its workspace as of {clockTime(work.takenAt)}
          {issue.run === null ? "" : ", while its run goes on"}. <a href={path}>Look again</a>
        </p>
        <p class="dim">
          {plural(work.commits.length, "commit")} · {plural(work.files.length, "file")} ·{" "}
          <span class="mono">{shortId(work.base)}</span>
          {work.head === null ? null : <span class="mono">..{shortId(work.head)}</span>}
        </p>
        <Flags flags={work.flags} />
        {work.refusal === null ? null : (
          <p class="warning">Its agent could not be done with it as it is: {printableLine(work.refusal)}</p>
        )}
        <Names heading="In no commit" names={work.uncommitted} />
        <Names heading="In no commit, and not kept by a handoff" names={work.leftOut} />
        <Names heading="Beside its branch" names={work.elsewhere} />
        {work.head === null ? <p class="dim">Nothing is committed yet.</p> : null}
        <ChangeView path={path} change={work} page={page} comments={purpose !== null} />
        {purpose === null ? (
          <p class="dim">Comments are taken when its agent asks, or when its run has ended.</p>
        ) : (
          <Review issue={issue} page="work" about="work so far" purpose={purpose} />
        )}
      </main>
    </Document>
  )
}

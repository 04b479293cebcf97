import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import type { WorkPreview } from "../../handoff/Handoff.ts"
import {
  ChangePage,
  ChangeView,
  Flags,
  hasLines,
  purposeOf,
  Review,
  type ReviewPurpose,
  shortId
} from "./changeView.tsx"
import { clockTime, plural } from "./format.ts"
import { issuePath } from "./pieces.tsx"

const MOST_LISTED = 25

const SEND_BACK: ReviewPurpose = {
  says: "Your comments are written into the issue, all in one message, and its next run takes them up.",
  buttons: [{ purpose: "send_back", label: "Send back with this" }]
}

/** What is in a workspace is told apart by the run that left it there. */
const aboutOf = ({ history, run }: BoardIssue): string => {
  const newest = run?.run ?? history.at(-1)?.run
  return newest === undefined ? "work so far" : `work so far of ${newest}`
}

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
  const purpose = purposeOf(issue, SEND_BACK)
  return (
    <ChangePage board={board} issue={issue} title="Work on" name="work so far">
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
      <ChangeView path={path} change={work} page={page} comments={typeof purpose !== "string"} />
      <Review issue={issue} hasLines={hasLines(work)} page="work" about={aboutOf(issue)} purpose={purpose} />
    </ChangePage>
  )
}

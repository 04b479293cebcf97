import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import type { HandoffDiff } from "../../handoff/Handoff.ts"
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
import { plural } from "./format.ts"
import { issuePath, runPath, Untrusted, withoutCommit } from "./pieces.tsx"

/** Of the agent's account; the rest is in its report. */
const LONGEST_SUMMARY = 4000

const REVIEW: ReviewPurpose = {
  says: "Your comments are written into the issue, all in one message. Send it back to have an agent take them up.",
  buttons: [
    { purpose: "send_back", label: "Send back with this" },
    { purpose: "note", label: "Only write it down" }
  ]
}

/** What a run hands over, as a reviewer reads it: what is dangerous first. */
export const DiffPage = ({
  board,
  diff,
  issue,
  page
}: {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
  readonly diff: HandoffDiff
  readonly page: number
}) => {
  const { exported, summary } = diff
  const purpose = purposeOf(issue, REVIEW)
  return (
    <ChangePage board={board} issue={issue} title="Diff of" name="diff">
      <h1 class="issue-title">{printableLine(diff.title, 200)}</h1>
      {issue.run === null || issue.run.run === diff.runId ? null : (
        <p class="warning">
          <strong>A newer run is under way:</strong>{" "}
          <a class="id" href={runPath(issue.identifier, issue.run.run)}>
            {issue.run.run}
          </a>
          . This is what {diff.runId} handed over.
        </p>
      )}
      <p class="dim">
        {diff.runId} · {exported.verdict} · {plural(exported.commits, "commit")} ·{" "}
        {plural(exported.files.length, "file")} · <span class="mono">{shortId(exported.base)}</span>
        {exported.head === null ? null : <span class="mono">..{shortId(exported.head)}</span>}
      </p>
      <Flags flags={exported.flags} />
      <Untrusted text={summary.slice(0, LONGEST_SUMMARY)} />
      {summary.length > LONGEST_SUMMARY ? (
        <p class="dim">The rest is in {printableLine(exported.report)}.</p>
      ) : null}
      {diff.patch === null && exported.patch !== null ? (
        <p class="dim">The patch is at {printableLine(exported.patch)}.</p>
      ) : null}
      {exported.head === null ? <p class="dim">{withoutCommit(issue)}</p> : null}
      <ChangeView
        path={`${issuePath(issue.identifier)}/diff`}
        change={diff}
        page={page}
        comments={typeof purpose !== "string"}
      />
      <Review issue={issue} hasLines={hasLines(diff)} page="diff" about={diff.runId} purpose={purpose} />
    </ChangePage>
  )
}

import { type BoardIssue, type BoardSnapshot, Status } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import { Bar } from "./bar.tsx"
import { Document } from "./layout.tsx"
import { Age, IssueLink, StatusMark } from "./pieces.tsx"

const SHOWN = 200

export interface IssuesQuery {
  readonly status: string
  readonly q: string
}

const matches = (issue: BoardIssue, { q, status }: IssuesQuery): boolean =>
  (status === "" || issue.status === status) &&
  `${issue.identifier} ${issue.title} ${issue.state} ${issue.labels.join(" ")}`
    .toLowerCase()
    .includes(q.trim().toLowerCase())

/** Every issue of the tracker, by status and by words. */
export const IssuesPage = ({
  board,
  query
}: {
  readonly board: BoardSnapshot
  readonly query: IssuesQuery
}) => {
  const found = board.issues.filter((issue) => matches(issue, query))
  const url = `/issues?${new URLSearchParams({ status: query.status, q: query.q }).toString()}`
  return (
    <Document title="Issues · symphony" now={board.generatedAt}>
      <Bar board={board} />
      <main id="main">
        <h1 class="sr">Issues</h1>
        <form method="get" action="/issues" class="filter" role="search">
          <div>
            <label for="filter">Words</label>
            <input id="filter" name="q" type="search" value={query.q} autocomplete="off" />
          </div>
          <div>
            <label for="filter-status">Status</label>
            <select id="filter-status" name="status">
              <option value="">all</option>
              {Status.literals.map((status) => (
                <option value={status} selected={status === query.status}>
                  {status}
                </option>
              ))}
            </select>
          </div>
          <button type="submit">Filter</button>
        </form>
        <div
          id="issues"
          class="region"
          hx-get={url}
          hx-select="#issues"
          hx-trigger="refreshed from:body"
          hx-swap="morph:outerHTML"
        >
          <h2>
            Issues <span class="count">{found.length}</span>
          </h2>
          {found.length > 0 ? null : board.issues.length === 0 ? (
            <p class="dim">
              There is no issue yet. <a href="/#new-title">File one</a>, or put a file into{" "}
              {printableLine(board.trackerRoot)}.
            </p>
          ) : (
            <p class="dim">
              No issue is like that. <a href="/issues">Show all {board.issues.length}</a>
            </p>
          )}
          <ul class="rows">
            {found.slice(0, SHOWN).map((issue) => (
              <li class="idle" id={`row-${issue.id}`}>
                <IssueLink issue={issue} />
                <span class="title">{printableLine(issue.title, 120)}</span>
                <StatusMark status={issue.status} />
                <span class="why dim" title={printableLine(issue.why.text, 300)}>
                  {printableLine(issue.why.text, 300)}
                </span>
                <Age board={board} issue={issue} />
              </li>
            ))}
          </ul>
          {found.length > SHOWN ? (
            <p class="dim">The first {SHOWN} are shown. Filter to see others.</p>
          ) : null}
        </div>
      </main>
    </Document>
  )
}

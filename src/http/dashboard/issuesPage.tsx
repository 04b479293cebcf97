import { type BoardIssue, type BoardSnapshot, Status } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import { Bar } from "./bar.tsx"
import { Document } from "./layout.tsx"
import { Onward } from "./onward.tsx"
import { within } from "./pageBytes.ts"
import { Age, IssueLink, StatusMark } from "./pieces.tsx"

/** Rows on one page, at the most, and what they may take. */
const MOST_ROWS = 100
const ROWS_BYTES = 80_000

export interface IssuesQuery {
  readonly status: string
  readonly q: string
  /** The first row that is shown, counted from 0. */
  readonly from: number
}

const matches = (issue: BoardIssue, { q, status }: IssuesQuery): boolean =>
  (status === "" || issue.status === status) &&
  `${issue.identifier} ${issue.title} ${issue.state} ${issue.labels.join(" ")}`
    .toLowerCase()
    .includes(q.trim().toLowerCase())

const Row = ({ board, issue }: { readonly board: BoardSnapshot; readonly issue: BoardIssue }) => (
  <li class="idle" id={`row-${issue.id}`}>
    <IssueLink issue={issue} />
    <span class="title">{printableLine(issue.title, 120)}</span>
    <StatusMark status={issue.status} />
    <span class="why dim">{printableLine(issue.why.text, 300)}</span>
    <Age board={board} issue={issue} />
  </li>
)

/** Every issue of the tracker, by status and by words. */
export const IssuesPage = ({
  board,
  query
}: {
  readonly board: BoardSnapshot
  readonly query: IssuesQuery
}) => {
  const found = board.issues.filter((issue) => matches(issue, query))
  // Of a list that has become shorter the beginning is shown.
  const from = query.from > 0 && query.from < found.length ? query.from : 0
  const { rows } = within(
    found.slice(from, from + MOST_ROWS),
    (issue) => <Row board={board} issue={issue} />,
    ROWS_BYTES
  )
  const end = from + rows.length
  const words = { status: query.status, q: query.q }
  const url = `/issues?${new URLSearchParams({ ...words, from: String(from) }).toString()}`
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
          <ul class="rows">{rows}</ul>
          {rows.length === found.length ? null : (
            <p class="dim">
              {from + 1}–{end} of {found.length}
            </p>
          )}
          <Onward path="/issues" query={words} from={from} next={end < found.length ? end : null} />
        </div>
      </main>
    </Document>
  )
}

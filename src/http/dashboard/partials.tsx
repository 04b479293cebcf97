import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import { Attention } from "./attention.tsx"
import { duration, plural, tokenText, usageText } from "./format.ts"
import { within } from "./pageBytes.ts"
import { Act, Age, BarBadge, Ago, IssueLink, More, runPath, type RegionProps, StatusMark } from "./pieces.tsx"

const LONGEST_MESSAGE = 140
/** What the rows of the sessions may take, and of each list of issues. */
const SESSIONS_BYTES = 34_000
const IDLE_BYTES = 4000

const PLACES = [
  ["needs you", "attention"],
  ["working", "sessions"],
  ["ready for review", "ready-for-review"],
  ["stopped", "stopped"],
  ["waiting", "waiting"]
] as const

const MODES: Record<BoardSnapshot["mode"], string> = {
  running: "dispatching",
  paused: "paused: nothing is started, what runs goes on",
  draining: "draining: what was begun goes on to its end, nothing new is begun"
}

/** How many issues are at what, each leading to where they stand. */
const Counts = ({ board }: RegionProps) => (
  <ul class="counts" aria-label="Issues by status">
    {PLACES.map(([status, place]) => {
      const count = board.issues.filter((issue) => issue.status === status).length
      return count === 0 ? null : (
        <li>
          <a href={`/#${place}`} title={status}>
            <StatusMark status={status} /> {count}
          </a>
        </li>
      )
    })}
  </ul>
)

export const Header = ({ board }: RegionProps) => (
  <>
    <a class="brand" href="/">
      symphony
    </a>
    <span class={`badge ${board.badge}`}>{board.badge}</span>
    <Counts board={board} />
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
      {board.mode === "running" ? (
        <>
          <a class="button" href="/do/drain" data-stop>
            Drain…
          </a>
          <Act action="/do/pause" label="Pause" done="Nothing new is started." hotkey="p" />
        </>
      ) : (
        <Act action="/do/resume" label="Resume" done="Issues are started again." kind="primary" hotkey="p" />
      )}
      {/* Last, so that it stays in its place whatever is before it: the row ends at the edge. */}
      <Act action="/do/refresh" label="Refresh" done="The tracker is read anew." />
    </div>
  </>
)

const Session = ({
  board,
  issue,
  run
}: RegionProps & { readonly issue: BoardIssue; readonly run: NonNullable<BoardIssue["run"]> }) => (
  <li class="session" id={`session-${issue.id}`}>
    <IssueLink issue={issue} />
    <span class="title">{printableLine(issue.title, 120)}</span>
    <StatusMark status={issue.status} />
    <span class="num">{run.stopping === null ? run.stage : "stopping"}</span>
    <a class="num" href={runPath(issue.identifier, run.run)} title="the transcript of this run">
      turn {run.turn}
    </a>
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
  const { more, rows } = within(runs, (of) => <Session board={board} {...of} />, SESSIONS_BYTES)
  return (
    <section aria-label="Sessions">
      <h2>
        Sessions <span class="count">{runs.length}</span>
      </h2>
      {runs.length === 0 ? <p class="dim">Nothing runs.</p> : <ul class="rows sessions">{rows}</ul>}
      <More count={more} href="/issues?status=working" />
    </section>
  )
}

const Idle = ({ board, issue }: RegionProps & { readonly issue: BoardIssue }) => (
  <li class="idle" id={`idle-${issue.id}`}>
    <IssueLink issue={issue} />
    <span class="title">{printableLine(issue.title, 120)}</span>
    <span class="dim">{printableLine(issue.state, 40)}</span>
    <span class="why">{printableLine(issue.why.text, 300)}</span>
    <Age board={board} issue={issue} />
  </li>
)

const IdleList = ({
  board,
  issues,
  name,
  status
}: RegionProps & {
  readonly name: string
  readonly status: BoardIssue["status"]
  readonly issues: ReadonlyArray<BoardIssue>
}) => {
  const { more, rows } = within(issues, (issue) => <Idle board={board} issue={issue} />, IDLE_BYTES)
  return issues.length === 0 ? null : (
    <section aria-label={name} id={status.replaceAll(" ", "-")}>
      <h2>
        <StatusMark status={status} /> <span class="count">{issues.length}</span>
      </h2>
      <ul class="rows">{rows}</ul>
      <More count={more} href={`/issues?status=${encodeURIComponent(status)}`} />
    </section>
  )
}

const IDLE = [
  ["Ready for review", "ready for review"],
  ["Stopped", "stopped"],
  ["Waiting", "waiting"]
] as const

/** Issues on disk that no run works on, each with the one reason why. */
export const Disk = ({ board }: RegionProps) => {
  const idle = board.issues.filter((issue) => issue.run === null)
  return (
    <>
      {IDLE.map(([name, status]) => (
        <IdleList
          board={board}
          name={name}
          status={status}
          issues={idle.filter((issue) => issue.status === status)}
        />
      ))}
    </>
  )
}

export const Totals = ({ board: { totals } }: RegionProps) =>
  totals.runs === 0 && totals.tokens.total === 0 ? null : (
    <p>
      {plural(totals.runs, "run")} · {totals.completed} completed · {usageText(totals.tokens)} ·{" "}
      {duration(totals.seconds)} of agent time
    </p>
  )

/** Parts of pages that refresh by themselves; their names are part of their addresses. */
export const regions = {
  header: Header,
  attention: Attention,
  sessions: Sessions,
  disk: Disk,
  totals: Totals,
  badge: BarBadge
} as const

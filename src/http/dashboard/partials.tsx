import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import { isAsking } from "../api/view.ts"
import { Attention } from "./attention.tsx"
import { duration, plural, tokenText } from "./format.ts"
import { Act, Ago, IssueLink, type RegionProps, StatusMark } from "./pieces.tsx"

const LONGEST_MESSAGE = 140
const SHOWN_IDLE = 50

const MODES: Record<BoardSnapshot["mode"], string> = {
  running: "dispatching",
  paused: "paused: nothing new is started",
  draining: "draining: nothing new is started; stop symphony when nothing runs any more"
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

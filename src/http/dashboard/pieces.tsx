import type { BoardIssue, BoardSnapshot, Status } from "../../board/Board.ts"
import { printable, printableLine } from "../../domain/printable.ts"
import { UNREADABLE } from "../../board/unread.ts"
import { withoutMarks } from "../../tracker/notes.ts"
import { isoTime } from "../isoTime.ts"
import { beginning } from "./pageBytes.ts"
import { clockTime, duration, plural } from "./format.ts"

export interface RegionProps {
  readonly board: BoardSnapshot
}

const GLYPHS: Record<Status, string> = {
  working: "●",
  "needs you": "▲",
  "ready for review": "✓",
  waiting: "○",
  stopped: "■",
  closed: "–"
}

/** A status in its word, its mark and its colour. */
export const StatusMark = ({ status }: { readonly status: Status }) => (
  <span class={`status ${status.replaceAll(" ", "-")}`}>
    <span aria-hidden="true">{GLYPHS[status]} </span>
    {status}
  </span>
)

/** What the whole is at, leading home; how many need a person where any does. */
const Badge = ({ board }: RegionProps) => {
  const needing = board.issues.filter(({ status }) => status === "needs you").length
  return (
    <a class={`badge ${board.badge}`} href="/">
      {needing === 0 ? board.badge : `${needing} ${needing === 1 ? "needs" : "need"} you`}
    </a>
  )
}

const ProblemCount = ({ board: { problems } }: RegionProps) =>
  problems.length === 0 ? null : (
    <a
      class={`problem-count${problems.some(({ severity }) => severity === "error") ? " error" : ""}`}
      href="/#problems"
    >
      <span aria-hidden="true">▲ </span>
      {plural(problems.length, "problem")}
    </a>
  )

/** The badge of a page that shows no problems of its own. */
export const BarBadge = ({ board }: RegionProps) => (
  <>
    <Badge board={board} /> <ProblemCount board={board} />
  </>
)

/** How long ago; the script keeps it counting between refreshes. */
export const Ago = ({ at, now }: { readonly at: number; readonly now: number }) => (
  <time datetime={isoTime(at)} title={clockTime(at)} data-since={at}>
    {duration((now - at) / 1000)}
  </time>
)

/** How long until; counts down between refreshes, and says so when it is time. */
export const Until = ({ at, now }: { readonly at: number; readonly now: number }) => (
  <time datetime={isoTime(at)} title={clockTime(at)} data-until={at}>
    {at <= now ? "now" : `in ${duration((at - now) / 1000)}`}
  </time>
)

/** The age of the last evidence of an issue on its row; nothing where there is none. */
export const Age = ({ board, issue }: RegionProps & { readonly issue: BoardIssue }) => (
  <span class="num age" title="since the last that is known to have happened to it">
    {issue.changedAt === null ? null : <Ago at={issue.changedAt} now={board.generatedAt} />}
  </span>
)

export const issuePath = (identifier: string): string => `/issues/${encodeURIComponent(identifier)}`

/** Where all that is written of an issue can be read. */
export const textPath = (identifier: string): string => `${issuePath(identifier)}/text`

export const runPath = (identifier: string, run: string): string =>
  `${issuePath(identifier)}/runs/${encodeURIComponent(run)}`

export const IssueLink = ({ issue }: { readonly issue: Pick<BoardIssue, "identifier"> }) => (
  <a class="id" href={issuePath(issue.identifier)}>
    {printableLine(issue.identifier, 80)}
  </a>
)

/** What an agent or an issue says: text, never markup, with nothing hidden in it. */
export const Untrusted = ({ text }: { readonly text: string }) => (
  <div class="untrusted" dir="auto">
    {printable(text)}
  </div>
)

/** The text of an issue as people read it, without the marks of its notes. */
export const textOf = ({ description, why }: BoardIssue): string =>
  description === null
    ? why.code === UNREADABLE
      ? "Its text cannot be read."
      : "The issue has no text."
    : withoutMarks(description)

/** What there is to a handoff that has no commit. */
export const withoutCommit = ({ account }: Pick<BoardIssue, "account">): string =>
  account === null ? "No commit was there to be handed over." : "No commit: the summary is the result."

/** The beginning of such a text of an issue, and the way to all of it. `bytes`: what it may take. */
export const Excerpt = ({
  bytes,
  issue,
  text
}: {
  readonly issue: Pick<BoardIssue, "identifier">
  readonly text: string
  readonly bytes: number
}) => {
  const shown = beginning(text, bytes)
  return shown === text ? (
    <Untrusted text={text} />
  ) : (
    <>
      <Untrusted text={`${shown}…`} />
      <p>
        <a href={textPath(issue.identifier)}>all of it</a>
      </p>
    </>
  )
}

/** That a list goes on elsewhere. */
export const More = ({ count, href }: { readonly count: number; readonly href: string }) =>
  count === 0 ? null : (
    <p>
      <a href={href}>and {count} more</a>
    </p>
  )

/** The content of a textarea: HTML drops a line break that it begins with. */
export const areaText = (text: string): string => (text.startsWith("\n") ? `\n${text}` : text)

/** Attributes of a field that was refused; the words stand below it as its `FieldProblem`. */
export const refusedField = (id: string, problem: string | null) =>
  problem === null
    ? {}
    : { "aria-invalid": "true" as const, "aria-describedby": `${id}-problem`, autofocus: true }

/** What is wrong with the field of that id. The script makes the same. */
export const FieldProblem = ({ of, problem }: { readonly of: string; readonly problem: string | null }) =>
  problem === null ? null : (
    <p id={`${of}-problem`} class="error problem" role="alert">
      {problem}
    </p>
  )

/** A button that posts, with and without script. By its id a refresh never makes it another one. */
export const Act = ({
  action,
  done,
  fields = {},
  hotkey,
  kind,
  label
}: {
  readonly action: string
  /** What is sent with it. */
  readonly fields?: Readonly<Record<string, string>>
  readonly label: string
  /** What is said once it is taken. */
  readonly done: string
  readonly hotkey?: string
  readonly kind?: "primary" | "danger"
}) => (
  <form
    id={["act", action, ...Object.values(fields)].join(" ").replaceAll(" ", "-")}
    method="post"
    action={action}
    hx-post={action}
    hx-swap="none"
    class="act"
    data-done={done}
  >
    {Object.entries(fields).map(([name, value]) => (
      <input type="hidden" name={name} value={value} />
    ))}
    <button type="submit" class={kind ?? ""} data-stop data-key={hotkey}>
      {label}
    </button>
  </form>
)

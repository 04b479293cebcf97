import type { ComponentChildren } from "preact"
import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printable, printableLine } from "../../domain/printable.ts"
import type { Change, HandoffFlag } from "../../handoff/Handoff.ts"
import { type DiffPart, FOLDED, LONGEST_LINE, pagesOf } from "./diffPages.ts"
import { isAsking } from "../api/view.ts"
import { QuestionText } from "./attention.tsx"
import { Bar } from "./bar.tsx"
import { plural } from "./format.ts"
import { Document } from "./layout.tsx"
import { issuePath } from "./pieces.tsx"
import { type DiffFile, type DiffLine, parseDiff } from "./unifiedDiff.ts"

/** Commits, and files, that are listed by name on a page. */
const MOST_LISTED = 40

const SIGNS: Record<DiffLine["kind"], string> = { added: "+", removed: "-", context: " ", hunk: "", note: "" }

/** A page about a change of an issue. `title` begins its title, `name` says in the bar where one is. */
export const ChangePage = ({
  board,
  children,
  issue,
  name,
  title
}: {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
  readonly title: string
  readonly name: string
  readonly children: ComponentChildren
}) => (
  <Document
    title={`${title} ${printableLine(issue.identifier, 80)} · symphony`}
    now={board.generatedAt}
    scripts={["review.js"]}
  >
    <Bar board={board}>
      <a class="id" href={issuePath(issue.identifier)}>
        {printableLine(issue.identifier, 80)}
      </a>
      <span>{name}</span>
    </Bar>
    <main id="main">{children}</main>
  </Document>
)

/** What to look at before anything else; on each page of a change. */
export const Flags = ({ flags }: { readonly flags: ReadonlyArray<typeof HandoffFlag.Type> }) =>
  flags.length === 0 ? null : (
    <ul class="flags" aria-label="Look at these first">
      {flags.map((flag) => (
        <li>
          <span aria-hidden="true">▲ </span>
          <strong>{printableLine(flag.kind, 40)}</strong> {printableLine(flag.detail)}
        </li>
      ))}
    </ul>
  )

export const shortId = (id: string): string => printableLine(id.slice(0, 12))

interface Place {
  /** Address of the whole change. */
  readonly path: string
  readonly change: Change
}

const addressOf = ({ change, path }: Place, page: number): string => {
  const query = new URLSearchParams({
    ...(change.commit === null ? {} : { commit: change.commit }),
    ...(page === 1 ? {} : { page: String(page) })
  }).toString()
  return query === "" ? path : `${path}?${query}`
}

const commitPath = (path: string, id: string): string => `${path}?commit=${encodeURIComponent(id)}`

/** From one commit to those beside it. */
const Neighbours = ({ change: { commit, commits }, path }: Place) => {
  const at = commits.findIndex(({ id }) => id === commit)
  const [before, after] = at === -1 ? [] : [commits[at - 1], commits[at + 1]]
  return at === -1 ? null : (
    <nav class="acts" aria-label="Commits">
      {before === undefined ? null : (
        <a class="button" href={commitPath(path, before.id)}>
          Commit before
        </a>
      )}
      <span class="dim">
        commit {at + 1} of {commits.length}
      </span>
      {after === undefined ? null : (
        <a class="button" href={commitPath(path, after.id)}>
          Next commit
        </a>
      )}
    </nav>
  )
}

/** The commits of a change, each of which can be read alone. */
const Commits = ({ change, path }: Place) => {
  const { commit, commits } = change
  // What is read is listed, wherever it is.
  const listed = commits.filter(({ id }, index) => index < MOST_LISTED || id === commit)
  return commits.length < 2 && commit === null ? null : (
    <details class="commits" open={commits.length <= 12}>
      <summary>{plural(commits.length, "commit")}, oldest first</summary>
      <ol class="rows">
        <li>
          <a href={path} {...(commit === null ? { "aria-current": "page" } : {})}>
            All of them
          </a>
        </li>
        {listed.map(({ author, id, subject }) => (
          <li>
            <a
              class="mono"
              href={commitPath(path, id)}
              {...(id === commit ? { "aria-current": "page" } : {})}
            >
              {shortId(id)}
            </a>
            <span>
              {printableLine(subject, 80)} <span class="dim">{printableLine(author, 40)}</span>
            </span>
          </li>
        ))}
      </ol>
      {listed.length < commits.length ? (
        <p class="dim">and {commits.length - listed.length} more; the API names them all.</p>
      ) : null}
    </details>
  )
}

interface Commenting {
  readonly comments: boolean
}

const Number = ({ comments, value }: Commenting & { readonly value: number | null }) => (
  <td class="ln">{comments && value !== null ? <button>{value}</button> : value}</td>
)

const Line = ({ comments, line }: Commenting & { readonly line: DiffLine }) => (
  <tr class={line.kind}>
    <Number comments={comments && line.new === null} value={line.old} />
    <Number comments={comments} value={line.new} />
    <td class="code">{`${SIGNS[line.kind]}${printable(line.text.slice(0, LONGEST_LINE))}`}</td>
  </tr>
)

const File = ({ comments, part: { before, file, lines } }: Commenting & { readonly part: DiffPart }) => {
  const path = printableLine(file.path, 300)
  return (
    <details class="file" open={!FOLDED.test(file.path)}>
      <summary data-stop>
        <span class="mono">{path}</span> <span class="go">+{file.added}</span>{" "}
        <span class="error">−{file.removed}</span>
        {before === 0 ? null : <span class="dim"> from its line {before + 1} of the diff on</span>}
      </summary>
      <div class="scroll" tabindex={0} role="region" aria-label={`Diff of ${path.slice(0, 100)}`}>
        <table class="diff" data-path={path}>
          <tbody>
            {lines.map((line) => (
              <Line comments={comments} line={line} />
            ))}
          </tbody>
        </table>
      </div>
    </details>
  )
}

/** Which page each file begins on, where there are several. */
const Contents = ({
  pages,
  place
}: {
  readonly pages: ReadonlyArray<ReadonlyArray<DiffPart>>
  readonly place: Place
}) => {
  const begun = pages.flatMap((parts, index) =>
    parts.flatMap(({ before, file }) => (before === 0 ? [{ file, page: index + 1 }] : []))
  )
  const line = (file: DiffFile, page: number) => (
    <li>
      <a href={addressOf(place, page)}>page {page}</a>
      <span>
        <span class="mono">{printableLine(file.path, 100)}</span> <span class="go">+{file.added}</span>{" "}
        <span class="error">−{file.removed}</span>
      </span>
    </li>
  )
  return (
    <details class="commits">
      <summary>{plural(begun.length, "file")} in this diff</summary>
      <ul class="rows">{begun.slice(0, MOST_LISTED).map(({ file, page }) => line(file, page))}</ul>
      {begun.length > MOST_LISTED ? <p class="dim">and {begun.length - MOST_LISTED} more</p> : null}
    </details>
  )
}

const Pager = ({
  count,
  page,
  place
}: {
  readonly count: number
  readonly page: number
  readonly place: Place
}) => (
  <nav class="acts" aria-label="Pages of the diff">
    {page > 1 ? (
      <a class="button" href={addressOf(place, page - 1)}>
        Before
      </a>
    ) : null}
    <span class="dim">
      page {page} of {count}
    </span>
    {page < count ? (
      <a class="button" href={addressOf(place, page + 1)}>
        Go on
      </a>
    ) : null}
  </nav>
)

export const hasLines = ({ patch }: Change): boolean => patch !== null && patch !== ""

/** The lines of a change, whole or one commit of it, a page at a time. */
export const ChangeView = ({
  comments,
  page: wanted,
  ...place
}: Place & Commenting & { readonly page: number }) => {
  const { commit, patch } = place.change
  const pages = patch === null || patch === "" ? [[]] : pagesOf(parseDiff(patch))
  const page = Math.min(Math.max(wanted, 1), pages.length)
  const pager = pages.length === 1 ? null : <Pager count={pages.length} page={page} place={place} />
  return (
    <div id="change" data-commit={commit === null ? undefined : shortId(commit)}>
      <Commits {...place} />
      <Neighbours {...place} />
      {patch === null ? (
        <p class="error">
          This is too large to show{commit === null ? "; its commits may be smaller, one by one" : ""}.
        </p>
      ) : null}
      {pager === null ? null : <Contents pages={pages} place={place} />}
      {pager}
      {(pages[page - 1] ?? []).map((part) => (
        <File comments={comments} part={part} />
      ))}
      {pager}
    </div>
  )
}

/** What can be done with the comments on a change, and what is said of it. */
export interface ReviewPurpose {
  readonly says: string
  readonly buttons: ReadonlyArray<{
    readonly purpose: "answer" | "note" | "send_back"
    readonly label: string
  }>
}

const ANSWER: ReviewPurpose = {
  says: "Your comments go to the agent as the answer to its question, all in one message.",
  buttons: [{ purpose: "answer", label: "Answer with this" }]
}

/** To whom comments can go now; else, in words, when they can. */
export const purposeOf = (issue: BoardIssue, otherwise: ReviewPurpose): ReviewPurpose | string => {
  const { question, run } = issue
  if (isAsking(issue)) return ANSWER
  if (run !== null) return "Comments are taken when its agent asks, or when its run has ended."
  if (question === null) return otherwise
  return question.reply === null
    ? "It is stopped with a question open. Retried, it asks again, and comments can be the answer."
    : "The answer to its question is on its way. Comments are taken when its next run asks, or has ended."
}

/** The question that comments answer, with its id for the form: who sees one does not answer another. */
export const Answered = ({ issue }: { readonly issue: BoardIssue }) =>
  issue.question === null || !isAsking(issue) ? null : (
    <div class="ask">
      <h3>Question</h3>
      <QuestionText issue={issue} text={issue.question.text} />
      <input type="hidden" name="question" value={issue.question.id} />
    </div>
  )

/** Comments on lines and in general, sent as one message. */
export const Review = ({
  about,
  hasLines,
  issue,
  page,
  purpose
}: {
  /** Whether there is any line above to comment on. */
  readonly hasLines: boolean
  readonly issue: BoardIssue
  /** What the comments are about: a run, or the work so far. */
  readonly about: string
  readonly page: "diff" | "work"
  /** In words: it takes none just now. */
  readonly purpose: ReviewPurpose | string
}) => {
  if (typeof purpose === "string") return <p class="dim">{purpose}</p>
  const textId = `review-text-${about.replaceAll(" ", "-")}`
  return (
    <form
      id="review"
      method="post"
      action={`${issuePath(issue.identifier)}/review`}
      hx-post={`${issuePath(issue.identifier)}/review`}
      hx-swap="none"
      data-done="Your comments are on their way."
      class="stack review"
      aria-label="Review"
    >
      <h2>Review</h2>
      <Answered issue={issue} />
      {hasLines ? <p class="dim scripted">Press a line number above to comment on that line.</p> : null}
      <p class="dim">{purpose.says}</p>
      <input type="hidden" name="run" value={about} />
      <input type="hidden" name="page" value={page} />
      <ol id="comments" class="stack" />
      <label for={textId}>In general</label>
      <textarea id={textId} name="text" rows={2} data-key="c" />
      <div class="acts">
        {purpose.buttons.map(({ label, purpose }, index) => (
          <button type="submit" name="purpose" value={purpose} class={index === 0 ? "primary" : ""}>
            {label}
          </button>
        ))}
      </div>
    </form>
  )
}

import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printable, printableLine } from "../../domain/printable.ts"
import type { HandoffDiff } from "../../handoff/Handoff.ts"
import { isAsking } from "../api/view.ts"
import { Bar } from "./bar.tsx"
import { plural } from "./format.ts"
import { Document } from "./layout.tsx"
import { issuePath, Untrusted } from "./pieces.tsx"
import { type DiffFile, type DiffLine, parseDiff } from "./unifiedDiff.ts"

const LINES_SHOWN = 6000
const LONGEST_LINE = 2000
/** Written by tools; folded until somebody asks. */
const FOLDED =
  /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|cargo\.lock|poetry\.lock|uv\.lock|gemfile\.lock|composer\.lock|go\.sum|flake\.lock|deno\.lock)$/i

const SIGNS: Record<DiffLine["kind"], string> = { added: "+", removed: "-", context: " ", hunk: "", note: "" }

const Line = ({ line, path }: { readonly line: DiffLine; readonly path: string }) => {
  const text = `${SIGNS[line.kind]}${printable(line.text.slice(0, LONGEST_LINE))}`
  const number = line.new ?? line.old
  return (
    <tr class={line.kind}>
      <td class="ln">{line.old}</td>
      <td class="ln">
        {number === null ? null : (
          <button
            type="button"
            class="comment-on"
            data-at={`${printableLine(path, 300)}:${line.new === null ? `${number} (removed)` : number}`}
            aria-label={`Comment on ${line.kind} line ${number}`}
          >
            {line.new ?? "·"}
          </button>
        )}
      </td>
      <td class="code">{text}</td>
    </tr>
  )
}

const File = ({ budget, file }: { readonly file: DiffFile; readonly budget: number }) => (
  <details class="file" open={!FOLDED.test(file.path) && budget > 0}>
    <summary data-stop>
      <span class="mono">{printableLine(file.path, 300)}</span> <span class="go">+{file.added}</span>{" "}
      <span class="error">−{file.removed}</span>
    </summary>
    <div class="scroll" tabindex={0} role="region" aria-label={`Diff of ${printableLine(file.path, 100)}`}>
      <table class="diff">
        <tbody>
          {file.lines.slice(0, Math.max(0, budget)).map((line) => (
            <Line line={line} path={file.path} />
          ))}
        </tbody>
      </table>
    </div>
    {file.lines.length > budget ? (
      <p class="dim">{file.lines.length - Math.max(0, budget)} more lines are in the patch.</p>
    ) : null}
  </details>
)

const Files = ({ files }: { readonly files: ReadonlyArray<DiffFile> }) => {
  let left = LINES_SHOWN
  return (
    <>
      {files.map((file) => {
        const budget = left
        left -= file.lines.length
        return <File file={file} budget={budget} />
      })}
    </>
  )
}

const Review = ({ issue, run }: { readonly issue: BoardIssue; readonly run: string }) => (
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
    <p class="dim scripted">Press a line number above to comment on that line.</p>
    <p class="dim">
      {isAsking(issue)
        ? "Your comments go to the agent as the answer to its question, all in one message."
        : "Your comments are written into the issue, all in one message. Send it back to have an agent take them up."}
    </p>
    <input type="hidden" name="run" value={run} />
    <ol id="comments" class="stack" />
    <label for={`review-text-${run}`}>In general</label>
    <textarea id={`review-text-${run}`} name="text" rows={2} data-key="c" />
    <div class="acts">
      {isAsking(issue) ? (
        <button type="submit" name="purpose" value="answer" class="primary">
          Answer with this
        </button>
      ) : (
        <>
          <button type="submit" name="purpose" value="send_back" class="primary">
            Send back with this
          </button>
          <button type="submit" name="purpose" value="note">
            Only write it down
          </button>
        </>
      )}
    </div>
  </form>
)

/** What a run hands over, as a reviewer reads it: what is dangerous first. */
export const DiffPage = ({
  board,
  diff,
  issue
}: {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
  readonly diff: HandoffDiff
}) => {
  const { exported } = diff
  const files = diff.patch === null ? [] : parseDiff(diff.patch)
  return (
    <Document
      title={`Diff of ${printableLine(issue.identifier, 80)} · symphony`}
      now={board.generatedAt}
      scripts={["review.js"]}
    >
      <Bar board={board}>
        <a class="id" href={issuePath(issue.identifier)}>
          {printableLine(issue.identifier, 80)}
        </a>
        <span>diff</span>
      </Bar>
      <main id="main">
        <h1 class="issue-title">{printableLine(diff.title, 200)}</h1>
        <p class="dim">
          {diff.runId} · {exported.verdict} · {plural(exported.commits, "commit")} ·{" "}
          {plural(exported.files.length, "file")} · <span class="mono">{exported.base.slice(0, 12)}</span>
          {exported.head === null ? null : <span class="mono">..{exported.head.slice(0, 12)}</span>}
        </p>
        {exported.flags.length === 0 ? null : (
          <ul class="flags" aria-label="Look at these first">
            {exported.flags.map((flag) => (
              <li>
                <span aria-hidden="true">▲ </span>
                <strong>{printableLine(flag.kind, 40)}</strong> {printableLine(flag.detail)}
              </li>
            ))}
          </ul>
        )}
        <Untrusted text={diff.summary} />
        {diff.patch === null ? (
          <p class="error">The change is too large to show. Read the patch: {exported.patch}</p>
        ) : null}
        {exported.head === null ? <p class="dim">No commit: the summary is the result.</p> : null}
        <Files files={files} />
        <Review issue={issue} run={diff.runId} />
      </main>
    </Document>
  )
}

import type { BoardIssue } from "../../board/Board.ts"
import { UNREADABLE } from "../../board/unread.ts"
import { outcomeText } from "../../domain/Outcome.ts"
import { printableLine } from "../../domain/printable.ts"
import { isAsking } from "../api/view.ts"
import { Bar } from "./bar.tsx"
import { clockTime, duration, plural, spentText, tokenText, usageText } from "./format.ts"
import { Document } from "./layout.tsx"
import { Ask } from "./attention.tsx"
import { Actions, type IssueProps } from "./issueActions.tsx"
import { beginning, within } from "./pageBytes.ts"
import { Ago, Excerpt, issuePath, runPath, StatusMark, textOf, withoutCommit } from "./pieces.tsx"

/** What is shown of a text may take, of how a run ended, and of a list; the page is fetched anew with each change. */
const TEXT_BYTES = 10_000
const OUTCOME_BYTES = 400
const LIST_BYTES = 5000

const Fact = ({ name, value }: { readonly name: string; readonly value: string | null }) =>
  value === null || value === "" ? null : (
    <div>
      <dt>{name}</dt>
      <dd class="mono">{printableLine(value, 300)}</dd>
    </div>
  )

const Where = ({ issue }: { readonly issue: BoardIssue }) => (
  <section aria-label="Where">
    <h2>Where</h2>
    <dl class="where">
      <Fact name="workspace" value={issue.workspace} />
      <Fact name="branch" value={issue.branch} />
      <Fact name="sandbox" value={issue.run?.sandbox ?? null} />
      <Fact name="session" value={issue.run?.session ?? null} />
      <Fact name="run" value={issue.run?.run ?? null} />
      <Fact name="priority" value={issue.priority === null ? null : String(issue.priority)} />
      <Fact name="labels" value={issue.labels.join(", ")} />
      <Fact name="proposed by" value={issue.proposedBy} />
      <Fact name="filed" value={issue.createdAt} />
      <Fact name="changed" value={issue.updatedAt} />
      <Fact name="elsewhere" value={issue.url} />
    </dl>
  </section>
)

const Blocker = ({ blocker }: { readonly blocker: BoardIssue["blockedBy"][number] }) => (
  <li>
    {blocker.state === null ? (
      <span class="id">{printableLine(blocker.identifier, 80)}</span>
    ) : (
      <a class="id" href={issuePath(blocker.identifier)}>
        {printableLine(blocker.identifier, 80)}
      </a>
    )}
    <span class="dim">{blocker.state ?? "not found: it blocks until it is there"}</span>
  </li>
)

const Blockers = ({ issue }: { readonly issue: BoardIssue }) => {
  const blockers = within(issue.blockedBy, (blocker) => <Blocker blocker={blocker} />, LIST_BYTES)
  return issue.blockedBy.length === 0 ? null : (
    <section aria-label="Blocked by">
      <h2>
        Blocked by <span class="count">{issue.blockedBy.length}</span>
      </h2>
      <ul class="rows">{blockers.rows}</ul>
      {blockers.more === 0 ? null : <p class="dim">and {blockers.more} more, named in the issue's file</p>}
    </section>
  )
}

const Patch = ({ handoff: { patch } }: { readonly handoff: NonNullable<BoardIssue["handoff"]> }) => (
  <Fact name="apply" value={patch === null ? null : `git am ${patch}`} />
)

/** What the agent says of its work, the tests that it ran included; that nothing was said is said. */
const Account = ({ commits, issue }: { readonly commits: number; readonly issue: BoardIssue }) => {
  const { account } = issue
  return account === null ? (
    <p class="dim">
      No account of the agent:{" "}
      {commits === 0
        ? "the issue was finished without its agent."
        : "its commits were taken over when it was finished without its agent."}
    </p>
  ) : (
    <>
      <h3>{printableLine(account.title, 200)}</h3>
      <p class="dim">In the agent's own words, the tests it says it ran included:</p>
      <Excerpt issue={issue} text={account.summary} bytes={TEXT_BYTES} />
    </>
  )
}

const extentOf = (
  { commits, files, verdict }: NonNullable<BoardIssue["handoff"]>,
  issue: BoardIssue
): string => {
  if (verdict === "none") return "Nothing is handed over by symphony."
  return commits === 0 ? withoutCommit(issue) : `${plural(commits, "commit")}, ${plural(files, "file")}`
}

const Handoff = ({ issue }: { readonly issue: BoardIssue }) => {
  const { handoff } = issue
  if (handoff === null) return null
  const last = issue.history.at(-1)
  const flags = within(
    handoff.flags,
    (flag) => (
      <li>
        <span aria-hidden="true">▲ </span>
        {printableLine(flag)}
      </li>
    ),
    LIST_BYTES
  )
  return (
    <section aria-label="Handoff">
      <h2>
        Handoff <span class={handoff.verdict === "verified" ? "go" : "dim"}>{handoff.verdict}</span>
      </h2>
      {handoff.flags.length === 0 ? null : (
        <ul class="flags">
          {flags.rows}
          {flags.more === 0 ? null : <li>and {flags.more} more, all of them with the diff</li>}
        </ul>
      )}
      <Account issue={issue} commits={handoff.commits} />
      <div class="acts evidence">
        {handoff.verdict === "none" ? null : (
          <a class="button" href={`${issuePath(issue.identifier)}/diff`} data-key="d">
            {handoff.commits === 0 ? "Look at the result" : "Look at the diff"}
          </a>
        )}
        <span>{extentOf(handoff, issue)}</span>
        {last === undefined ? null : (
          <span class="dim">
            {usageText(last.tokens)}, {duration((last.endedAt - last.startedAt) / 1000)}
          </span>
        )}
      </div>
      <dl class="where">
        <Patch handoff={handoff} />
        <Fact name="report" value={handoff.report} />
        <Fact name="head" value={handoff.head} />
      </dl>
      {issue.pullRequest === null ? null : (
        <p>
          Pull request: <code>{printableLine(issue.pullRequest)}</code>
        </p>
      )}
    </section>
  )
}

/** What was handed over before the run that is the newest now. */
const Earlier = ({ issue }: { readonly issue: BoardIssue }) =>
  issue.earlierHandoff === null ? null : (
    <>
      <p>
        <a class="button" href={`${issuePath(issue.identifier)}/diff`}>
          Look at what was handed over before
        </a>
      </p>
      <dl class="where">
        <Patch handoff={issue.earlierHandoff} />
      </dl>
    </>
  )

/** What is in its workspace before it is handed over. */
const Work = ({ issue }: { readonly issue: BoardIssue }) =>
  issue.workspace === null || (issue.handoff !== null && issue.handoff.verdict !== "none") ? null : (
    <section aria-label="Work so far">
      <h2>Work so far</h2>
      <p>
        {issue.handoff !== null
          ? ""
          : issue.earlierHandoff === null
            ? "Nothing is handed over yet. "
            : "This run has handed over nothing yet. "}
        <a class="button" href={`${issuePath(issue.identifier)}/work`} data-key="d">
          Look at the work so far
        </a>
      </p>
      <Earlier issue={issue} />
    </section>
  )

const Attempts = ({ board, issue }: IssueProps) => (
  <section aria-label="Attempts">
    <h2>
      Attempts <span class="count">{issue.attempts}</span>
    </h2>
    {issue.run === null && issue.history.length === 0 ? (
      <p class="dim">No run has worked on it yet.</p>
    ) : (
      <div class="scroll" tabindex={0} role="region" aria-label="Attempts side by side">
        <table>
          <thead>
            <tr>
              <th scope="col">#</th>
              <th scope="col">run</th>
              <th scope="col">ended</th>
              <th scope="col">took</th>
              <th scope="col">turns</th>
              <th scope="col">tokens</th>
              <th scope="col">cost</th>
              <th scope="col">started</th>
            </tr>
          </thead>
          <tbody>
            {issue.run === null ? null : (
              <tr>
                <td>{issue.run.attempt}</td>
                <td>
                  <a class="id" href={runPath(issue.identifier, issue.run.run)}>
                    {issue.run.run}
                  </a>
                </td>
                <td class="outcome">
                  <StatusMark status={issue.status} /> {issue.run.stage}
                </td>
                <td>
                  <Ago at={issue.run.startedAt} now={board.generatedAt} />
                </td>
                <td>{issue.run.turn}</td>
                <td>{tokenText(issue.run.tokens)}</td>
                <td>{spentText(issue.run.tokens)}</td>
                <td>{clockTime(issue.run.startedAt)}</td>
              </tr>
            )}
            {issue.history.toReversed().map((ended) => (
              <tr>
                <td>{ended.attempt}</td>
                <td>
                  <a class="id" href={runPath(issue.identifier, ended.run)}>
                    {ended.run}
                  </a>
                </td>
                <td class={ended.outcome._tag === "Failed" ? "outcome error" : "outcome"}>
                  {printableLine(beginning(outcomeText(ended.outcome), OUTCOME_BYTES), OUTCOME_BYTES)}
                </td>
                <td>{duration((ended.endedAt - ended.startedAt) / 1000)}</td>
                <td>{ended.turns}</td>
                <td>{tokenText(ended.tokens)}</td>
                <td>{spentText(ended.tokens)}</td>
                <td>{clockTime(ended.startedAt)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    )}
  </section>
)

/** All that is known of one issue, and all that can be done about it. */
export const IssuePage = ({ board, issue }: IssueProps) => {
  const path = issuePath(issue.identifier)
  return (
    <Document title={`${printableLine(issue.identifier, 80)} · symphony`} now={board.generatedAt}>
      <Bar board={board} />
      <main id="main">
        <div
          id="issue"
          class="region"
          hx-get={path}
          hx-select="#issue"
          hx-trigger="refreshed from:body"
          hx-swap="morph:outerHTML"
        >
          <h1 class="issue-title">
            <span class="id">{printableLine(issue.identifier, 80)}</span> {printableLine(issue.title, 300)}
          </h1>
          <p class="bar">
            <StatusMark status={issue.status} />
            <span>{printableLine(issue.state, 60)}</span>
            {isAsking(issue) && issue.why.code !== UNREADABLE ? null : (
              <span>{printableLine(issue.why.text)}</span>
            )}
            {issue.run === null ? null : (
              <span class="dim">
                last sign of life <Ago at={issue.run.lastEventAt} now={board.generatedAt} /> ago
              </span>
            )}
            <span class="dim">
              {issue.attempts === 0
                ? "not tried yet"
                : `${usageText(issue.tokens)}, ${duration(issue.seconds)} of agent time`}
            </span>
          </p>
          <Actions board={board} issue={issue} />
          {issue.question === null ? null : <Ask board={board} issue={issue} inQueue={false} />}
          <Handoff issue={issue} />
          <Work issue={issue} />
          <section aria-label="Text">
            <h2>Text</h2>
            <Excerpt issue={issue} text={textOf(issue)} bytes={TEXT_BYTES} />
          </section>
          <Blockers issue={issue} />
          <Attempts board={board} issue={issue} />
          <Where issue={issue} />
        </div>
      </main>
    </Document>
  )
}

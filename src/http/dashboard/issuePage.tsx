import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import { outcomeDetail } from "../api/view.ts"
import { Bar } from "./bar.tsx"
import { clockTime, duration, plural, tokenText } from "./format.ts"
import { Document } from "./layout.tsx"
import { Ask } from "./attention.tsx"
import { Act, Ago, issuePath, runPath, StatusMark, Untrusted } from "./pieces.tsx"

export interface IssueProps {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
}

const statesWithRole = (board: BoardSnapshot, role: BoardIssue["role"]): ReadonlyArray<string> =>
  board.states.filter((state) => state.role === role).map((state) => state.name)

/** Where a proposal that nobody wants goes. */
export const discardState = (board: BoardSnapshot): string | undefined => {
  const terminal = statesWithRole(board, "terminal")
  return terminal.find((name) => /^cancell?ed$/i.test(name)) ?? terminal.at(-1)
}

const MoveForm = ({ board, issue }: IssueProps) => (
  <form method="get" action={`${issuePath(issue.identifier)}/move`} class="inline">
    <label for="move-to">Move to</label>
    <select id="move-to" name="to">
      {board.states
        .filter(({ name }) => name !== issue.state)
        .map(({ name }) => (
          <option value={name}>{name}</option>
        ))}
    </select>
    <button type="submit">Move…</button>
  </form>
)

const Proposal = ({ board, issue }: IssueProps) => {
  const first = statesWithRole(board, "active")[0]
  const discard = discardState(board)
  const path = `${issuePath(issue.identifier)}/move`
  return (
    <>
      {first === undefined ? null : (
        <form method="post" action={path} hx-post={path} hx-swap="none" class="act">
          <input type="hidden" name="to" value={first} />
          <button type="submit" class="primary">
            Approve: move to {first}
          </button>
        </form>
      )}
      {discard === undefined ? null : (
        <a class="button" href={`${path}?to=${encodeURIComponent(discard)}`}>
          Discard…
        </a>
      )}
    </>
  )
}

const Actions = ({ board, issue }: IssueProps) => {
  const path = issuePath(issue.identifier)
  return (
    <div class="acts">
      {issue.run === null ? null : (
        <a class="button danger" href={`${path}/stop`}>
          Stop…
        </a>
      )}
      {issue.hold !== null || issue.retry !== null ? (
        <Act action={`${path}/retry`} label="Retry now" />
      ) : null}
      {issue.role === "holding" && issue.hold === null && issue.proposedBy !== null ? (
        <Proposal board={board} issue={issue} />
      ) : null}
      <MoveForm board={board} issue={issue} />
    </div>
  )
}

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

const Blockers = ({ issue }: { readonly issue: BoardIssue }) =>
  issue.blockedBy.length === 0 ? null : (
    <section aria-label="Blocked by">
      <h2>Blocked by</h2>
      <ul class="rows">
        {issue.blockedBy.map((blocker) => (
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
        ))}
      </ul>
    </section>
  )

const Handoff = ({ issue }: { readonly issue: BoardIssue }) => {
  const { handoff } = issue
  if (handoff === null) return null
  return (
    <section aria-label="Handoff">
      <h2>
        Handoff <span class={handoff.verdict === "verified" ? "go" : "dim"}>{handoff.verdict}</span>
      </h2>
      {handoff.flags.length === 0 ? null : (
        <ul class="flags">
          {handoff.flags.map((flag) => (
            <li>
              <span aria-hidden="true">▲ </span>
              {printableLine(flag)}
            </li>
          ))}
        </ul>
      )}
      <p>
        {handoff.commits === 0
          ? "No commit: the summary is the result."
          : `${plural(handoff.commits, "commit")}, ${plural(handoff.files, "file")} · `}
        {handoff.commits === 0 ? null : <a href={`${issuePath(issue.identifier)}/diff`}>look at the diff</a>}
      </p>
      <dl class="where">
        <Fact name="patch" value={handoff.patch} />
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
              <th scope="col">started</th>
              <th scope="col">took</th>
              <th scope="col">turns</th>
              <th scope="col">tokens</th>
              <th scope="col">ended</th>
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
                <td>{clockTime(issue.run.startedAt)}</td>
                <td>
                  <Ago at={issue.run.startedAt} now={board.generatedAt} />
                </td>
                <td>{issue.run.turn}</td>
                <td>{tokenText(issue.run.tokens)}</td>
                <td>
                  <StatusMark status={issue.status} /> {issue.run.stage}
                </td>
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
                <td>{clockTime(ended.startedAt)}</td>
                <td>{duration((ended.endedAt - ended.startedAt) / 1000)}</td>
                <td>{ended.turns}</td>
                <td>{tokenText(ended.tokens)}</td>
                <td class={ended.outcome._tag === "Failed" ? "error" : ""}>
                  {ended.outcome._tag.toLowerCase()}: {printableLine(outcomeDetail(ended.outcome) ?? "", 300)}
                </td>
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
      <Bar />
      <main id="main">
        <p id="notice" role="status" />
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
            <span>{printableLine(issue.why.text)}</span>
            {issue.run === null ? null : (
              <span class="dim">
                last sign of life <Ago at={issue.run.lastEventAt} now={board.generatedAt} /> ago
              </span>
            )}
            <span class="dim">
              {issue.attempts === 0
                ? "not tried yet"
                : `${tokenText(issue.tokens)} tokens, ${duration(issue.seconds)} of agent time`}
            </span>
          </p>
          <Actions board={board} issue={issue} />
          {issue.question === null ? null : <Ask board={board} issue={issue} inQueue={false} />}
          <Handoff issue={issue} />
          <section aria-label="Text">
            <h2>Text</h2>
            <Untrusted text={issue.description ?? "The issue has no text."} />
          </section>
          <Blockers issue={issue} />
          <Attempts board={board} issue={issue} />
          <Where issue={issue} />
        </div>
      </main>
    </Document>
  )
}

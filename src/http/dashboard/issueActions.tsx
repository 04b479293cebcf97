import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { UNREADABLE } from "../../board/unread.ts"
import { isAsking } from "../api/view.ts"
import { Act, issuePath } from "./pieces.tsx"

export interface IssueProps {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
}

const statesWithRole = (board: BoardSnapshot, role: BoardIssue["role"]): ReadonlyArray<string> =>
  board.states.filter((state) => state.role === role).map((state) => state.name)

/** Where a proposal that nobody wants goes. */
const discardState = (board: BoardSnapshot): string | undefined => {
  const terminal = statesWithRole(board, "terminal")
  return terminal.find((name) => /^cancell?ed$/i.test(name)) ?? terminal.at(-1)
}

/** What a retry by hand comes to. */
const retried = ({ mode }: BoardSnapshot, { identifier, question, retry }: BoardIssue): string => {
  if (question?.reply === null) return `${identifier} asks its question again.`
  const isBegun = retry !== null || question !== null
  return mode === "running" || (mode === "draining" && isBegun)
    ? `${identifier} is tried again as soon as a slot is free.`
    : `${identifier} is tried again once symphony is resumed: it is ${mode}.`
}

/** Nothing where it would be refused, nor where it would throw away a question that somebody may be answering. */
export const RetryNow = ({ board, issue }: IssueProps) =>
  !issue.retryable || isAsking(issue) ? null : issue.hold?.reason === "handoff" ? (
    <Act
      action={`${issuePath(issue.identifier)}/handoff`}
      label="Hand over again"
      done={`The handoff of ${issue.identifier} is tried again.`}
      kind="primary"
      hotkey="t"
    />
  ) : (
    <Act
      action={`${issuePath(issue.identifier)}/retry`}
      label="Retry now"
      done={retried(board, issue)}
      hotkey="t"
    />
  )

/** Approve or discard what an agent proposed. */
export const Proposal = ({ board, issue }: IssueProps) => {
  const first = statesWithRole(board, "active")[0]
  const discard = discardState(board)
  const path = `${issuePath(issue.identifier)}/move`
  return (
    <>
      {first === undefined ? null : (
        <Act
          action={path}
          fields={{ to: first }}
          label={`Approve: move to ${first}`}
          done={`${issue.identifier} is approved.`}
          hotkey="y"
          kind="primary"
        />
      )}
      {discard === undefined ? null : (
        <Act
          action={path}
          fields={{ to: discard }}
          label={`Discard: move to ${discard}`}
          done={`${issue.identifier} is discarded: its file is in ${discard}.`}
          hotkey="x"
        />
      )}
    </>
  )
}

const MoveForm = ({ board, issue }: IssueProps) => (
  <form
    id={`move-${issue.id}`}
    method="post"
    action={`${issuePath(issue.identifier)}/move`}
    hx-post={`${issuePath(issue.identifier)}/move`}
    hx-swap="none"
    class="inline"
    data-done={`${issue.identifier} is moved.`}
  >
    <label for="move-to">Move to</label>
    <select id="move-to" name="to" data-key="m">
      {board.states
        .filter(({ name }) => name !== issue.state)
        .map(({ name }) => (
          <option value={name}>{name}</option>
        ))}
    </select>
    <button type="submit">Move</button>
  </form>
)

/** Whether there is anything to stop: what runs, or would run again by itself. */
const isStoppable = ({ hold, question, retry, run }: BoardIssue): boolean =>
  run === null ? hold === null && (retry !== null || question !== null) : run.stopping === null

/** All that a person can do about an issue, where it makes sense. */
export const Actions = ({ board, issue }: IssueProps) => {
  const path = issuePath(issue.identifier)
  return (
    <div class="acts">
      {issue.status === "ready for review" ? (
        <Act
          action={`${path}/reviewed`}
          label="Reviewed"
          done={`${issue.identifier} is closed.`}
          kind="primary"
          hotkey="v"
        />
      ) : null}
      {isStoppable(issue) ? (
        <Act
          action={`${path}/stop`}
          label="Stop"
          done={`${issue.identifier} is stopped.`}
          kind="danger"
          hotkey="s"
        />
      ) : null}
      <RetryNow board={board} issue={issue} />
      {issue.why.code === "Proposed" ? <Proposal board={board} issue={issue} /> : null}
      {issue.why.code === UNREADABLE ? null : <MoveForm board={board} issue={issue} />}
    </div>
  )
}

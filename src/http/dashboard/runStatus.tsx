import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { outcomeText } from "../../domain/Outcome.ts"
import { printableLine } from "../../domain/printable.ts"
import { isAsking } from "../api/view.ts"
import { Ago, issuePath, StatusMark } from "./pieces.tsx"

export interface RunStatusProps {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
  readonly run: string
  /** Entries of its transcript. */
  readonly total: number
}

const Now = ({ board, issue, run }: Omit<RunStatusProps, "total">) => {
  if (issue.run?.run === run) {
    return (
      <>
        <StatusMark status={isAsking(issue) ? "needs you" : issue.status} />
        <span>{printableLine(issue.why.text)}</span>
        {isAsking(issue) ? <a href={issuePath(issue.identifier)}>answer</a> : null}
        <span class="dim">
          last sign of life <Ago at={issue.run.lastEventAt} now={board.generatedAt} /> ago
        </span>
      </>
    )
  }
  const ended = issue.history.find((attempt) => attempt.run === run)
  return ended === undefined ? null : (
    <>
      <span>ended</span>
      <span class={ended.outcome._tag === "Failed" ? "error" : ""}>
        {printableLine(outcomeText(ended.outcome))}
      </span>
      <span class="dim">
        <Ago at={ended.endedAt} now={board.generatedAt} /> ago
      </span>
    </>
  )
}

/** Whether a run works, waits or has ended, why, and how old that news is. */
export const RunStatus = ({ total, ...of }: RunStatusProps) => (
  <>
    <Now {...of} />
    <span id="run-total" class="dim" data-total={total}>
      {total} {total === 1 ? "entry" : "entries"}
    </span>
  </>
)

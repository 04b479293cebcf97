import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import { roleIn } from "./roles.ts"
import { Bar } from "./bar.tsx"
import { duration, plural } from "./format.ts"
import { Document } from "./layout.tsx"
import { issuePath } from "./pieces.tsx"

interface Confirmation {
  readonly heading: string
  /** What would be lost or changed, one sentence each. */
  readonly consequences: ReadonlyArray<string>
  readonly action: string
  readonly fields: Readonly<Record<string, string>>
  readonly label: string
  readonly back: string
}

const ConfirmPage = ({
  board,
  confirmation
}: {
  readonly board: BoardSnapshot
  readonly confirmation: Confirmation
}) => (
  <Document title={`${confirmation.heading} · symphony`} now={board.generatedAt}>
    <Bar board={board} />
    <main id="main" class="page">
      <h1>{confirmation.heading}</h1>
      <ul class="consequences">
        {confirmation.consequences.map((text) => (
          <li>{text}</li>
        ))}
      </ul>
      <form method="post" action={confirmation.action} class="acts">
        {Object.entries(confirmation.fields).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <button type="submit" class="danger">
          {confirmation.label}
        </button>
        <a class="button" href={confirmation.back} data-stop>
          Leave it
        </a>
      </form>
    </main>
  </Document>
)

/** What ending the run of an issue costs. */
const lossOfRun = (board: BoardSnapshot, { run, workspace }: BoardIssue): ReadonlyArray<string> =>
  run === null
    ? []
    : [
        `Its run ${run.run} ends: turn ${run.turn}, at work for ${duration((board.generatedAt - run.startedAt) / 1000)}, is cut off.`,
        `What the agent has not written to a file yet is lost${
          workspace === null ? "." : `; the workspace ${printableLine(workspace)} stays as it is.`
        }`
      ]

export const StopPage = ({ board, issue }: { readonly board: BoardSnapshot; readonly issue: BoardIssue }) => (
  <ConfirmPage
    board={board}
    confirmation={{
      heading: `Stop ${printableLine(issue.identifier, 80)}?`,
      consequences: [
        ...(issue.run === null ? ["It does not run now."] : lossOfRun(board, issue)),
        "It is not started again until you retry it or its text changes."
      ],
      action: `${issuePath(issue.identifier)}/stop`,
      fields: {},
      label: "Stop it",
      back: issuePath(issue.identifier)
    }}
  />
)

export const MovePage = ({
  board,
  issue,
  to
}: {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
  readonly to: string
}) => {
  const role = roleIn(board, to)
  const ends = role !== "active" && issue.run !== null
  return (
    <ConfirmPage
      board={board}
      confirmation={{
        heading: `Move ${printableLine(issue.identifier, 80)} to ${printableLine(to, 80)}?`,
        consequences: [
          ...(ends ? lossOfRun(board, issue) : []),
          ...(role === "terminal"
            ? [
                issue.workspace === null || issue.handoff !== null
                  ? `${printableLine(to, 80)} is where issues end: it is not started again.`
                  : `${printableLine(to, 80)} is where issues end: its workspace ${printableLine(issue.workspace)} is removed. What its agents left there is exported first, unless handoff.mode is none.`
              ]
            : [
                role === "active"
                  ? `${printableLine(to, 80)} is a state that issues are started from.`
                  : `${printableLine(to, 80)} is a state that nothing is started from.`
              ])
        ],
        action: `${issuePath(issue.identifier)}/move`,
        fields: { to },
        label: "Move it",
        back: issuePath(issue.identifier)
      }}
    />
  )
}

export const DrainPage = ({ board }: { readonly board: BoardSnapshot }) => (
  <ConfirmPage
    board={board}
    confirmation={{
      heading: "Drain?",
      consequences: [
        "Nothing new is begun. What was begun goes on to its end: its retries and the replies to its questions too.",
        `${plural(board.slots.used, "run")} to wait for; nothing is lost.`
      ],
      action: "/do/drain",
      fields: {},
      label: "Drain",
      back: "/"
    }}
  />
)

import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import type { Unsaved } from "../unsaved.ts"
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
        <input type="hidden" name="confirmed" value="yes" />
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

const NAMED = 5

const named = (names: ReadonlyArray<string>): string =>
  `${names
    .slice(0, NAMED)
    .map((name) => printableLine(name, 100))
    .join("; ")}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ""}`

const counted = (what: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.length === 0 ? [] : [`${what}: ${named(names)}.`]

/** What is in the workspace and nowhere else, by number and name. */
const unsavedWork = (unsaved: Unsaved): ReadonlyArray<string> => {
  if (unsaved._tag === "Nothing") return []
  if (unsaved._tag === "Unknown")
    return [`What is in its workspace is not known: ${printableLine(unsaved.why)}.`]
  const { commits, elsewhere, leftOut, uncommitted } = unsaved
  return [
    ...counted(
      `${plural(commits.length, "commit")} that ${commits.length === 1 ? "is" : "are"} not handed over`,
      commits.map(({ id, subject }) => `${id.slice(0, 12)} ${subject}`)
    ),
    ...counted(plural(uncommitted.length, "uncommitted file"), uncommitted),
    ...counted(`${plural(leftOut.length, "uncommitted file")} too large or too many to be kept`, leftOut),
    ...counted("Work beside its branch", elsewhere)
  ]
}

/** What ending the run of an issue costs. */
const lossOfRun = (board: BoardSnapshot, { run }: BoardIssue): ReadonlyArray<string> =>
  run === null
    ? []
    : [
        `Its run ${run.run} ends: turn ${run.turn}, at work for ${duration((board.generatedAt - run.startedAt) / 1000)}, is cut off. What the agent has not written to a file yet is lost.`
      ]

/** What becomes of what a stopped issue has asked. */
const questionStays = ({ question }: BoardIssue): ReadonlyArray<string> => {
  if (question === null) return []
  const asked = `“${printableLine(question.text, 200)}”`
  return [
    question.reply === null
      ? `Its open question ${asked} waits for no answer then; a retry asks it again.`
      : `The answer to its question ${asked} is kept; a retry goes on with it.`
  ]
}

const workspaceStays = ({ workspace }: BoardIssue): ReadonlyArray<string> =>
  workspace === null
    ? []
    : [`The workspace ${printableLine(workspace)} stays as it is; a retry goes on in it.`]

export interface ConfirmProps {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
  readonly unsaved: Unsaved
}

export const StopPage = ({ board, issue, unsaved }: ConfirmProps) => (
  <ConfirmPage
    board={board}
    confirmation={{
      heading: `Stop ${printableLine(issue.identifier, 80)}?`,
      consequences: [
        ...(issue.run === null ? ["It does not run now."] : lossOfRun(board, issue)),
        ...questionStays(issue),
        ...unsavedWork(unsaved),
        ...workspaceStays(issue),
        "It is not started again until you retry it, move it or change its text."
      ],
      action: `${issuePath(issue.identifier)}/stop`,
      fields: {},
      label: "Stop it",
      back: issuePath(issue.identifier)
    }}
  />
)

/** What becomes of the workspace of an issue that is finished by hand; see `removeFinished`. */
const workspaceEnds = (
  { handoff, hold, run, workspace }: BoardIssue,
  unsaved: Unsaved,
  handsOver: boolean
): ReadonlyArray<string> => {
  if (workspace === null) return ["It has no workspace: no work is lost."]
  const where = `The workspace ${printableLine(workspace)}`
  if (hold?.reason === "handoff") return [`${where} stays: its handoff has failed, and can be tried again.`]
  if (run === null && handoff !== null && handoff.verdict !== "none") {
    return [`${where} is removed. What it was handed over with is kept; what is named here is lost.`]
  }
  if (!handsOver) return [`${where} stays: with handoff.mode: none only what was handed over is removed.`]
  const beyond = unsaved._tag === "Some" && unsaved.leftOut.length + unsaved.elsewhere.length > 0
  return [
    `${where} is removed once its commits are handed over as a patch, with what is uncommitted beside it as uncommitted.patch. Where they cannot be handed over, it stays.`,
    ...(beyond ? ["What is too large or too many to be kept, and what is beside its branch, is lost."] : [])
  ]
}

export const MovePage = ({
  board,
  handsOver,
  issue,
  to,
  unsaved
}: ConfirmProps & {
  readonly to: string
  /** Whether `handoff.mode` lets symphony hand work over. */
  readonly handsOver: boolean
}) => {
  const role = roleIn(board, to)
  const name = printableLine(issue.identifier, 80)
  const target = printableLine(to, 80)
  const isDiscarded = issue.why.code === "Proposed" && role === "terminal"
  const folder = (state: string): string => printableLine(`${board.trackerRoot}/${state}`)
  return (
    <ConfirmPage
      board={board}
      confirmation={{
        heading: isDiscarded ? `Discard ${name}?` : `Move ${name} to ${target}?`,
        consequences: [
          `Its file moves from ${folder(issue.state)} to ${folder(to)}. Nothing in it is deleted, and it can be moved back.`,
          ...(role === "active" ? [] : [...lossOfRun(board, issue), ...unsavedWork(unsaved)]),
          ...(role === "terminal"
            ? [
                ...workspaceEnds(issue, unsaved, handsOver),
                `${target} is where issues end: it is not started again.`
              ]
            : role === "active"
              ? [`${target} is a state that issues are started from.`]
              : [...workspaceStays(issue), `${target} is a state that nothing is started from.`])
        ],
        action: `${issuePath(issue.identifier)}/move`,
        fields: { to },
        label: isDiscarded ? "Discard it" : "Move it",
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

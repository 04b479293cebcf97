import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printableLine } from "../../domain/printable.ts"
import { Bar } from "./bar.tsx"
import { Document } from "./layout.tsx"
import { Onward } from "./onward.tsx"
import { bytesOf, fitting } from "./pageBytes.ts"
import { issuePath, textOf, textPath, Untrusted } from "./pieces.tsx"

const PAGE_BYTES = 80_000

/** What is written of an issue, each text under its heading. */
const textsOf = (issue: BoardIssue): ReadonlyArray<readonly [string, string]> => {
  const { account, question } = issue
  return [
    ["Text", textOf(issue)],
    ...(question === null ? [] : [["Question", question.text] as const]),
    ...(question === null || question.context === null
      ? []
      : [["The agent's context", question.context] as const]),
    ...(account === null ? [] : [["The agent's account", account.summary] as const])
  ]
}

interface Piece {
  readonly heading: string
  readonly text: string
}

/** By lines, and long lines by thousands. */
const piecesOf = (issue: BoardIssue): ReadonlyArray<Piece> =>
  textsOf(issue).flatMap(([heading, text]) =>
    (text.match(/[^\n]{1,1000}\n?|\n/gu) ?? []).map((piece) => ({ heading, text: piece }))
  )

/** Pieces of one text as one again. */
const joined = (pieces: ReadonlyArray<Piece>): ReadonlyArray<Piece> => {
  const texts = new Map<string, string>()
  for (const { heading, text } of pieces) texts.set(heading, `${texts.get(heading) ?? ""}${text}`)
  return [...texts].map(([heading, text]) => ({ heading, text }))
}

/** All that is written of an issue, of which its own page has the beginnings. */
export const TextPage = ({
  board,
  from: wanted,
  issue
}: {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
  /** The piece that the page begins with, counted from 0. */
  readonly from: number
}) => {
  const pieces = piecesOf(issue)
  const from = wanted > 0 && wanted < pieces.length ? wanted : 0
  const { count } = fitting(pieces.slice(from), ({ text }) => bytesOf(text), PAGE_BYTES)
  const pager = (
    <Onward
      path={textPath(issue.identifier)}
      from={from}
      next={from + count < pieces.length ? from + count : null}
    />
  )
  return (
    <Document title={`Text of ${printableLine(issue.identifier, 80)} · symphony`} now={board.generatedAt}>
      <Bar board={board}>
        <a class="id" href={issuePath(issue.identifier)}>
          {printableLine(issue.identifier, 80)}
        </a>
      </Bar>
      <main id="main">
        <h1 class="issue-title">
          <span class="id">{printableLine(issue.identifier, 80)}</span> {printableLine(issue.title, 200)}
        </h1>
        {pager}
        {joined(pieces.slice(from, from + count)).map(({ heading, text }) => (
          <section aria-label={heading}>
            <h2>{heading}</h2>
            <Untrusted text={text} />
          </section>
        ))}
        {pager}
      </main>
    </Document>
  )
}

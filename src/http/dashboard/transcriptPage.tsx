import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printable, printableLine } from "../../domain/printable.ts"
import type { TranscriptEntry } from "../../journal/Transcripts.ts"
import { Bar } from "./bar.tsx"
import { clockTime, duration, plural } from "./format.ts"
import { Document } from "./layout.tsx"
import { beginning, fitting, weightOf } from "./pageBytes.ts"
import { issuePath, runPath } from "./pieces.tsx"
import { RunStatus } from "./runStatus.tsx"
import { isFailure, type Step, stepsOf, type TurnLine as Turn, turnsOf } from "./steps.ts"

/** Entries on one page, at the most. */
export const PAGE_SIZE = 200
/** What they may take, and of that one of them at the raw depth. */
const PAGE_BYTES = 80_000
const ENTRY_BYTES = 40_000

const DEPTHS = ["line", "steps", "raw"] as const
export type Depth = (typeof DEPTHS)[number]

export interface TranscriptProps {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
  readonly run: string
  readonly depth: Depth
  /** Where the page ends or begins; `null`: it is the newest, and live. */
  readonly place: TranscriptPlace | null
  /** As many as the page has room for. */
  readonly entries: ReadonlyArray<TranscriptEntry>
  readonly total: number
}

/** A page ends before an entry, or begins with one. */
export type TranscriptPlace =
  | { readonly end: "before"; readonly seq: number }
  | { readonly end: "from"; readonly seq: number }

const KINDS: Record<Step["kind"], string> = {
  Prompt: "prompt",
  Message: "says",
  Thought: "thinks",
  ToolCall: "tool",
  ToolUpdate: "tool",
  Plan: "plan",
  Context: "context",
  Permission: "asks",
  Stderr: "stderr",
  Notice: "notice",
  Stage: "stage"
}

const time = (at: number): string => clockTime(at).slice(11, 19)

const took = (from: number, to: number): string => (to - from < 1000 ? "" : duration((to - from) / 1000))

/** What is shown of what a step holds may take; the rest is at the raw depth. */
const DETAIL_BYTES = 4000

const shortened = (text: string): string => {
  const shown = beginning(text, DETAIL_BYTES)
  return shown === text
    ? text
    : `${shown}…\n(${text.length - shown.length} more characters at the depth "raw")`
}

/** What a call gave back, where it fits beside the call. */
const isResult = ({ detail, kind }: Step): boolean =>
  (kind === "ToolCall" || kind === "ToolUpdate") && detail.trim() !== ""

const StepLine = ({ step }: { readonly step: Step }) => {
  const unfolds = step.detail.length > 160 || step.detail.trim().includes("\n")
  const line = (
    <>
      <span class="dim">{time(step.startedAt)}</span>
      <span class={`kind ${KINDS[step.kind]}`}>{KINDS[step.kind]}</span>
      <span class="title">
        {printableLine(step.title, 200)}
        {!unfolds && isResult(step) ? <span class="dim"> → {printableLine(step.detail.trim())}</span> : null}
      </span>
      <span class={step.failed ? "error" : "dim"}>
        {step.failed ? <span aria-hidden="true">■ </span> : null}
        {printableLine(step.outcome ?? "", 40)}
      </span>
      <span class="num dim">{took(step.startedAt, step.endedAt)}</span>
    </>
  )
  return (
    <li
      id={`e-${step.seq}`}
      class={step.failed ? "step failed" : "step"}
      tabindex={-1}
      {...(unfolds ? {} : { "data-stop": "" })}
    >
      {unfolds ? (
        <details id={`d-${step.seq}`}>
          <summary data-stop>{line}</summary>
          <div class="untrusted mono">{printable(shortened(step.detail))}</div>
        </details>
      ) : (
        <div class="line">{line}</div>
      )}
    </li>
  )
}

type ViewProps = Pick<TranscriptProps, "entries" | "issue" | "run">

const Steps = ({ entries }: ViewProps) => (
  <>
    {stepsOf(entries).map((step) => (
      <StepLine step={step} />
    ))}
  </>
)

const TurnLine = ({ base, turn }: { readonly base: string; readonly turn: Turn }) => (
  <li id={`e-${turn.seq}`} class={turn.failed ? "step failed" : "step"}>
    <div class="line">
      <span class="dim">{time(turn.startedAt)}</span>
      <span class="kind">turn {turn.turn}</span>
      <a class="title" data-stop href={`${base}?from=${turn.seq}#e-${turn.seq}`}>
        {printableLine(turn.last, 200)}
      </a>
      <span class={turn.failed ? "error" : "dim"}>
        {turn.failed ? <span aria-hidden="true">■ </span> : null}
        {plural(turn.calls, "call")}
        {turn.failures > 0 ? `, ${turn.failures} failed` : ""}
      </span>
      <span class="num dim">{took(turn.startedAt, turn.endedAt)}</span>
    </div>
  </li>
)

const Lines = ({ entries, issue, run }: ViewProps) => (
  <>
    {turnsOf(entries).map((turn) => (
      <TurnLine base={runPath(issue.identifier, run)} turn={turn} />
    ))}
  </>
)

const RawEntry = ({
  entry,
  issue,
  run
}: Omit<ViewProps, "entries"> & { readonly entry: TranscriptEntry }) => {
  const text = `${entry.seq} ${clockTime(entry.at)} turn ${entry.turn} ${JSON.stringify(entry.event)}`
  const shown = beginning(text, ENTRY_BYTES)
  return (
    <li id={`e-${entry.seq}`} class={isFailure(entry) ? "step failed" : "step"} tabindex={-1} data-stop>
      <div class="untrusted mono">{printable(shown)}</div>
      {shown === text ? null : (
        <a href={`/api/v1${runPath(issue.identifier, run)}/transcript?before=${entry.seq + 1}&limit=1`}>
          and {text.length - shown.length} more characters
        </a>
      )}
    </li>
  )
}

const Raw = ({ entries, ...of }: ViewProps) => (
  <>
    {entries.map((entry) => (
      <RawEntry entry={entry} {...of} />
    ))}
  </>
)

const VIEWS = { line: Lines, steps: Steps, raw: Raw } as const

/** What the rows of a page take, each with its first entry. Of steps at the most: some entries become one. */
const rowsOf = (
  depth: Depth,
  { entries, issue, run }: ViewProps
): ReadonlyArray<{ readonly seq: number; readonly cost: () => number }> => {
  switch (depth) {
    case "line": {
      const base = runPath(issue.identifier, run)
      return turnsOf(entries).map((turn) => ({
        seq: turn.seq,
        cost: () => weightOf(<TurnLine base={base} turn={turn} />)
      }))
    }
    case "steps":
      return entries.map((entry) => ({
        seq: entry.seq,
        cost: () => weightOf(<Steps entries={[entry]} issue={issue} run={run} />)
      }))
    case "raw":
      return entries.map((entry) => ({
        seq: entry.seq,
        cost: () => weightOf(<RawEntry entry={entry} issue={issue} run={run} />)
      }))
  }
}

/** As many of the entries as a page has room for: the last of them, or with `from` the first. */
export const onOnePage = (
  depth: Depth,
  end: TranscriptPlace["end"],
  of: ViewProps
): ReadonlyArray<TranscriptEntry> => {
  const rows = rowsOf(depth, of)
  const { count } = fitting(end === "from" ? rows : rows.toReversed(), ({ cost }) => cost(), PAGE_BYTES)
  const first = end === "from" ? -Infinity : (rows.at(-count)?.seq ?? Infinity)
  const next = end === "from" ? (rows[count]?.seq ?? Infinity) : Infinity
  return of.entries.filter(({ seq }) => first <= seq && seq < next)
}

/** What a run's agent said and did, at three depths, a page at a time; the newest page follows the run. */
export const TranscriptPage = (props: TranscriptProps) => {
  const { board, depth, entries, issue, place, run, total } = props
  const base = runPath(issue.identifier, run)
  const at = (query: Readonly<Record<string, string>>) => `${base}?${new URLSearchParams(query).toString()}`
  const first = entries[0]?.seq ?? 0
  const last = entries.at(-1)?.seq ?? 0
  const live = place === null && issue.run?.run === run
  const View = VIEWS[depth]
  return (
    <Document
      title={`${printableLine(issue.identifier, 80)} ${run} · symphony`}
      now={board.generatedAt}
      scripts={["tail.js"]}
    >
      <Bar board={board}>
        <a class="id" href={issuePath(issue.identifier)}>
          {printableLine(issue.identifier, 80)}
        </a>
        <span class="mono">{run}</span>
      </Bar>
      <main id="main">
        <h1 class="issue-title">
          Run {run} of {printableLine(issue.title, 200)}
        </h1>
        <p
          id="run-status"
          class="bar region"
          {...(issue.run?.run === run
            ? {
                "hx-get": `${base}/status`,
                "hx-trigger": "refreshed from:body",
                "hx-swap": "morph:innerHTML"
              }
            : {})}
        >
          <RunStatus board={board} issue={issue} run={run} total={total} />
        </p>
        <div
          id="run"
          class="region"
          data-total={total}
          {...(live
            ? {
                "hx-get": at({ depth }),
                "hx-select": "#run",
                // The whole transcript is read for its lines. `wanted`: by who has come back to its end.
                "hx-trigger": `refreshed from:body${depth === "line" ? " throttle:2s" : ""}, wanted`,
                "hx-swap": "morph:outerHTML settle:0ms"
              }
            : {})}
        >
          <div class="bar" role="group" aria-label="Depth and pages">
            {DEPTHS.map((name) => (
              <a href={at({ depth: name })} aria-current={name === depth ? "true" : undefined}>
                {name}
              </a>
            ))}
            <span class="dim">
              {entries.length > 0
                ? `${first}–${last} of ${total}, UTC`
                : total === 0
                  ? "nothing yet"
                  : `none of ${total} here`}
            </span>
            {first > 0 && entries.length > 0 ? (
              <a href={at({ depth, before: String(first) })}>older</a>
            ) : null}
            {entries.length > 0 && last + 1 < total ? (
              <a href={at({ depth, from: String(last + 1) })}>newer</a>
            ) : null}
            {place === null ? null : <a href={at({ depth })}>newest</a>}
            {entries.length === 0 ? null : (
              <a href={`${base}/last-error`} data-key="e">
                last error
              </a>
            )}
          </div>
          <ol id="log" class="log">
            <View entries={entries} issue={issue} run={run} />
          </ol>
        </div>
        {live ? (
          <button id="pill" type="button" class="pill primary" hidden>
            New below
          </button>
        ) : null}
      </main>
    </Document>
  )
}

import type { BoardIssue, BoardSnapshot } from "../../board/Board.ts"
import { printable, printableLine } from "../../domain/printable.ts"
import type { TranscriptEntry } from "../../journal/Transcripts.ts"
import { Bar } from "./bar.tsx"
import { clockTime, duration, plural } from "./format.ts"
import { Document } from "./layout.tsx"
import { issuePath, runPath } from "./pieces.tsx"
import { RunStatus } from "./runStatus.tsx"
import { isFailure, type Step, stepsOf, turnsOf } from "./steps.ts"

/** Entries on one page. */
export const PAGE_SIZE = 200

/** The address of the page with an entry on it, at the depth of steps; the newest page where it is on that. */
export const pageWith = (identifier: string, run: string, seq: number, total: number): string => {
  const before = seq + PAGE_SIZE
  const query = before >= total ? "" : `?before=${before}`
  return `${runPath(identifier, run)}${query}#e-${seq}`
}

const DEPTHS = ["line", "steps", "raw"] as const
export type Depth = (typeof DEPTHS)[number]

export interface TranscriptProps {
  readonly board: BoardSnapshot
  readonly issue: BoardIssue
  readonly run: string
  readonly depth: Depth
  /** The page ends before this entry; null: it is the newest, and live. */
  readonly before: number | null
  readonly entries: ReadonlyArray<TranscriptEntry>
  readonly total: number
}

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

/** Of what a step holds; the rest is at the raw depth. A page stays a page, whatever an agent prints. */
const LONGEST_DETAIL = 4000

const shortened = (text: string): string =>
  text.length <= LONGEST_DETAIL
    ? text
    : `${text.slice(0, LONGEST_DETAIL)}…\n(${text.length - LONGEST_DETAIL} more characters at the depth "raw")`

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

type ViewProps = Pick<TranscriptProps, "entries" | "issue" | "run" | "total">

const Steps = ({ entries }: ViewProps) => (
  <>
    {stepsOf(entries).map((step) => (
      <StepLine step={step} />
    ))}
  </>
)

const Lines = ({ entries, issue, run, total }: ViewProps) => (
  <>
    {turnsOf(entries).map((turn) => (
      <li id={`e-${turn.seq}`} class={turn.failed ? "step failed" : "step"}>
        <div class="line">
          <span class="dim">{time(turn.startedAt)}</span>
          <span class="kind">turn {turn.turn}</span>
          <a class="title" data-stop href={pageWith(issue.identifier, run, turn.seq, total)}>
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
    ))}
  </>
)

const Raw = ({ entries }: ViewProps) => (
  <>
    {entries.map((entry) => (
      <li id={`e-${entry.seq}`} class={isFailure(entry) ? "step failed" : "step"} tabindex={-1} data-stop>
        <div class="untrusted mono">
          {printable(`${entry.seq} ${clockTime(entry.at)} turn ${entry.turn} ${JSON.stringify(entry.event)}`)}
        </div>
      </li>
    ))}
  </>
)

const VIEWS = { line: Lines, steps: Steps, raw: Raw } as const

/** What a run's agent said and did, at three depths, a page at a time; the newest page follows the run. */
export const TranscriptPage = (props: TranscriptProps) => {
  const { before, board, depth, entries, issue, run, total } = props
  const base = runPath(issue.identifier, run)
  const at = (query: Readonly<Record<string, string>>) => `${base}?${new URLSearchParams(query).toString()}`
  const first = entries[0]?.seq ?? 0
  const last = entries.at(-1)?.seq ?? 0
  const live = before === null && issue.run?.run === run
  const View = VIEWS[depth]
  const here = before === null ? at({ depth }) : at({ depth, before: String(before) })
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
                "hx-get": here,
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
                  : `none of ${total} before ${before}`}
            </span>
            {first > 0 && entries.length > 0 ? (
              <a href={at({ depth, before: String(first) })}>older</a>
            ) : null}
            {before === null ? null : <a href={at({ depth })}>newest</a>}
            {entries.length === 0 ? null : (
              <a href={`${base}/last-error`} data-key="e">
                last error
              </a>
            )}
          </div>
          <ol id="log" class="log">
            <View entries={entries} issue={issue} run={run} total={total} />
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

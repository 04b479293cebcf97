import type { TranscriptEntry } from "../../journal/Transcripts.ts"
import { eventLine } from "../eventLine.ts"

/** Something an agent did, or said, as one step. */
export interface Step {
  /** Of its first entry. */
  readonly seq: number
  readonly turn: number
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly endedAt: number
  readonly kind: TranscriptEntry["event"]["_tag"]
  readonly title: string
  /** How a tool call ended, or stands. */
  readonly outcome: string | null
  readonly failed: boolean
  /** What there is to unfold. Untrusted. */
  readonly detail: string
}

const FAILED = /^(failed|error|cancelled|rejected)$/i

export const isFailure = ({ event }: TranscriptEntry): boolean => {
  switch (event._tag) {
    case "ToolCall":
    case "ToolUpdate":
      return FAILED.test(event.status)
    case "Notice":
      return true
    default:
      return false
  }
}

const stepOf = (entry: TranscriptEntry): Step => {
  const { at, event, seq, turn } = entry
  const step = { seq, turn, startedAt: at, endedAt: at, kind: event._tag, failed: isFailure(entry) }
  switch (event._tag) {
    case "ToolCall":
      return { ...step, title: event.title, outcome: event.status, detail: "" }
    case "ToolUpdate":
      return { ...step, title: `call ${event.id}`, outcome: event.status, detail: event.text }
    case "Prompt":
    case "Message":
    case "Thought":
    case "Plan":
    case "Stderr":
    case "Notice":
      return { ...step, title: eventLine(event), outcome: null, detail: event.text }
    case "Context":
    case "Permission":
    case "Stage":
      return { ...step, title: eventLine(event), outcome: null, detail: "" }
  }
}

const JOINED = new Set<Step["kind"]>(["Message", "Thought", "Stderr"])

const joined = (first: Step, second: Step): Step => {
  const detail = `${first.detail}${second.detail}`
  return {
    ...first,
    endedAt: second.endedAt,
    detail,
    title: eventLine({ _tag: "Message", text: detail })
  }
}

/**
 * Tool calls with their updates, and what was said in one breath, as one step each; in the order they began.
 * An update whose call lies on an earlier page is a step of its own.
 */
export const stepsOf = (entries: ReadonlyArray<TranscriptEntry>): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  const calls = new Map<string, number>()
  for (const entry of entries) {
    const { event } = entry
    const call = event._tag === "ToolUpdate" ? calls.get(event.id) : undefined
    const open = call === undefined ? undefined : steps[call]
    if (event._tag === "ToolUpdate" && call !== undefined && open !== undefined) {
      steps[call] = {
        ...open,
        endedAt: entry.at,
        outcome: event.status,
        failed: open.failed || isFailure(entry),
        detail: `${open.detail}${event.text}`
      }
      continue
    }
    const step = stepOf(entry)
    const last = steps.at(-1)
    if (last !== undefined && last.kind === step.kind && last.turn === step.turn && JOINED.has(step.kind)) {
      steps[steps.length - 1] = joined(last, step)
      continue
    }
    if (event._tag === "ToolCall") calls.set(event.id, steps.length)
    steps.push(step)
  }
  return steps
}

/** One line a turn: what it came to. */
export interface TurnLine {
  readonly turn: number
  readonly seq: number
  readonly startedAt: number
  readonly endedAt: number
  readonly calls: number
  readonly failures: number
  readonly last: string
}

export const turnsOf = (entries: ReadonlyArray<TranscriptEntry>): ReadonlyArray<TurnLine> => {
  const turns = new Map<number, TurnLine>()
  for (const step of stepsOf(entries)) {
    const before = turns.get(step.turn)
    turns.set(step.turn, {
      turn: step.turn,
      seq: before?.seq ?? step.seq,
      startedAt: before?.startedAt ?? step.startedAt,
      endedAt: step.endedAt,
      calls: (before?.calls ?? 0) + (step.kind === "ToolCall" ? 1 : 0),
      failures: (before?.failures ?? 0) + (step.failed ? 1 : 0),
      last: step.kind === "Context" ? (before?.last ?? step.title) : step.title
    })
  }
  return [...turns.values()]
}

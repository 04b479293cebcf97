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

/** That something has failed: a call, or a stage of the run. */
export const isFailure = ({ event }: TranscriptEntry): boolean => {
  switch (event._tag) {
    case "ToolCall":
    case "ToolUpdate":
      return FAILED.test(event.status)
    case "Stage":
      return event.failed
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
    case "Stage":
      return { ...step, title: eventLine(event), outcome: null, detail: event.detail }
    case "Context":
    case "Permission":
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
  /** Of the calls. */
  readonly failures: number
  /** Whether anything has failed in it. */
  readonly failed: boolean
  readonly last: string
}

const isCall = ({ kind }: Step): boolean => kind === "ToolCall" || kind === "ToolUpdate"

/** What we note around a turn says what it came to only where it failed, or where there is nothing else. */
const tells = ({ failed, kind }: Step): boolean => kind !== "Context" && (kind !== "Stage" || failed)

const lineOf = (turn: number, steps: readonly [Step, ...ReadonlyArray<Step>]): TurnLine => {
  const [first] = steps
  const calls = steps.filter(isCall)
  const last = steps.findLast(tells) ?? steps.findLast(({ kind }) => kind === "Stage") ?? first
  return {
    turn,
    seq: first.seq,
    startedAt: first.startedAt,
    endedAt: steps.reduce((latest, { endedAt }) => Math.max(latest, endedAt), first.endedAt),
    calls: calls.length,
    failures: calls.filter(({ failed }) => failed).length,
    failed: steps.some(({ failed }) => failed),
    last: last.title
  }
}

export const turnsOf = (entries: ReadonlyArray<TranscriptEntry>): ReadonlyArray<TurnLine> => {
  const turns = new Map<number, [Step, ...Array<Step>]>()
  for (const step of stepsOf(entries)) {
    const steps = turns.get(step.turn)
    if (steps === undefined) turns.set(step.turn, [step])
    else steps.push(step)
  }
  return [...turns].map(([turn, steps]) => lineOf(turn, steps))
}

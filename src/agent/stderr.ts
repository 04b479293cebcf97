import type { AgentEvent } from "./AgentSessions.ts"
import { capped } from "./text.ts"

const MAX_LINE = 4096
const KEPT_LINES = 20

export interface StderrLog {
  readonly push: (chunk: Uint8Array) => void
  readonly end: () => void
  /** The last few lines, for the message of a failure. */
  readonly last: () => ReadonlyArray<string>
}

/** What an agent writes to stderr, a line an event; a line without end is cut, not kept. */
export const makeStderrLog = (emit: (event: AgentEvent) => void): StderrLog => {
  const decoder = new TextDecoder()
  const kept: Array<string> = []
  let partial = ""

  const tell = (line: string): void => {
    const text = line.trimEnd()
    if (text === "") return
    kept.push(text.slice(0, 500))
    if (kept.length > KEPT_LINES) kept.shift()
    emit({ _tag: "Stderr", text: capped(text, MAX_LINE) })
  }
  const take = (text: string): void => {
    const lines = `${partial}${text}`.split("\n")
    partial = lines.pop() ?? ""
    lines.forEach(tell)
    if (partial.length > MAX_LINE) {
      tell(partial)
      partial = ""
    }
  }

  return {
    push: (chunk) => take(decoder.decode(chunk, { stream: true })),
    end: () => {
      take(`${decoder.decode()}\n`)
    },
    last: () => [...kept]
  }
}

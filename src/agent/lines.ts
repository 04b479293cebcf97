/** Longest line that an agent may send. Real ones stay far below; a run's memory is bounded by it. */
export const MAX_LINE_BYTES = 32 * 1024 * 1024

/** Deepest nesting of a message; recursive decoders must not be driven to the end of the stack. */
export const MAX_DEPTH = 128

export interface LineSplitter {
  /** Complete lines, without their ends. `overflow`: a line is over the cap and what was held is gone. */
  readonly push: (chunk: Uint8Array) => { readonly lines: ReadonlyArray<string>; readonly overflow: boolean }
  /** What follows the last line end, at the end of the stream. */
  readonly rest: () => string
}

const NEWLINE = 10

/**
 * Cuts a byte stream into lines and decodes each as a whole, so that a character split across chunks
 * survives. Holds at most `maxBytes`.
 */
export const makeLineSplitter = (maxBytes: number): LineSplitter => {
  const decoder = new TextDecoder()
  let held: Array<Uint8Array> = []
  let size = 0

  const take = (): string => {
    const whole = held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held)
    held = []
    size = 0
    return decoder.decode(whole)
  }

  const hold = (part: Uint8Array): boolean => {
    if (size + part.length > maxBytes) {
      held = []
      size = 0
      return false
    }
    if (part.length > 0) held.push(part)
    size += part.length
    return true
  }

  return {
    push: (chunk) => {
      const lines: Array<string> = []
      let start = 0
      for (;;) {
        const end = chunk.indexOf(NEWLINE, start)
        if (!hold(chunk.subarray(start, end < 0 ? chunk.length : end))) return { lines, overflow: true }
        if (end < 0) return { lines, overflow: false }
        lines.push(take())
        start = end + 1
      }
    },
    rest: take
  }
}

const QUOTE = 34
const BACKSLASH = 92
const OPENING = new Set([91, 123])
const CLOSING = new Set([93, 125])

/** Whether JSON text nests deeper than `limit`. Brackets in strings do not count. */
export const nestsDeeperThan = (text: string, limit: number): boolean => {
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (inString) {
      if (code === BACKSLASH) index++
      else if (code === QUOTE) inString = false
    } else if (code === QUOTE) inString = true
    else if (OPENING.has(code)) {
      depth++
      if (depth > limit) return true
    } else if (CLOSING.has(code)) depth--
  }
  return false
}

import { Option, Schema } from "effect"
import { makeLineSplitter } from "../agent/lines.ts"
import { addTokens, noTokens, type Tokens, unknownTokens } from "../domain/Tokens.ts"

/** Longest line of an event stream, and longest answer that is no stream, that is looked into. */
const MAX_LOOKED_INTO = 8 * 1024 * 1024

/** A larger number is nonsense. */
const MAX_COUNT = 1e12

const count = Schema.optionalKey(Schema.NullOr(Schema.Finite))
const Usage = Schema.Struct({
  input_tokens: count,
  cache_creation_input_tokens: count,
  cache_read_input_tokens: count,
  output_tokens: count,
  prompt_tokens: count,
  completion_tokens: count
})
type Usage = typeof Usage.Type
const holder = { usage: Schema.optionalKey(Schema.NullOr(Usage)) }
/** The three places in which the APIs report: at the top, in the message that begins, in the finished response. */
const Reported = Schema.Struct({
  ...holder,
  message: Schema.optionalKey(Schema.NullOr(Schema.Struct(holder))),
  response: Schema.optionalKey(Schema.NullOr(Schema.Struct(holder)))
})
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Reported))

export interface UsageMeter {
  /** Answers what these bytes have added to what the answer has reported; `none` where nothing. */
  readonly take: (bytes: Uint8Array) => Tokens
  /**
   * The same of the end of the answer: `partial` where it ended before its last report, `unknown` where all of it
   * has reported nothing.
   */
  readonly end: () => Tokens
}

const sum = (...numbers: ReadonlyArray<number | null | undefined>): number | null => {
  const known = numbers.filter((it): it is number => typeof it === "number" && it >= 0 && it <= MAX_COUNT)
  return known.length === 0 ? null : Math.round(known.reduce((total, it) => total + it, 0))
}

/** Anthropic counts what it reads from and writes to its cache apart from `input_tokens`; OpenAI within. */
const inputOf = (usage: Usage): number | null =>
  sum(
    usage.input_tokens ?? usage.prompt_tokens,
    usage.cache_creation_input_tokens,
    usage.cache_read_input_tokens
  )

/**
 * Reads the usage out of an answer of a model as it passes: an event stream or one JSON document. Reports of
 * one answer replace each other, for they are running totals.
 */
export const makeUsageMeter = (contentType: string): UsageMeter => {
  const isStream = contentType.includes("text/event-stream")
  const splitter = makeLineSplitter(MAX_LOOKED_INTO)
  const pieces: Array<string> = []
  let overflown = false
  let input: number | null = null
  let output: number | null = null
  /** A report of the whole answer was seen; a message that begins reports what it has read, and no more. */
  let isWhole = false

  const look = (json: string): void => {
    if (!json.includes('"usage"')) return
    const found = decode(json)
    if (Option.isNone(found)) return
    const { message, response, usage: ofAll } = found.value
    for (const usage of [ofAll, message?.usage, response?.usage]) {
      if (usage === null || usage === undefined) continue
      isWhole ||= usage !== message?.usage
      input = Math.max(inputOf(usage) ?? 0, input ?? 0)
      output = sum(usage.output_tokens ?? usage.completion_tokens) ?? output
    }
  }
  const line = (text: string): void => {
    if (!isStream) return look(text)
    if (text.startsWith("data:")) look(text.slice("data:".length))
  }

  let told = { input: 0, output: 0 }
  const added = (): Tokens => {
    const now = { input: input ?? 0, output: Math.max(Math.round(output ?? 0), told.output) }
    const more = { input: now.input - told.input, output: now.output - told.output }
    told = now
    return more.input + more.output === 0
      ? noTokens
      : { ...more, total: more.input + more.output, source: "counted" }
  }

  return {
    take: (bytes) => {
      if (overflown) return noTokens
      const { lines, overflow } = splitter.push(bytes)
      overflown = overflow && !isStream
      if (isStream) for (const text of lines) line(text)
      // A JSON document may have several lines; it is put together at the end.
      else pieces.push(...lines)
      return added()
    },
    end: () => {
      line([...pieces.splice(0), splitter.rest()].join("\n"))
      if (input === null && output === null) return unknownTokens
      return isWhole ? added() : addTokens(added(), unknownTokens)
    }
  }
}

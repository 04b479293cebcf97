import { Schema } from "effect"

/**
 * Where a number of tokens comes from: `reported` by the agent for whole turns, `partial` when the agent is
 * known to leave requests out, `counted` at our own proxy, `scripted` by the demo agent (no model involved),
 * `unknown` when nobody said. Unknown is never shown as 0.
 */
export const TokenSource = Schema.Literals(["reported", "partial", "counted", "scripted", "unknown"])
export type TokenSource = typeof TokenSource.Type

export const Tokens = Schema.Struct({
  input: Schema.Int,
  output: Schema.Int,
  total: Schema.Int,
  source: TokenSource
})
export type Tokens = typeof Tokens.Type

export const noTokens: Tokens = { input: 0, output: 0, total: 0, source: "unknown" }

const certainty: Record<TokenSource, number> = {
  counted: 3,
  reported: 2,
  scripted: 1,
  partial: 0,
  unknown: -1
}

/** The sum is as certain as its less certain part; adding nothing changes nothing. */
export const addTokens = (left: Tokens, right: Tokens): Tokens => ({
  input: left.input + right.input,
  output: left.output + right.output,
  total: left.total + right.total,
  source:
    left.source === "unknown"
      ? right.source
      : right.source === "unknown"
        ? left.total === 0
          ? left.source
          : "partial"
        : certainty[left.source] <= certainty[right.source]
          ? left.source
          : right.source
})

import { Schema } from "effect"

/**
 * Where a number of tokens comes from: `reported` by the agent for whole turns, `counted` at our own proxy,
 * `scripted` by the demo agent (no model involved); `partial` when requests are known to be left out; `unknown`
 * when nobody said, which is never shown as 0; `none` when there was nothing to count yet.
 */
export const TokenSource = Schema.Literals(["none", "reported", "partial", "counted", "scripted", "unknown"])
export type TokenSource = typeof TokenSource.Type

export const Tokens = Schema.Struct({
  input: Schema.Int,
  output: Schema.Int,
  total: Schema.Int,
  source: TokenSource
})
export type Tokens = typeof Tokens.Type

/** Nothing was used. */
export const noTokens: Tokens = { input: 0, output: 0, total: 0, source: "none" }

/** Something was used, and nobody said how much. */
export const unknownTokens: Tokens = { ...noTokens, source: "unknown" }

const certainty: Record<Exclude<TokenSource, "none">, number> = {
  counted: 4,
  reported: 3,
  scripted: 2,
  partial: 1,
  unknown: 0
}

const addSources = (left: TokenSource, right: TokenSource): TokenSource => {
  if (left === "none") return right
  if (right === "none" || left === right) return left
  return left === "unknown" || right === "unknown"
    ? "partial"
    : certainty[left] < certainty[right]
      ? left
      : right
}

/** The sum is as certain as its less certain part; where one part is unknown it is a lower bound. */
export const addTokens = (left: Tokens, right: Tokens): Tokens => ({
  input: left.input + right.input,
  output: left.output + right.output,
  total: left.total + right.total,
  source: addSources(left.source, right.source)
})

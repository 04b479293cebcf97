import { Schema } from "effect"
import { addCosts, Cost } from "./Cost.ts"

/**
 * Where a number of tokens comes from: `reported` by the agent for whole turns, `counted` at our own proxy,
 * `scripted` by the demo agent (no model involved); `partial` when requests are known to be left out; `unknown`
 * when nobody said, which is never shown as 0; `none` when there was nothing to count yet.
 */
export const TokenSource = Schema.Literals(["none", "reported", "partial", "counted", "scripted", "unknown"])
export type TokenSource = typeof TokenSource.Type

/** What a turn, a run, an issue or all of them have used of their models. */
export const Tokens = Schema.Struct({
  input: Schema.Int,
  output: Schema.Int,
  total: Schema.Int,
  source: TokenSource,
  /** Absent where nobody said, and where nothing was used. */
  cost: Schema.optionalKey(Cost)
})
export type Tokens = typeof Tokens.Type

/** Nothing was used. */
export const noTokens: Tokens = { input: 0, output: 0, total: 0, source: "none" }

export const isNothing = (tokens: Tokens): boolean => tokens.source === "none" && isFree(tokens)

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

/** No model was asked, so there is nothing to pay. */
export const isFree = ({ cost, source }: Tokens): boolean =>
  cost === undefined && (source === "none" || source === "scripted")

/** Where one part is not known, the sum is a lower bound. */
const costOfBoth = (left: Tokens, right: Tokens): Cost | undefined => {
  if (isFree(left)) return right.cost
  if (isFree(right)) return left.cost
  const known = left.cost ?? right.cost
  if (known === undefined) return undefined
  return left.cost === undefined || right.cost === undefined
    ? { ...known, partial: true }
    : addCosts(left.cost, right.cost)
}

export const withCost = (tokens: Tokens, cost: Cost | undefined): Tokens =>
  cost === undefined ? tokens : { ...tokens, cost }

/** The sum is as certain as its less certain part; where one part is unknown it is a lower bound. */
export const addTokens = (left: Tokens, right: Tokens): Tokens =>
  withCost(
    {
      input: left.input + right.input,
      output: left.output + right.output,
      total: left.total + right.total,
      source: addSources(left.source, right.source)
    },
    costOfBoth(left, right)
  )

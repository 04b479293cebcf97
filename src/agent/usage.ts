import { type Tokens, type TokenSource, unknownTokens } from "../domain/Tokens.ts"
import type { UsageSemantics } from "./adapters.ts"
import type { Launch } from "./launch.ts"
import type { Usage } from "./protocol.ts"

const sources: Readonly<Record<UsageSemantics, TokenSource>> = {
  turn: "reported",
  turn_or_absent: "reported",
  last_request: "partial",
  scripted: "scripted"
}

/** No turn uses more; a larger number is nonsense, and nonsense must not be added up. */
const MAX_COUNT = 1e12

const count = (value: number | null | undefined): number =>
  typeof value === "number" && value > 0 && value <= MAX_COUNT ? Math.round(value) : 0

/**
 * Tokens of one turn. Some agents count cached input apart from `inputTokens` and some within; the stated
 * total decides.
 */
export const tokensOf = (usage: Usage | null | undefined, semantics: UsageSemantics): Tokens => {
  if (usage === null || usage === undefined) return unknownTokens
  const output = count(usage.outputTokens)
  const apart = count(usage.inputTokens) + count(usage.cachedReadTokens) + count(usage.cachedWriteTokens)
  const total = count(usage.totalTokens) || count(usage.inputTokens) + output
  const input = Math.max(count(usage.inputTokens), Math.min(apart, total - output))
  return { input, output, total: Math.max(total, input + output), source: sources[semantics] }
}

/** Of a turn that we have cut off: the request that was under way is in no agent's sum. */
export const cutOff = (tokens: Tokens): Tokens =>
  tokens.source === "scripted"
    ? tokens
    : tokens.total === 0
      ? unknownTokens
      : { ...tokens, source: "partial" }

/**
 * Whether a turn that "ended well" cannot have reached its model. Some agents report a dead provider as a
 * chat message and `end_turn`, with no usage.
 */
export const nothingUsed = (usage: Usage | null | undefined, launch: Launch): boolean =>
  usage === undefined
    ? !launch.own && launch.usage !== "turn_or_absent"
    : usage === null || tokensOf(usage, launch.usage).total === 0

import { Effect, Ref } from "effect"
import type { AgentSession } from "../agent/AgentSessions.ts"
import type { RunningCost } from "../domain/Cost.ts"
import { addTokens, type Tokens, withCost } from "../domain/Tokens.ts"
import type { ProxiedModel } from "../proxy/ModelProxy.ts"

/** Where it becomes known what a run uses. */
export interface UsageMeters {
  /** Null where the agent reaches its model by itself, and nobody counts but the agent. */
  readonly model: ProxiedModel | null
  /** Null until there is one. */
  readonly session: Pick<AgentSession, "takeCost"> | null
}

/** What of a run is counted, and where. */
export interface RunUsage {
  /** Counted so far in this run. */
  readonly tokens: Ref.Ref<Tokens>
  readonly meters: Ref.Ref<UsageMeters>
}

export const noMeters: UsageMeters = { model: null, session: null }

/** What a report tells of it. */
export interface Used {
  readonly tokens: Tokens
  readonly running?: RunningCost
}

/**
 * What the run has used since this was last asked, added to its sum. `told`: the tokens that the agent itself
 * has told meanwhile; they count where nobody has counted better.
 */
export const takeUsed = (run: RunUsage, told: Tokens): Effect.Effect<Used> =>
  Effect.gen(function* () {
    const { model, session } = yield* Ref.get(run.meters)
    const tokens = model === null ? told : yield* model.takeTokens
    const spent = session === null ? null : yield* session.takeCost
    const used = withCost(tokens, spent?.cost)
    yield* Ref.update(run.tokens, (sum) => addTokens(sum, used))
    const running = spent?.running ?? null
    return running === null ? { tokens: used } : { tokens: used, running }
  })

import { Effect } from "effect"
import type { Adapter } from "./adapters.ts"
import type { AgentError } from "./AgentSessions.ts"
import { timedOut } from "./failures.ts"
import type { Progress } from "./progress.ts"

export interface TurnLimits {
  /** Milliseconds for the whole turn. */
  readonly promptTimeoutMs: number
  /** Milliseconds without progress; 0 turns it off. */
  readonly stallTimeoutMs: number
}

/**
 * Ends a turn that takes too long in total or gets nowhere for too long, with the reason of the clock that struck.
 * Progress keeps a turn alive; heartbeats do not.
 */
export const withTurnLimits = <A, R>(
  turn: Effect.Effect<A, AgentError, R>,
  adapter: Adapter,
  limits: TurnLimits,
  progress: Progress
): Effect.Effect<A, AgentError, R> => {
  const total = Effect.sleep(limits.promptTimeoutMs).pipe(
    Effect.andThen(Effect.fail(timedOut("prompt_timeout", adapter, limits.promptTimeoutMs, "its prompt")))
  )
  const stall = Effect.gen(function* () {
    for (;;) {
      const quietFor = yield* progress.quietForMs
      if (quietFor >= limits.stallTimeoutMs)
        return yield* timedOut("stall_timeout", adapter, limits.stallTimeoutMs, "its prompt")
      yield* Effect.sleep(limits.stallTimeoutMs - quietFor)
    }
  })
  return Effect.raceAllFirst(limits.stallTimeoutMs > 0 ? [turn, total, stall] : [turn, total])
}

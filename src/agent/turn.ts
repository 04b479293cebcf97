import { Clock, Effect } from "effect"
import type { Adapter } from "./adapters.ts"
import type { AgentError } from "./AgentSessions.ts"
import { timedOut } from "./failures.ts"

/** For what has to know how long something took: the clock on the wall may be set meanwhile. */
export const monotonicMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

export interface TurnLimits {
  /** Milliseconds for the whole turn. */
  readonly promptTimeoutMs: number
  /** Milliseconds of silence; 0 turns it off. */
  readonly stallTimeoutMs: number
}

/**
 * Ends a turn that takes too long in total or is silent for too long, with the reason of the clock that
 * struck. Silence is measured in bytes, so that output we cannot read still counts as life.
 */
export const withTurnLimits = <A, R>(
  turn: Effect.Effect<A, AgentError, R>,
  adapter: Adapter,
  limits: TurnLimits,
  lastActivityAt: Effect.Effect<number>
): Effect.Effect<A, AgentError, R> => {
  const total = Effect.sleep(limits.promptTimeoutMs).pipe(
    Effect.andThen(Effect.fail(timedOut("prompt_timeout", adapter, limits.promptTimeoutMs, "its prompt")))
  )
  const silence = Effect.gen(function* () {
    for (;;) {
      const quietFor = (yield* monotonicMillis) - (yield* lastActivityAt)
      if (quietFor >= limits.stallTimeoutMs)
        return yield* timedOut("stall_timeout", adapter, limits.stallTimeoutMs, "its prompt")
      yield* Effect.sleep(limits.stallTimeoutMs - quietFor)
    }
  })
  return Effect.raceAllFirst(limits.stallTimeoutMs > 0 ? [turn, total, silence] : [turn, total])
}

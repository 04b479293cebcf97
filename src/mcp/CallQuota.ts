import { Clock, Effect, Ref } from "effect"

/** Bounds how often something is done: a burst, then a steady pace. */
export interface CallQuota {
  /** Takes one; 0 when it is allowed, else the seconds after which the next one is. */
  readonly take: Effect.Effect<number>
}

export interface QuotaOptions {
  /** How many may follow each other without a pause. */
  readonly burst: number
  /** Pace at which a spent allowance comes back, in milliseconds each. */
  readonly refillMs: number
}

interface Bucket {
  readonly calls: number
  /** Epoch milliseconds up to which the refill has been counted. */
  readonly at: number
}

export const makeCallQuota = ({ burst, refillMs }: QuotaOptions): Effect.Effect<CallQuota> =>
  Effect.gen(function* () {
    const bucket = yield* Ref.make<Bucket>({ calls: burst, at: yield* Clock.currentTimeMillis })
    const refilled = (before: Bucket, now: number): Bucket => ({
      calls: Math.min(burst, before.calls + Math.max(0, now - before.at) / refillMs),
      at: now
    })
    return {
      take: Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Ref.modify(bucket, (before): readonly [number, Bucket] => {
          const filled = refilled(before, now)
          return filled.calls >= 1
            ? [0, { ...filled, calls: filled.calls - 1 }]
            : [Math.ceil(((1 - filled.calls) * refillMs) / 1000), filled]
        })
      )
    }
  })

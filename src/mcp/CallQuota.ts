import { Clock, Effect, Ref } from "effect"

/** Calls that may follow each other without a pause. */
const BURST = 60
/** Pace at which a spent allowance comes back, in milliseconds a call. */
const REFILL_MS = 1000

/** Bounds how often one run calls its tools: a burst, then one call a second. */
export interface CallQuota {
  /** Takes one call; 0 when it is allowed, else the seconds after which the next one is. */
  readonly take: Effect.Effect<number>
}

interface Bucket {
  readonly calls: number
  /** Epoch milliseconds up to which the refill has been counted. */
  readonly at: number
}

const refilled = (bucket: Bucket, now: number): Bucket => ({
  calls: Math.min(BURST, bucket.calls + Math.max(0, now - bucket.at) / REFILL_MS),
  at: now
})

export const makeCallQuota: Effect.Effect<CallQuota> = Effect.gen(function* () {
  const bucket = yield* Ref.make<Bucket>({ calls: BURST, at: yield* Clock.currentTimeMillis })
  return {
    take: Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Ref.modify(bucket, (before): readonly [number, Bucket] => {
        const filled = refilled(before, now)
        return filled.calls >= 1
          ? [0, { ...filled, calls: filled.calls - 1 }]
          : [Math.ceil(((1 - filled.calls) * REFILL_MS) / 1000), filled]
      })
    )
  }
})

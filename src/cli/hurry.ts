import { Deferred, Effect, Layer } from "effect"
import { Hurry } from "../scheduler/Hurry.ts"

const SIGNALS = ["SIGINT", "SIGTERM"] as const

/** The first signal asks for a graceful stop, which is the runtime's affair; the second hurries it. */
export const layer = Layer.effect(
  Hurry,
  Effect.gen(function* () {
    const second = yield* Deferred.make<void>()
    let heard = 0
    const hear = (): void => {
      heard++
      if (heard === 2) Deferred.doneUnsafe(second, Effect.void)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => SIGNALS.forEach((signal) => process.on(signal, hear))),
      () => Effect.sync(() => SIGNALS.forEach((signal) => process.off(signal, hear)))
    )
    return Deferred.await(second)
  })
)

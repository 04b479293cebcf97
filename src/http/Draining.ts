import { Context, Effect, Latch, Layer } from "effect"

/** Opens when the listener is about to close: answers that never end by themselves end then. */
export class Draining extends Context.Service<Draining, Latch.Latch>()("symphony/http/Draining") {
  static readonly layer = Layer.effect(Draining, Latch.make())

  /** Build it after the server: finalizers run in reverse, so the latch opens before the server waits. */
  static readonly onRelease = Layer.effectDiscard(
    Effect.gen(function* () {
      const draining = yield* Draining
      yield* Effect.addFinalizer(() => draining.open)
    })
  )
}

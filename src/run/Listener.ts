import { Context, Deferred, Effect, Layer } from "effect"

/** Where symphony listens, known once it does. Runs wait for it before they give an agent its MCP address. */
export class Listener extends Context.Service<
  Listener,
  {
    /** Waits until the listener is bound. */
    readonly port: Effect.Effect<number>
    readonly bound: (port: number) => Effect.Effect<void>
  }
>()("symphony/run/Listener") {
  static readonly layer = Layer.effect(
    Listener,
    Effect.gen(function* () {
      const port = yield* Deferred.make<number>()
      return Listener.of({
        port: Deferred.await(port),
        bound: (value) => Effect.asVoid(Deferred.succeed(port, value))
      })
    })
  )
}

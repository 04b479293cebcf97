import { Context, Deferred, Effect, Layer } from "effect"
import type { ListenerAddress } from "../sandbox/listenerHost.ts"

/** Where symphony listens, known once it does. Runs wait for it before they give an agent its MCP address. */
export class Listener extends Context.Service<
  Listener,
  {
    /** Waits until the listener is bound. */
    readonly address: Effect.Effect<ListenerAddress>
    readonly bound: (address: ListenerAddress) => Effect.Effect<void>
  }
>()("symphony/run/Listener") {
  static readonly layer = Layer.effect(
    Listener,
    Effect.gen(function* () {
      const address = yield* Deferred.make<ListenerAddress>()
      return Listener.of({
        address: Deferred.await(address),
        bound: (value) => Effect.asVoid(Deferred.succeed(address, value))
      })
    })
  )
}

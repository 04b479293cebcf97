import * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"
import { makeBridge } from "../../src/sandbox/smolvm/Bridge.ts"

const dial = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = net.connect(port, "127.0.0.1")
      socket.on("error", () => socket.destroy())
      socket.once("connect", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => void socket.destroy())
  )

const closed = (socket: net.Socket) =>
  Effect.callback<void>((resume) => {
    if (socket.destroyed) return resume(Effect.void)
    socket.resume()
    socket.once("close", () => resume(Effect.void))
  })

describe("the bridge", { timeout: 8_000 }, () => {
  it.live("lets in who has a token, however many strangers stand before it", () =>
    Effect.gen(function* () {
      const bridge = yield* makeBridge
      const strangers = yield* Effect.forEach(Array.from({ length: 200 }), () => dial(bridge.port))
      const { link, token } = yield* bridge.expect
      const guest = yield* dial(bridge.port)
      guest.write(`symphony ${Redacted.value(token)}\n`)
      yield* link
      // The first to come are the first to go.
      yield* closed(strangers[0] ?? guest)
      assert.isFalse(guest.destroyed)
    }).pipe(Effect.scoped, Effect.provide(SecureRandom.layerWebCrypto))
  )

  it.effect("gives a stranger its time once, and not again with each byte", () =>
    Effect.gen(function* () {
      const bridge = yield* makeBridge
      const stranger = yield* dial(bridge.port)
      const { link, token } = yield* bridge.expect
      const guest = yield* dial(bridge.port)
      guest.write(`symphony ${Redacted.value(token)}\n`)
      yield* link
      for (let second = 0; second < 10; second++) {
        stranger.write("s")
        yield* TestClock.adjust("1001 millis")
      }
      yield* closed(stranger)
      assert.isFalse(guest.destroyed)
    }).pipe(Effect.scoped, Effect.provide(SecureRandom.layerWebCrypto))
  )
})

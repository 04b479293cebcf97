import { createHash, timingSafeEqual } from "node:crypto"
import * as net from "node:net"
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Deferred, Effect, FiberSet, Redacted, type Scope } from "effect"
import { SecureRandom } from "effect/crypto"
import { Base64Url } from "effect/encoding"
import { SandboxError } from "../Sandboxes.ts"
import type { Link } from "./guestLink.ts"

/** How long a stranger may stay without having proved a token, whatever it sends. */
const AUTHENTICATION_LIMIT = "10 seconds"
/** Of more, who has stood there longest has to go: a guest sends its token at once. */
const MAX_STRANGERS = 128
const TOKEN_BYTES = 32
const PREFIX = "symphony "
const LONGEST_LINE = 200
/** Under way to one guest; the socket itself pushes back. */
const WINDOW = 256 * 1024

const problem = (cause: unknown) =>
  new SandboxError({
    kind: "smolvm",
    reason: "io",
    detail: `the bridge to the guest broke: ${cause instanceof Error ? cause.message : "unknown"}`,
    hint: null
  })

const digestOf = (token: string): Uint8Array => createHash("sha256").update(token).digest()

interface Expected {
  readonly digest: Uint8Array
  readonly arrived: Deferred.Deferred<net.Socket>
}

/** Where guests dial back to: one listener on the host's loopback. */
export interface Bridge {
  readonly port: number
  /**
   * A token that opens one connection, once, while the scope lives, and the link that it will open. Tokens
   * are compared in constant time and only their digests are kept.
   */
  readonly expect: Effect.Effect<
    { readonly token: Redacted.Redacted; readonly link: Effect.Effect<Link> },
    never,
    Scope.Scope
  >
  /** As `expect`, for a guest that only wants to know whether this is us. */
  readonly greet: Effect.Effect<Redacted.Redacted, never, Scope.Scope>
}

export const makeBridge: Effect.Effect<Bridge, SandboxError, Scope.Scope | SecureRandom.SecureRandom> =
  Effect.gen(function* () {
    const random = yield* SecureRandom.SecureRandom
    const expected = new Set<Expected>()

    /** Looks at all, so that the time taken tells nothing; what is found is used up. */
    const claim = (token: string): Expected | undefined => {
      const presented = digestOf(token)
      let found: Expected | undefined
      for (const one of expected) if (timingSafeEqual(one.digest, presented)) found = one
      if (found !== undefined) expected.delete(found)
      return found
    }

    const run = yield* FiberSet.makeRuntime<never, void, never>()
    /** Sends a stranger away after its time; what is returned calls that off. */
    const limit = (socket: net.Socket) => {
      const leaving = run(
        Effect.delay(
          Effect.sync(() => void socket.destroy()),
          AUTHENTICATION_LIMIT
        )
      )
      return () => leaving.interruptUnsafe()
    }
    const server = yield* Effect.acquireRelease(listen(claim, limit), close)

    const expectSocket = Effect.gen(function* () {
      const token = Base64Url.encode(yield* random.randomBytes(TOKEN_BYTES))
      const one: Expected = { digest: digestOf(token), arrived: yield* Deferred.make<net.Socket>() }
      yield* Effect.acquireRelease(
        Effect.sync(() => void expected.add(one)),
        () => Effect.sync(() => void expected.delete(one))
      )
      return { token: Redacted.make(token, { label: "one-time token of the bridge" }), arrived: one.arrived }
    })

    return {
      port: server.port,
      expect: Effect.map(expectSocket, ({ arrived, token }) => ({
        token,
        link: Effect.map(Deferred.await(arrived), linkOver)
      })),
      greet: Effect.gen(function* () {
        const { arrived, token } = yield* expectSocket
        yield* Deferred.await(arrived).pipe(
          Effect.flatMap((socket) => Effect.sync(() => socket.end("symphony\n"))),
          Effect.forkScoped
        )
        return token
      })
    }
  })

interface Listening {
  readonly server: net.Server
  readonly port: number
  readonly open: Set<net.Socket>
}

const listen = (claim: (token: string) => Expected | undefined, limit: (socket: net.Socket) => () => void) =>
  Effect.callback<Listening, SandboxError>((resume) => {
    const open = new Set<net.Socket>()
    const strangers = new Set<net.Socket>()
    const server = net.createServer({ noDelay: true }, (socket) => {
      const [oldest] = strangers
      if (oldest !== undefined && strangers.size >= MAX_STRANGERS) {
        strangers.delete(oldest)
        oldest.destroy()
      }
      strangers.add(socket)
      open.add(socket)
      socket.once("close", () => open.delete(socket))
      socket.on("error", () => socket.destroy())
      const callOff = limit(socket)
      authenticate(socket, claim, () => {
        strangers.delete(socket)
        callOff()
      })
    })
    server.once("error", (cause) => resume(Effect.fail(problem(cause))))
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ server, port, open }))
    })
  })

const close = ({ open, server }: Listening) =>
  Effect.callback<void>((resume) => {
    for (const socket of open) socket.destroy()
    server.close(() => resume(Effect.void))
  })

/** Reads one line; what follows it in the same packet stays for whoever gets the connection. */
const authenticate = (
  socket: net.Socket,
  claim: (token: string) => Expected | undefined,
  decided: () => void
): void => {
  let seen = Buffer.alloc(0)
  const over = () => {
    socket.off("data", onData)
    socket.off("close", over)
    decided()
  }
  const onData = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk])
    const end = seen.indexOf(10)
    if (end < 0 && seen.length <= LONGEST_LINE) return
    over()
    const line = seen.subarray(0, Math.max(end, 0)).toString("latin1")
    const one = line.startsWith(PREFIX) ? claim(line.slice(PREFIX.length)) : undefined
    if (one === undefined) return void socket.destroy()
    socket.pause()
    if (seen.length > end + 1) socket.unshift(seen.subarray(end + 1))
    Deferred.doneUnsafe(one.arrived, Effect.succeed(socket))
  }
  socket.on("data", onData)
  socket.on("close", over)
}

const linkOver = (socket: net.Socket): Link => ({
  incoming: NodeStream.fromReadable({ evaluate: () => socket, onError: problem, closeOnDone: false }),
  send: (bytes) =>
    Effect.callback<void, SandboxError>((resume) => {
      socket.write(bytes, (error) =>
        resume(error === null || error === undefined ? Effect.void : Effect.fail(problem(error)))
      )
    }),
  cut: Effect.sync(() => void socket.destroy()),
  lastWords: Effect.succeed(""),
  window: WINDOW
})

import { Effect, type FileSystem, type Scope } from "effect"
import * as net from "node:net"
import { type ListenerAddress, reachable } from "../listenerHost.ts"
import { SandboxError } from "../Sandboxes.ts"

const MOST_CONNECTIONS = 256

const problem = (cause: unknown) =>
  new SandboxError({
    kind: "bubblewrap",
    reason: "io",
    detail: `cannot open the guest's way to the listener: ${cause instanceof Error ? cause.message : "unknown"}`,
    hint: null
  })

/**
 * The host's end of the only way out of a guest without network: a unix socket, in a folder of its own, whose
 * connections go to symphony's listener and nowhere else. Answers the path of the socket.
 */
export const openRelay = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  listener: ListenerAddress
): Effect.fn.Return<string, SandboxError, Scope.Scope> {
  // A short path of its own: the name of a unix socket holds little more than a hundred bytes.
  const folder = yield* Effect.mapError(fs.makeTempDirectoryScoped({ prefix: "symphony-" }), problem)
  const path = `${folder}/listener`
  yield* Effect.acquireRelease(listen(path, listener), close)
  return path
})

interface Relay {
  readonly server: net.Server
  readonly open: Set<net.Socket>
}

const listen = (path: string, address: ListenerAddress) =>
  Effect.callback<Relay, SandboxError>((resume) => {
    const open = new Set<net.Socket>()
    const server = net.createServer((guest) => {
      const listener = net.connect({ host: reachable(address), port: address.port })
      for (const socket of [guest, listener]) {
        open.add(socket)
        socket.once("close", () => open.delete(socket))
      }
      join(guest, listener)
    })
    server.maxConnections = MOST_CONNECTIONS
    server.once("error", (cause) => resume(Effect.fail(problem(cause))))
    server.listen(path, () => resume(Effect.succeed({ server, open })))
  })

const close = ({ server, open }: Relay) =>
  Effect.callback<void>((resume) => {
    for (const socket of open) socket.destroy()
    server.close(() => resume(Effect.void))
  })

/** Both ways, each with back-pressure; what breaks on one side ends the other. */
const join = (left: net.Socket, right: net.Socket) => {
  left.pipe(right)
  right.pipe(left)
  left.on("error", () => right.destroy())
  right.on("error", () => left.destroy())
}

import { createHash } from "node:crypto"
import { createConnection, createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Clock, Context, Effect, FileSystem, Layer, Option, Schedule, Schema, type Scope } from "effect"
import { type FileError, SafeFiles } from "../files/SafeFiles.ts"

/** Who holds a tracker: the content of `<state.root>/holder.json` and the answer of the lock's socket. */
export const Holder = Schema.Struct({
  pid: Schema.Int,
  /** Epoch milliseconds. */
  startedAt: Schema.Number,
  /** The real path of the tracker's folder. */
  trackerRoot: Schema.String,
  /** Where the holder listens, once it does. */
  listener: Schema.NullOr(Schema.String)
})
export type Holder = typeof Holder.Type

/** Another orchestrator runs on this tracker. Exit code 3. */
export class TrackerHeld extends Schema.TaggedError<TrackerHeld>()("TrackerHeld", {
  trackerRoot: Schema.String,
  /** `null` when the other one does not say. */
  pid: Schema.NullOr(Schema.Int),
  listener: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    const who = this.pid === null ? "another symphony" : `another symphony (pid ${this.pid})`
    const where = this.listener === null ? "" : `, see ${this.listener}`
    return `${this.trackerRoot} is held by ${who}${where} - stop that one first, or use a tracker of its own`
  }
}

/** The lock cannot be taken for a reason that is not another orchestrator. */
export class LockError extends Schema.TaggedError<LockError>()("LockError", {
  trackerRoot: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `cannot lock the tracker ${this.trackerRoot}: ${this.detail}`
  }
}

const FILE = "holder.json"
const MAX_BYTES = 64 * 1024
/** A living holder answers at once. */
const ANSWER_WITHIN = "2 seconds"

const HolderJson = Schema.fromJsonString(Holder)
const decodeHolder = Schema.decodeUnknownOption(HolderJson)
const encodeHolder = Schema.encodeSync(HolderJson)

const isAbstract = (socket: string): boolean => socket.startsWith("\0")

/**
 * The socket whose existence is the lock. On Linux it has no file: the kernel gives the name back when the
 * process dies, however it dies. Elsewhere it is a file, which a dead holder leaves behind.
 */
export const lockSocket = (trackerRoot: string, platform: NodeJS.Platform): string => {
  const name = `symphony-${createHash("sha256").update(trackerRoot).digest("hex").slice(0, 32)}`
  return platform === "linux" ? `\0${name}` : join(tmpdir(), `${name}.sock`)
}

type Listening = { readonly _tag: "Listening"; readonly server: Server }
type Refused = { readonly _tag: "Refused"; readonly code: string }

const listen = (socket: string, answer: () => string): Effect.Effect<Listening | Refused> =>
  Effect.callback((resume) => {
    const server = createServer((connection) => {
      // One who asks and hangs up is no concern of ours.
      connection.on("error", () => connection.destroy())
      connection.end(answer())
      connection.destroySoon()
    })
    // After the first answer these do nothing: a connection that cannot be accepted must not end the holder.
    server.on("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.succeed({ _tag: "Refused", code: error.code ?? error.message }))
    )
    server.listen({ path: socket, exclusive: true }, () =>
      resume(Effect.succeed({ _tag: "Listening", server }))
    )
    return Effect.sync(() => server.close())
  })

const stopListening = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
  })

/** `gone`: nobody listens there. */
const ask = (socket: string): Effect.Effect<Option.Option<Holder> | "gone"> =>
  Effect.callback<Option.Option<Holder> | "gone">((resume) => {
    let text = ""
    const connection = createConnection({ path: socket })
    connection.setEncoding("utf8")
    connection.on("data", (chunk: string) => {
      text += chunk
      if (text.length > MAX_BYTES) connection.destroy()
    })
    connection.on("error", (error: NodeJS.ErrnoException) => {
      const gone = error.code === "ECONNREFUSED" || error.code === "ENOENT"
      resume(Effect.succeed(gone ? "gone" : Option.none()))
    })
    connection.on("close", () => resume(Effect.succeed(decodeHolder(text))))
    return Effect.sync(() => connection.destroy())
  }).pipe(
    Effect.timeoutOption(ANSWER_WITHIN),
    Effect.map((answer) => (Option.isSome(answer) ? answer.value : Option.none()))
  )

/** The holder died between our two looks: look again. */
class HolderGone extends Schema.TaggedError<HolderGone>()("HolderGone", {}) {}

/** Holds the socket until the scope closes; fails with what the present holder says of itself. */
export const holdSocket = Effect.fn("TrackerLock.holdSocket")(
  function* (socket: string, trackerRoot: string, answer: () => Holder) {
    const fs = yield* FileSystem.FileSystem
    const result = yield* Effect.acquireRelease(
      listen(socket, () => encodeHolder(answer())),
      (it) => (it._tag === "Listening" ? stopListening(it.server) : Effect.void)
    )
    if (result._tag === "Listening") return
    if (result.code !== "EADDRINUSE") return yield* new LockError({ trackerRoot, detail: result.code })
    const holder = yield* ask(socket)
    if (holder === "gone") {
      if (!isAbstract(socket)) {
        yield* fs
          .remove(socket, { force: true })
          .pipe(Effect.mapError((error) => new LockError({ trackerRoot, detail: error.message })))
      }
      return yield* new HolderGone()
    }
    const { pid, listener } = Option.getOrElse(holder, () => ({ pid: null, listener: null }))
    return yield* new TrackerHeld({ trackerRoot, pid, listener })
  },
  (effect, _, trackerRoot) =>
    effect.pipe(
      Effect.retry({
        while: (error) => error._tag === "HolderGone",
        schedule: Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 20 }))
      }),
      Effect.catchTag("HolderGone", () =>
        Effect.fail(new LockError({ trackerRoot, detail: "its holder comes and goes" }))
      )
    )
)

/** What the file says, `null` when there is none or it is not ours. */
export const readHolder = (stateRoot: string): Effect.Effect<Holder | null, FileError, SafeFiles> =>
  Effect.flatMap(SafeFiles, (files) => files.readText({ root: stateRoot }, FILE, MAX_BYTES)).pipe(
    Effect.map(({ text }) => Option.getOrNull(decodeHolder(text))),
    Effect.catchIf(
      (error) => error.reason === "missing",
      () => Effect.succeed(null)
    )
  )

export interface TrackerLockOptions {
  /** The real path of the tracker's folder: two ways to one folder are one lock. */
  readonly trackerRoot: string
  /** Absolute, existing. */
  readonly stateRoot: string
}

/** One orchestrator a tracker: whoever has this service is the one. */
export class TrackerLock extends Context.Service<
  TrackerLock,
  {
    /** Tells those who ask where this orchestrator listens. */
    readonly announce: (listener: string) => Effect.Effect<void, FileError>
  }
>()("symphony/cli/TrackerLock") {
  static readonly layer = (options: TrackerLockOptions) => Layer.effect(TrackerLock, hold(options))
}

const hold = Effect.fnUntraced(function* ({
  trackerRoot,
  stateRoot
}: TrackerLockOptions): Effect.fn.Return<
  TrackerLock["Service"],
  TrackerHeld | LockError | FileError,
  Scope.Scope | FileSystem.FileSystem | SafeFiles
> {
  const files = yield* SafeFiles
  const place = { root: stateRoot }
  let holder: Holder = {
    pid: process.pid,
    startedAt: yield* Clock.currentTimeMillis,
    trackerRoot,
    listener: null
  }
  const write = Effect.suspend(() =>
    files.writeAtomic(place, FILE, `${encodeHolder(holder)}\n`, { mode: 0o600 })
  )

  yield* holdSocket(lockSocket(trackerRoot, process.platform), trackerRoot, () => holder).pipe(
    Effect.catchTag("TrackerHeld", (held) =>
      // A holder too busy to answer has still left its name.
      Effect.flatMap(held.pid === null ? readHolder(stateRoot) : Effect.succeed(null), (written) =>
        written === null || written.trackerRoot !== trackerRoot
          ? held
          : new TrackerHeld({ trackerRoot, pid: written.pid, listener: written.listener })
      )
    )
  )
  yield* Effect.acquireRelease(write, () =>
    files
      .unlink(place, FILE)
      .pipe(
        Effect.catchTag("FileError", (error) => Effect.logWarning("the holder's file is left behind", error))
      )
  )
  return TrackerLock.of({
    announce: (listener) =>
      Effect.suspend(() => {
        holder = { ...holder, listener }
        return write
      })
  })
})

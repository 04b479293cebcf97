import {
  type Cause,
  Deferred,
  Duration,
  Effect,
  Exit,
  Queue,
  Redacted,
  Schema,
  type Scope,
  Semaphore,
  Stream
} from "effect"
import { within } from "../../processes/endProcesses.ts"
import { printableLine } from "../../domain/printable.ts"
import { type ProcessExit, SandboxError, type SandboxProcess } from "../Sandboxes.ts"
import { frame, FromGuest, HEADER_BYTES, makeFrameReader, ToGuest } from "./frames.ts"

/** Two byte streams to the program in the guest. */
export interface Link {
  readonly incoming: Stream.Stream<Uint8Array, SandboxError>
  readonly send: (bytes: Uint8Array) => Effect.Effect<void, SandboxError>
  /** Cuts it off at once; the guest's program then ends what it runs. */
  readonly cut: Effect.Effect<void>
  /** Why it ended, as far as anybody says. */
  readonly lastWords: Effect.Effect<string>
  /**
   * Bytes that may be under way without having been credited. Through `smolvm exec -i` no more than 4096: it
   * holds back what exceeds that until more comes.
   */
  readonly window: number
}

/** What the guest's program is to run. */
export interface Order {
  readonly shell: string
  readonly line: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string | Redacted.Redacted>>
  /** Before the guest's own. */
  readonly path: ReadonlyArray<string>
  readonly homeFiles: ReadonlyArray<{ readonly path: string; readonly content: Redacted.Redacted }>
  readonly secretPaths: ReadonlyArray<string>
  /** Names that lead elsewhere; `to: null` is the guest's own Node. What is there already stays. */
  readonly links: ReadonlyArray<{ readonly at: string; readonly to: string | null }>
}

const STDIN_GRACE = Duration.millis(500)
const TERM_GRACE = Duration.millis(1500)
const KILL_GRACE = Duration.millis(500)
/** An agent starts, or is refused, at once; what takes longer is a guest that does not work. */
const START_LIMIT = Duration.seconds(30)
/** In pipes of this many chunks the guest waits for its reader. */
const PIPE_CHUNKS = 16
const LONGEST_FRAME = 64 * 1024

const encodeOrder = Schema.encodeUnknownEffect(Schema.fromJsonString(Schema.Unknown))
const decodeExit = Schema.decodeUnknownEffect(
  Schema.fromJsonString(
    Schema.Struct({ code: Schema.NullOr(Schema.Int), signal: Schema.NullOr(Schema.String) })
  )
)
const decodeRefusal = Schema.decodeUnknownEffect(
  Schema.fromJsonString(Schema.Struct({ code: Schema.String, message: Schema.String }))
)

const io = (detail: string) => new SandboxError({ kind: "smolvm", reason: "io", detail, hint: null })
const lost = (detail: string) => new SandboxError({ kind: "smolvm", reason: "lost", detail, hint: null })

/** Runs `order` at the other end; closing the scope ends it: stdin, then SIGTERM, then SIGKILL. */
export const runOver = Effect.fnUntraced(function* (
  link: Link,
  order: Order
): Effect.fn.Return<SandboxProcess, SandboxError, Scope.Scope> {
  const started = yield* Deferred.make<void, SandboxError>()
  const end = yield* Deferred.make<ProcessExit>()
  const stdout = yield* Queue.bounded<Uint8Array, Cause.Done>(PIPE_CHUNKS)
  const stderr = yield* Queue.bounded<Uint8Array, Cause.Done>(PIPE_CHUNKS)
  const credit = yield* Semaphore.make(link.window)
  const writing = yield* Semaphore.make(1)
  /** Opened when nobody is owed the rest of the output any more. */
  const leaving = yield* Deferred.make<void>()
  const push = makeFrameReader()
  const closeOutput = Effect.all([Queue.end(stdout), Queue.end(stderr)], { discard: true })
  const deliver = (queue: Queue.Queue<Uint8Array, Cause.Done>, bytes: Uint8Array) =>
    Effect.raceFirst(Effect.asVoid(Queue.offer(queue, bytes)), Deferred.await(leaving))

  const told = Effect.fnUntraced(function* (type: number, payload: Uint8Array) {
    switch (type) {
      case FromGuest.started:
        return yield* Deferred.succeed(started, undefined)
      case FromGuest.refused: {
        const { code, message } = yield* decodeRefusal(Buffer.from(payload).toString("utf8"))
        return yield* Deferred.fail(
          started,
          new SandboxError({
            kind: "smolvm",
            reason: "spawn",
            detail: `cannot start ${order.shell} in the guest: ${printableLine(`${code} ${message}`)}`,
            hint: code === "ENOENT" ? `is ${order.shell} in the guest's image?` : null
          })
        )
      }
      case FromGuest.stdout:
        return yield* deliver(stdout, payload)
      case FromGuest.stderr:
        return yield* deliver(stderr, payload)
      case FromGuest.credit:
        return yield* credit.release(Buffer.from(payload).readUInt32BE(0))
      case FromGuest.exit: {
        const { code, signal } = yield* decodeExit(Buffer.from(payload).toString("utf8"))
        yield* Deferred.succeed(end, {
          code: signal === null ? code : null,
          detail: signal === null ? `exit code ${code}` : `ended by ${printableLine(signal, 20)}`,
          lost: false
        })
        return yield* closeOutput
      }
    }
    return yield* Effect.logDebug("the guest sent a frame of no known type")
  })

  const reading = link.incoming.pipe(
    Stream.runForEach(
      Effect.fnUntraced(function* (chunk) {
        const frames = push(chunk)
        if (frames === null) return yield* io("the guest sent what is no frame")
        yield* Effect.forEach(frames, ({ payload, type }) => told(type, payload), { discard: true })
      })
    ),
    Effect.catch((error) => Effect.logDebug("the link to a guest broke", error)),
    Effect.andThen(Deferred.isDone(end)),
    Effect.flatMap((known) => (known ? Effect.succeed("") : link.lastWords)),
    Effect.flatMap((words) => {
      const detail = `the guest was lost${words === "" ? "" : `: ${words}`}`
      return Effect.andThen(
        Deferred.fail(started, lost(detail)),
        Deferred.succeed(end, { code: null, detail, lost: true })
      )
    }),
    Effect.andThen(closeOutput)
  )
  yield* Effect.forkScoped(reading)

  const untilEnd = Effect.andThen(Deferred.await(end), Effect.fail(io("the guest's stdin is closed")))
  const sendFrame = Effect.fnUntraced(function* (type: number, payload?: Uint8Array) {
    const bytes = frame(type, payload)
    yield* credit.take(bytes.length)
    yield* link.send(bytes)
  })
  const send = Effect.fnUntraced(function* (type: number, payload: Uint8Array) {
    const most = Math.min(LONGEST_FRAME, link.window) - HEADER_BYTES
    for (let at = 0; at < payload.length; at += most) yield* sendFrame(type, payload.subarray(at, at + most))
  })
  const say = (type: number, payload?: Uint8Array) =>
    writing
      .withPermit(Effect.raceFirst(sendFrame(type, payload), untilEnd))
      .pipe(Effect.catch((error) => Effect.logDebug("the guest was not told", error)))

  /** Asks to end, ever less politely. What does not listen ends with its machine. */
  const leave = Effect.gen(function* () {
    if (yield* Deferred.isDone(end)) return
    const gone = Effect.asVoid(Deferred.await(end))
    yield* Deferred.succeed(leaving, undefined)
    const asked = (type: number, payload: Uint8Array | undefined, grace: Duration.Duration) =>
      within(grace, Effect.andThen(say(type, payload), gone))
    if (yield* asked(ToGuest.endOfStdin, undefined, STDIN_GRACE)) return
    if (yield* asked(ToGuest.signal, Buffer.from("SIGTERM"), TERM_GRACE)) return
    yield* asked(ToGuest.signal, Buffer.from("SIGKILL"), KILL_GRACE)
  }).pipe(
    Effect.ensuring(link.cut),
    Effect.andThen(
      Deferred.done(end, Exit.succeed({ code: null, detail: "ended with its sandbox", lost: false }))
    ),
    Effect.asVoid
  )
  yield* Effect.addFinalizer(() => leave)

  const json = yield* Effect.orDie(
    encodeOrder({
      ...order,
      env: Object.fromEntries(
        Object.entries(order.env).map(([name, value]) => [
          name,
          Redacted.isRedacted(value) ? Redacted.value(value) : value
        ])
      ),
      homeFiles: order.homeFiles.map(({ content, path }) => ({ path, content: Redacted.value(content) }))
    })
  )
  yield* writing
    .withPermit(Effect.andThen(send(ToGuest.order, Buffer.from(json)), sendFrame(ToGuest.start)))
    .pipe(Effect.raceFirst(Effect.andThen(Deferred.await(end), Effect.void)))
  yield* Deferred.await(started).pipe(
    Effect.timeoutOrElse({
      duration: START_LIMIT,
      orElse: () => Effect.fail(lost("the guest did not start the agent in time"))
    })
  )

  return {
    pid: null,
    stdout: Stream.fromQueue(stdout),
    stderr: Stream.fromQueue(stderr),
    write: (bytes) => writing.withPermit(Effect.raceFirst(send(ToGuest.stdin, bytes), untilEnd)),
    closeStdin: say(ToGuest.endOfStdin),
    exit: Deferred.await(end)
  }
})

import { type AnyMessage, client, type ClientContext, methods, RequestError } from "@agentclientprotocol/sdk"
import { Cause, Data, Deferred, Effect, Fiber, FiberSet, Option, Schema, Stream } from "effect"
import type { SandboxProcess } from "../sandbox/Sandboxes.ts"
import { AgentError, type AgentEvent } from "./AgentSessions.ts"
import { agentFailure, ended } from "./failures.ts"
import { asksPerson, makeInbound } from "./inbound.ts"
import type { Launch } from "./launch.ts"
import { makeLineSplitter, MAX_LINE_BYTES } from "./lines.ts"
import { answerPermission } from "./permissions.ts"
import { makeStderrLog } from "./stderr.ts"
import { oneLine } from "./text.ts"
import type { ReadUpdate } from "./updates.ts"

/** A JSON-RPC error that the agent answered with. */
export class PeerRefused extends Data.TaggedError("PeerRefused")<{
  readonly code: number
  readonly message: string
  readonly data: unknown
}> {}

/** The SDK gave up on a request because its connection closed. */
class Disconnected extends Data.TaggedError("Disconnected") {}

export interface AcpConnection {
  /** Sends a request and waits for its answer, which is undecoded, or for the end of the connection. */
  readonly call: (
    send: (agent: ClientContext) => Promise<unknown>
  ) => Effect.Effect<unknown, PeerRefused | AgentError>
  readonly notify: (send: (agent: ClientContext) => Promise<void>) => Effect.Effect<void>
}

/** How long the exit of a process is awaited after its pipes have closed, and the other way round. */
const GRACE = "2 seconds"

/** Undelivered answers to requests of the agent; one that asks on without reading is flooding us. */
const MAX_UNANSWERED = 256

const encodeMessage = Schema.encodeUnknownEffect(Schema.fromJsonString(Schema.Unknown))
const encoder = new TextEncoder()

export interface ConnectionHandlers {
  readonly onUpdate: (update: ReadUpdate) => void
  readonly emit: (event: AgentEvent) => void
  /** More of a line has come that is not complete yet. */
  readonly growing: () => void
  /** Title of a tool call that the agent announced before. */
  readonly toolTitle: (id: string) => string | undefined
  /** Whether a turn is open that was not cancelled. */
  readonly inTurn: () => boolean
}

/**
 * Joins a process to the SDK's client. Bytes are cut, checked and sorted by us before the SDK sees them:
 * requests of the agent and answers to ours go on, notifications and everything odd stay here. So the SDK sees
 * nothing that it would answer for us, drop unheard or complain about on the console.
 */
export const connect = Effect.fnUntraced(function* (
  process: SandboxProcess,
  launch: Launch,
  handlers: ConnectionHandlers
) {
  const end = yield* Deferred.make<never, AgentError>()
  const run = yield* FiberSet.makeRuntimePromise<never, void, unknown>()
  const notice = (text: string): void => handlers.emit({ _tag: "Notice", text })
  const stop = (error: AgentError): void => {
    Deferred.doneUnsafe(end, Effect.fail(error))
  }

  const inbound = makeInbound({
    onUpdate: handlers.onUpdate,
    notice,
    onMalformed: (what) => stop(agentFailure("protocol", `${launch.name} sent ${what}`)),
    maxUnanswered: MAX_UNANSWERED,
    onFlood: () =>
      stop(
        agentFailure("flood", `${launch.name} sent over ${MAX_UNANSWERED} requests without reading answers`)
      )
  })

  const sdk = client({ name: "symphony" })
    .onRequest(methods.client.session.requestPermission, ({ params }) => {
      const { response, answer } = answerPermission(params.options, handlers.inTurn())
      const title =
        params.toolCall.title ?? handlers.toolTitle(oneLine(params.toolCall.toolCallId, 200)) ?? "a tool call"
      handlers.emit({ _tag: "Permission", title: oneLine(title, 500), answer })
      return response
    })
    .onRequest("*", ({ method }) => {
      notice(`${launch.name} asked for ${oneLine(method, 100)}, which is not offered`)
      if (asksPerson(method))
        stop(
          agentFailure("input_required", `${launch.name} asked a person for input (${oneLine(method, 100)})`)
        )
      throw RequestError.methodNotFound(oneLine(method, 100))
    })
    .connect({
      readable: inbound.messages,
      writable: new WritableStream<AnyMessage>({
        write: (message) => {
          inbound.sent(message)
          return run(
            encodeMessage(message).pipe(
              Effect.flatMap((json) => process.write(encoder.encode(`${json}\n`))),
              Effect.ensuring(Effect.sync(() => inbound.written(message)))
            )
          )
        }
      })
    })
  yield* Effect.addFinalizer(() => Effect.sync(() => sdk.close()))

  const log = makeStderrLog(handlers.emit)
  const errors = yield* process.stderr.pipe(
    Stream.runForEach((chunk) => Effect.sync(() => log.push(chunk))),
    Effect.catchTag("SandboxError", (error) => Effect.logDebug("agent stderr ended", error)),
    Effect.ensuring(Effect.sync(log.end)),
    Effect.forkScoped
  )

  const splitter = makeLineSplitter(MAX_LINE_BYTES)
  const read = process.stdout.pipe(
    Stream.runForEachWhile(
      Effect.fnUntraced(function* (chunk) {
        const { lines, overflow } = splitter.push(chunk)
        if (lines.length === 0) handlers.growing()
        for (const line of lines) inbound.line(line)
        if (overflow)
          stop(agentFailure("flood", `${launch.name} sent a line of over ${MAX_LINE_BYTES} bytes`))
        // One chunk, one turn of the event loop: a burst of one agent does not starve the others.
        yield* Effect.yieldNow
        return !overflow && !inbound.over()
      })
    ),
    Effect.andThen(Effect.sync(() => inbound.rest(splitter.rest()))),
    Effect.catchTag("SandboxError", (error) => Effect.logDebug("agent stdout ended", error))
  )

  yield* Effect.raceFirst(read, Effect.andThen(process.exit, Effect.sleep(GRACE))).pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("reading an agent failed", cause)
    ),
    Effect.ensuring(Effect.sync(inbound.end)),
    Effect.forkScoped
  )
  const exit = Effect.option(Effect.timeout(process.exit, GRACE))
  const lastWords = Effect.option(Effect.timeout(Fiber.await(errors), GRACE))
  yield* Effect.promise(() => sdk.closed).pipe(
    Effect.andThen(Effect.all([lastWords, exit], { concurrency: "unbounded" })),
    Effect.andThen(([, found]) =>
      Effect.sync(() => stop(ended(launch, Option.getOrNull(found), log.last(), inbound.answered())))
    ),
    Effect.forkScoped
  )

  const connection: AcpConnection = {
    call: (send) =>
      Effect.raceFirst(
        Effect.tryPromise({
          try: () => send(sdk.agent),
          catch: (error) =>
            error instanceof RequestError
              ? new PeerRefused({ code: error.code, message: error.message, data: error.data })
              : new Disconnected()
        }).pipe(Effect.catchTag("Disconnected", () => Deferred.await(end))),
        Deferred.await(end)
      ),
    notify: (send) =>
      Effect.tryPromise(() => send(sdk.agent)).pipe(
        Effect.timeout("1 second"),
        Effect.catch((error) => Effect.logDebug("notification was not delivered", error))
      )
  }
  return connection
})

import { Effect, Layer } from "effect"
import { connect } from "./AcpConnection.ts"
import { adapterOf } from "./adapters.ts"
import { type AgentSession, type AgentSessionOptions, AgentSessions } from "./AgentSessions.ts"
import { makeEventBuffer } from "./EventBuffer.ts"
import { agentFailure } from "./failures.ts"
import { shakeHands } from "./handshake.ts"
import { makeObserver } from "./observer.ts"
import { makeTurns } from "./turns.ts"

/** Events kept for a slow reader. */
const EVENT_CAPACITY = 1024

const open = Effect.fn("AgentSessions.open")(function* (options: AgentSessionOptions) {
  const adapter = adapterOf(options.adapter)
  const buffer = yield* makeEventBuffer(EVENT_CAPACITY)
  yield* Effect.addFinalizer(() => buffer.end)
  const observer = makeObserver(buffer.offer)

  const own = options.acp.command ?? adapter.command
  const line =
    adapter.proxied === null || options.modelUrl === null
      ? own
      : `${adapter.proxied.prelude(options.modelUrl)} && ${own}`
  const process = yield* options.sandbox
    .start({ shell: options.acp.shell, line })
    .pipe(
      Effect.mapError((error) => agentFailure("launch", `${adapter.name} was not started: ${error.message}`))
    )
  const connection = yield* connect(process, adapter, own, {
    emit: buffer.offer,
    onUpdate: observer.onUpdate,
    toolTitle: observer.toolTitle
  })
  // The gentle end, before the sandbox's own ladder: many agents leave when their input ends.
  yield* Effect.addFinalizer(() => process.closeStdin)
  const { sessionId, resumed } = yield* shakeHands(connection, adapter, observer, options)
  const turns = makeTurns(connection, adapter, observer, sessionId, options.acp)
  yield* Effect.addFinalizer(() => turns.cancel)

  const session: AgentSession = {
    sessionId,
    resumed,
    prompt: turns.prompt,
    cancel: turns.cancel,
    events: buffer.events,
    lastActivityAt: connection.lastActivityAt
  }
  return session
})

/** Agents as processes in a sandbox, spoken to over ACP v1. */
export const layer: Layer.Layer<AgentSessions> = Layer.succeed(AgentSessions, AgentSessions.of({ open }))

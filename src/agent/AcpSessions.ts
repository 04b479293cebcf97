import { Effect, Layer } from "effect"
import { connect } from "./AcpConnection.ts"
import {
  type AgentEvent,
  type AgentSession,
  type AgentSessionOptions,
  AgentSessions
} from "./AgentSessions.ts"
import { makeCostMeter } from "./costMeter.ts"
import { makeEventBuffer } from "./EventBuffer.ts"
import { agentFailure } from "./failures.ts"
import { shakeHands } from "./handshake.ts"
import { launchOf } from "./launch.ts"
import { makeObserver } from "./observer.ts"
import { makeProgress } from "./progress.ts"
import { makeTurns } from "./turns.ts"

/** Events kept for a slow reader. */
const EVENT_CAPACITY = 1024

const open = Effect.fn("AgentSessions.open")(function* (options: AgentSessionOptions) {
  const launch = launchOf(options.adapter, options.acp)
  const buffer = yield* makeEventBuffer(EVENT_CAPACITY)
  yield* Effect.addFinalizer(() => buffer.end)
  const costMeter = makeCostMeter()
  const progress = yield* makeProgress
  const emit = (event: AgentEvent): void => {
    progress.saw(event)
    buffer.offer(event)
  }
  const observer = makeObserver(emit, costMeter.saw)

  const line =
    launch.proxied === null || options.modelUrl === null
      ? launch.command
      : `${launch.proxied.prelude(options.modelUrl)} && ${launch.command}`
  const process = yield* options.sandbox
    .start({ shell: options.acp.shell, line })
    .pipe(
      Effect.mapError((error) => agentFailure("start", `${launch.name} was not started: ${error.message}`))
    )
  const connection = yield* connect(process, launch, {
    emit,
    growing: progress.note,
    onUpdate: observer.onUpdate,
    toolTitle: observer.toolTitle,
    inTurn: () => observer.turnState() === "open"
  })
  // The gentle end, before the sandbox's own ladder: many agents leave when their input ends.
  yield* Effect.addFinalizer(() => process.closeStdin)
  const { sessionId, resumed } = yield* shakeHands(connection, launch, observer, options)
  costMeter.begin({ semantics: launch.cost, resumed, before: options.costBefore })
  const turns = makeTurns(connection, launch, observer, progress, sessionId, options.acp)
  yield* Effect.addFinalizer(() => turns.cancel)

  const session: AgentSession = {
    sessionId,
    resumed,
    prompt: turns.prompt,
    cancel: turns.cancel,
    takeCost: Effect.sync(costMeter.take),
    events: buffer.events
  }
  return session
})

/** Agents as processes in a sandbox, spoken to over ACP v1. */
export const layer: Layer.Layer<AgentSessions> = Layer.succeed(AgentSessions, AgentSessions.of({ open }))

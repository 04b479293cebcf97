import { Deferred, Effect, Layer, Ref } from "effect"
import type { RunningCost } from "../domain/Cost.ts"
import {
  type AgentError,
  type AgentEvent,
  type AgentSession,
  type AgentSessionOptions,
  AgentSessions,
  type TurnResult
} from "./AgentSessions.ts"
import { makeCostMeter } from "./costMeter.ts"
import { makeEventBuffer } from "./EventBuffer.ts"
import { timedOut } from "./failures.ts"
import { launchOf } from "./launch.ts"
import { makeProgress } from "./progress.ts"
import { withTurnLimits } from "./turn.ts"

const EVENT_CAPACITY = 1024

/** One turn of a scripted agent, seen from the agent. */
export interface ScriptedTurn {
  readonly options: AgentSessionOptions
  readonly sessionId: string
  /** From 1 within the session. */
  readonly number: number
  readonly text: string
  /** Shows an event. */
  readonly emit: (event: AgentEvent) => Effect.Effect<void>
  /** Tells the running cost of the session. */
  readonly costs: (running: RunningCost) => Effect.Effect<void>
  /** Returns once symphony has asked for the end of this turn; an agent may ignore it. */
  readonly cancelled: Effect.Effect<void>
}

/** How the agents of this layer behave. Everything is an Effect: no process, no promise, no real time. */
export interface ScriptedAgents {
  /** Before a session is handed out: fail, take your time, or tell whether old sessions are taken up (they are by default). */
  readonly open?: (options: AgentSessionOptions) => Effect.Effect<{ readonly resumes: boolean }, AgentError>
  readonly prompt: (turn: ScriptedTurn) => Effect.Effect<TurnResult, AgentError>
}

/** Agents as functions, under the same clocks as real ones. */
export const layer = (agents: ScriptedAgents): Layer.Layer<AgentSessions> =>
  Layer.effect(
    AgentSessions,
    Effect.gen(function* () {
      const count = yield* Ref.make(0)

      const open = Effect.fn("AgentSessions.open")(function* (options: AgentSessionOptions) {
        const launch = launchOf(options.adapter, options.acp)
        const buffer = yield* makeEventBuffer(EVENT_CAPACITY)
        yield* Effect.addFinalizer(() => buffer.end)
        const { resumes } = yield* (agents.open?.(options) ?? Effect.succeed({ resumes: true })).pipe(
          Effect.timeoutOrElse({
            duration: launch.readTimeoutMs,
            orElse: () => Effect.fail(timedOut("read_timeout", launch, launch.readTimeoutMs, "initialize"))
          })
        )
        const resumed = resumes && options.resume !== null
        const number = yield* Ref.updateAndGet(count, (n) => n + 1)
        const sessionId = resumed && options.resume !== null ? options.resume : `memory-${number}`

        const costMeter = makeCostMeter()
        costMeter.begin({ semantics: launch.cost, resumed, before: options.costBefore })
        const progress = yield* makeProgress
        const turns = yield* Ref.make(0)
        const asked = yield* Ref.make<Deferred.Deferred<void> | null>(null)
        const cancel = Effect.flatMap(Ref.get(asked), (present) =>
          present === null ? Effect.void : Effect.asVoid(Deferred.succeed(present, undefined))
        )

        yield* Effect.addFinalizer(() => cancel)

        const prompt = Effect.fn("AgentSession.prompt")(function* (text: string) {
          if ((yield* Ref.get(asked)) !== null)
            return yield* Effect.die(new Error("a session takes one prompt at a time"))
          const cancelled = yield* Deferred.make<void>()
          yield* Ref.set(asked, cancelled)
          progress.note()
          const turn = agents.prompt({
            options,
            sessionId,
            number: yield* Ref.updateAndGet(turns, (n) => n + 1),
            text,
            emit: (event) =>
              Effect.sync(() => {
                progress.saw(event)
                buffer.offer(event)
              }),
            costs: (running) => Effect.sync(() => costMeter.saw(running)),
            cancelled: Deferred.await(cancelled)
          })
          return yield* withTurnLimits(turn, launch, options.acp, progress).pipe(
            Effect.ensuring(Ref.set(asked, null))
          )
        })

        const session: AgentSession = {
          sessionId,
          resumed,
          prompt,
          cancel,
          takeCost: Effect.sync(costMeter.take),
          events: buffer.events
        }
        return session
      })

      return AgentSessions.of({ open })
    })
  )

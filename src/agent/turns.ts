import { methods } from "@agentclientprotocol/sdk"
import { Clock, Effect, Schema } from "effect"
import type { AcpConnection } from "./AcpConnection.ts"
import type { AgentSession, TurnResult } from "./AgentSessions.ts"
import { agentFailure, fromEmptyTurn, fromPeer } from "./failures.ts"
import type { Launch } from "./launch.ts"
import type { Observer } from "./observer.ts"
import { PromptAnswer } from "./protocol.ts"
import { oneLine } from "./text.ts"
import { type TurnLimits, withTurnLimits } from "./turn.ts"
import { nothingUsed, tokensOf } from "./usage.ts"

const decodeAnswer = Schema.decodeUnknownEffect(PromptAnswer)

/** Prompts one session, one turn at a time. */
export const makeTurns = (
  connection: AcpConnection,
  launch: Launch,
  observer: Observer,
  sessionId: string,
  limits: TurnLimits
): Pick<AgentSession, "prompt" | "cancel"> => {
  let state: "idle" | "open" | "cancelling" = "idle"

  const sendCancel = connection.notify((agent) => agent.notify(methods.agent.session.cancel, { sessionId }))

  const cancel = Effect.suspend(() => {
    if (state !== "open") return Effect.void
    state = "cancelling"
    return sendCancel
  })

  const judge = Effect.fnUntraced(function* (answer: PromptAnswer) {
    const tokens = tokensOf(answer.usage, launch.usage)
    const { said, systemError } = observer.turn()
    if (answer.stopReason === "cancelled" && state === "cancelling")
      return { stopReason: "cancelled", tokens } satisfies TurnResult
    if (answer.stopReason !== "end_turn")
      return yield* agentFailure(
        "turn",
        `${launch.name} ended its turn with ${oneLine(answer.stopReason, 60)}; it said last: ${oneLine(said, 300)}`
      )
    if (state !== "cancelling" && (systemError || nothingUsed(answer.usage, launch)))
      return yield* fromEmptyTurn(launch, said, yield* Clock.currentTimeMillis)
    return { stopReason: "end_turn", tokens } satisfies TurnResult
  })

  const turn = (text: string) =>
    connection
      .call((agent) =>
        agent.request(methods.agent.session.prompt, { sessionId, prompt: [{ type: "text", text }] })
      )
      .pipe(
        Effect.flatMap((answer) =>
          Effect.mapError(decodeAnswer(answer), (error) =>
            agentFailure(
              "protocol",
              `${launch.name} answered its prompt in a way we cannot use: ${error.message}`
            )
          )
        ),
        Effect.flatMap(judge),
        Effect.catchTag("PeerRefused", (error) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) =>
            Effect.fail(fromPeer(launch, "its prompt", error, now))
          )
        ),
        Effect.tap(Effect.sync(() => (state = "idle"))),
        Effect.tapError(() => Effect.sync(() => (state = "idle")))
      )

  return {
    cancel,
    prompt: Effect.fn("AgentSession.prompt")(function* (text: string) {
      if (state !== "idle") return yield* Effect.die(new Error("a session takes one prompt at a time"))
      state = "open"
      observer.startTurn()
      yield* connection.touch
      return yield* withTurnLimits(turn(text), launch, limits, connection.lastActivityAt).pipe(
        // Still open: a clock struck or the caller went away. The agent is told; its answer no longer counts.
        Effect.ensuring(cancel)
      )
    })
  }
}

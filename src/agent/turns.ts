import { methods } from "@agentclientprotocol/sdk"
import { Clock, Effect, Schema } from "effect"
import type { AcpConnection } from "./AcpConnection.ts"
import type { AgentSession, TurnResult } from "./AgentSessions.ts"
import { agentFailure, fromEmptyTurn, fromPeer } from "./failures.ts"
import type { Launch } from "./launch.ts"
import type { Observer } from "./observer.ts"
import { PromptAnswer } from "./protocol.ts"
import { oneLine } from "./text.ts"
import type { Progress } from "./progress.ts"
import { type TurnLimits, withTurnLimits } from "./turn.ts"
import { cutOff, nothingUsed, tokensOf } from "./usage.ts"

const decodeAnswer = Schema.decodeUnknownEffect(PromptAnswer)

/** Prompts one session, one turn at a time. */
export const makeTurns = (
  connection: AcpConnection,
  launch: Launch,
  observer: Observer,
  progress: Progress,
  sessionId: string,
  limits: TurnLimits
): Pick<AgentSession, "prompt" | "cancel"> => {
  const sendCancel = connection.notify((agent) => agent.notify(methods.agent.session.cancel, { sessionId }))

  const cancel = Effect.suspend(() => {
    if (observer.turnState() !== "open") return Effect.void
    observer.setTurnState("cancelled")
    return sendCancel
  })

  const judge = Effect.fnUntraced(function* (answer: PromptAnswer) {
    const { said, systemError } = observer.turn()
    const wasCancelled = observer.turnState() === "cancelled"
    const used = tokensOf(answer.usage, launch.usage)
    const tokens = wasCancelled ? cutOff(used) : used
    if (answer.stopReason === "cancelled" && wasCancelled)
      return { stopReason: "cancelled", tokens } satisfies TurnResult
    if (answer.stopReason !== "end_turn")
      return yield* agentFailure(
        "turn",
        `${launch.name} ended its turn with ${oneLine(answer.stopReason, 60)}; it said last: ${oneLine(said, 300)}`
      )
    if (!wasCancelled && (systemError || nothingUsed(answer.usage, launch)))
      return yield* fromEmptyTurn(launch, said, yield* Clock.currentTimeMillis)
    return { stopReason: "end_turn", tokens } satisfies TurnResult
  })

  const over = Effect.sync(() => observer.setTurnState("idle"))

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
        Effect.tap(over),
        Effect.tapError(() => over)
      )

  return {
    cancel,
    prompt: Effect.fn("AgentSession.prompt")(function* (text: string) {
      if (observer.turnState() !== "idle")
        return yield* Effect.die(new Error("a session takes one prompt at a time"))
      observer.setTurnState("open")
      progress.note()
      return yield* withTurnLimits(turn(text), launch, limits, progress).pipe(
        // Still open: a clock struck or the caller went away. The agent is told; its answer no longer counts.
        Effect.ensuring(cancel)
      )
    })
  }
}

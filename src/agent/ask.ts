import { Clock, Effect, Schema } from "effect"
import type { AcpConnection, PeerRefused } from "./AcpConnection.ts"
import type { AgentError } from "./AgentSessions.ts"
import { agentFailure, fromPeer, timedOut } from "./failures.ts"
import type { Launch } from "./launch.ts"

/** Sends one request, waits for at most the read timeout and decodes the answer. `doing` is for messages. */
export type Ask = <S extends Schema.ConstraintDecoder<unknown>>(
  doing: string,
  answer: S,
  send: Parameters<AcpConnection["call"]>[0]
) => Effect.Effect<S["Type"], AgentError | PeerRefused>

export const makeAsk =
  (connection: AcpConnection, launch: Launch): Ask =>
  (doing, answer, send) =>
    connection.call(send).pipe(
      Effect.flatMap((value) =>
        Effect.mapError(Schema.decodeUnknownEffect(answer)(value), (error) =>
          agentFailure(
            "protocol",
            `${launch.name} answered ${doing} in a way we cannot use: ${error.message}`
          )
        )
      ),
      Effect.timeoutOrElse({
        duration: launch.readTimeoutMs,
        orElse: () => Effect.fail(timedOut("read_timeout", launch, launch.readTimeoutMs, doing))
      })
    )

/** What it means that the agent refused a request. */
export const refusal = (launch: Launch) => (doing: string) => (error: PeerRefused) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(fromPeer(launch, doing, error, now)))

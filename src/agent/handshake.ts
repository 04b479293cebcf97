import { type McpServer, methods } from "@agentclientprotocol/sdk"
import { Effect, Redacted, Schema } from "effect"
import type { AcpConnection, PeerRefused } from "./AcpConnection.ts"
import { version } from "../package.ts"
import type { AgentError, AgentSessionOptions } from "./AgentSessions.ts"
import { makeAsk, refusal } from "./ask.ts"
import { agentFailure, AUTH_REQUIRED } from "./failures.ts"
import type { Launch } from "./launch.ts"
import type { Observer } from "./observer.ts"
import { InitializeAnswer, NewSessionAnswer, settingsOf, TakenUpAnswer } from "./protocol.ts"
import { configure } from "./settings.ts"

const PROTOCOL_VERSION = 1

export interface OpenSession {
  readonly sessionId: string
  readonly resumed: boolean
}

/** From a started process to a session that is ready for its first prompt. */
export const shakeHands = Effect.fnUntraced(function* (
  connection: AcpConnection,
  launch: Launch,
  observer: Observer,
  options: AgentSessionOptions
) {
  const ask = makeAsk(connection, launch)
  const refusedBy = refusal(launch)

  const hello = yield* ask("initialize", InitializeAnswer, (agent) =>
    agent.request(methods.agent.initialize, {
      protocolVersion: PROTOCOL_VERSION,
      clientCapabilities: {},
      clientInfo: { name: "symphony", version }
    })
  ).pipe(Effect.catchTag("PeerRefused", refusedBy("initialize")))
  if (hello.protocolVersion !== PROTOCOL_VERSION)
    return yield* agentFailure(
      "protocol",
      `${launch.name} speaks ACP version ${hello.protocolVersion}, symphony ${PROTOCOL_VERSION}`
    )
  const can = hello.agentCapabilities
  if (can?.mcpCapabilities?.http !== true)
    return yield* agentFailure(
      "capability",
      `${launch.name} cannot use MCP over HTTP, without which it cannot say that it is done${launch.own ? "" : `; update it: ${launch.install}`}`
    )

  const place = {
    cwd: options.cwd,
    mcpServers: [
      {
        type: "http",
        name: "symphony",
        url: options.mcp.url,
        headers: [{ name: "Authorization", value: `Bearer ${Redacted.value(options.mcp.token)}` }]
      }
    ] satisfies Array<McpServer>
  }

  const offeredMethods = (hello.authMethods ?? []).map(({ id }) => id)
  const signIn = (methodId: string) =>
    ask("authenticate", Schema.Unknown, (agent) => agent.request(methods.agent.authenticate, { methodId }))

  /**
   * Some agents take a forwarded key only when asked to, by the method of just that variable. Where none of
   * the methods finds its key, the first refusal is what counts.
   */
  const signedIn = <A>(request: Effect.Effect<A, AgentError | PeerRefused>) =>
    request.pipe(
      Effect.catchTag("PeerRefused", (error) => {
        const [first, ...others] = launch.apiKeyMethods.filter((id) => offeredMethods.includes(id))
        if (error.code !== AUTH_REQUIRED || first === undefined) return Effect.fail(error)
        return Effect.firstSuccessOf([signIn(first), ...others.map(signIn)]).pipe(
          Effect.catchTag("PeerRefused", () => Effect.fail(error)),
          Effect.andThen(request)
        )
      })
    )

  const start = signedIn(
    ask("session/new", NewSessionAnswer, (agent) => agent.request(methods.agent.session.new, place))
  ).pipe(
    Effect.map((answer) => ({ sessionId: answer.sessionId, resumed: false, settings: settingsOf(answer) })),
    Effect.catchTag("PeerRefused", refusedBy("session/new"))
  )

  const takeUp = (sessionId: string) => {
    if (typeof can.sessionCapabilities?.resume === "object" && can.sessionCapabilities.resume !== null)
      return ask("session/resume", TakenUpAnswer, (agent) =>
        agent.request(methods.agent.session.resume, { sessionId, ...place })
      )
    if (can.loadSession === true)
      return Effect.sync(() => observer.mute(true)).pipe(
        Effect.andThen(
          ask("session/load", TakenUpAnswer, (agent) =>
            agent.request(methods.agent.session.load, { sessionId, ...place })
          )
        ),
        Effect.ensuring(Effect.sync(() => observer.mute(false)))
      )
    return null
  }

  const resuming = options.resume === null ? null : takeUp(options.resume)
  const sessionId = options.resume ?? ""
  const session =
    resuming === null
      ? yield* start
      : yield* signedIn(resuming).pipe(
          Effect.map((answer) => ({ sessionId, resumed: true, settings: settingsOf(answer) })),
          Effect.catchTag("PeerRefused", (error) =>
            Effect.logInfo("the agent does not know its old session; starting a new one", {
              adapter: launch.name,
              code: error.code
            }).pipe(Effect.andThen(start))
          )
        )

  observer.attach(session.sessionId)
  yield* configure(ask, launch, session.sessionId, session.settings, options.model)
  const result: OpenSession = { sessionId: session.sessionId, resumed: session.resumed }
  return result
})

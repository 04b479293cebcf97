import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Option, Schema } from "effect"
import { HttpRouter, HttpServer, type HttpServerError, HttpServerResponse } from "effect/http"
import { McpEndpoint } from "../mcp/McpEndpoint.ts"
import { routes as modelRoutes } from "../proxy/routes.ts"
import { Listener } from "../run/Listener.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { allHandled } from "./allHandled.ts"
import { apiRoutes } from "./api/handlers.ts"
import { actionRoutes } from "./dashboard/actions.ts"
import { assetRoutes } from "./dashboard/assets.ts"
import { pageRoutes } from "./dashboard/pages.tsx"
import { Draining } from "./Draining.ts"
import { eventRoute } from "./events.ts"
import { guard } from "./guard.ts"
import { knownMethods, methodNotAllowed } from "./methods.ts"
import { metricsRoute } from "./metrics.ts"
import { Operations } from "./operations.ts"
import { OperatorAuth } from "./OperatorAuth.ts"
import { signInRoutes } from "./signIn.ts"

export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  host: Schema.String,
  port: Schema.Int,
  /** As the system says it: `EADDRINUSE`, `EACCES`, … */
  code: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    const where = `cannot listen on ${this.host}:${this.port}`
    switch (this.code) {
      case "EADDRINUSE":
        return `${where}: the port is in use - end the program that holds it, or give another with --port or server.port`
      case "EACCES":
        return `${where}: not permitted - give a port above 1023 with --port or server.port`
      case "EADDRNOTAVAIL":
      case "ENOTFOUND":
        return `${where}: this machine has no such address - mend server.host`
      default:
        return `${where}: ${this.detail}`
    }
  }
}

const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "unknown"

const listenError = (host: string, port: number) => (error: HttpServerError.ServeError) =>
  new ListenError({ host, port, code: codeOf(error.cause), detail: String(error.cause) })

const healthz = HttpRouter.add("GET", "/healthz", HttpServerResponse.empty({ status: 204 }))

/** Everything that is served; the guard stands before all of it. */
export const routes = allHandled(
  Layer.mergeAll(
    healthz,
    signInRoutes,
    assetRoutes,
    pageRoutes,
    actionRoutes,
    apiRoutes,
    eventRoute,
    metricsRoute,
    methodNotAllowed(knownMethods()),
    McpEndpoint.routes,
    modelRoutes,
    guard
  )
)

const tellListener = Layer.effectDiscard(
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const listener = yield* Listener
    if (address._tag === "UnixPathAddress") return
    yield* listener.bound({ host: String(address.address), port: address.port })
  })
)

/** Answers while nothing is served: before the first route stands and after the last one is gone. */
const notServing = (server: Server) => (_: IncomingMessage, response: ServerResponse) => {
  if (server.listenerCount("request") !== 1) return
  const error = { code: "not_serving", message: "Symphony is starting or stopping. Ask again in a second." }
  response
    .writeHead(503, { "retry-after": "1", "content-type": "application/json" })
    .end(JSON.stringify({ error }))
}

const newServer = (): Server => {
  const server = createServer({ requireHostHeader: false })
  return server.on("request", notServing(server))
}

/** Time that answers have at a stop. Browsers keep connections open that they never ask anything on. */
const ANSWER_GRACE = "500 millis"

/**
 * The one listener, bound, and who may operate. Build it before the scheduler: what cannot be reached starts
 * nothing. `port`, from the command line, goes before `server.port`; without either it takes an ephemeral port
 * of the loopback interface.
 */
export const listening = (options: { readonly port: Option.Option<number> }) =>
  Layer.effect(
    HttpServer.HttpServer,
    Effect.gen(function* () {
      const settings = (yield* (yield* Workflow).current).config.server
      const port = Option.getOrElse(options.port, () => settings.port ?? 0)
      const host = Option.isNone(options.port) && settings.port === null ? "127.0.0.1" : settings.host
      const server = newServer()
      const bound = yield* NodeHttpServer.make(() => server, {
        host,
        port,
        gracefulShutdownTimeout: ANSWER_GRACE
      }).pipe(Effect.mapError(listenError(host, port)))
      yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
      return bound
    })
  ).pipe(Layer.provideMerge(NodeHttpServer.layerHttpServices), Layer.merge(OperatorAuth.layer))

const served = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(Operations.layer)
)

/** Dashboard, API and the agents' endpoints on the listener. Long answers end at once when it is released. */
export const layer = Draining.onRelease.pipe(
  Layer.provideMerge(Layer.merge(served, tellListener)),
  Layer.provideMerge(Draining.layer)
)

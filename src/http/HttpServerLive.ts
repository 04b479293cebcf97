import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Option, Schema } from "effect"
import { HttpRouter, HttpServer, type HttpServerError, HttpServerResponse } from "effect/http"
import { McpEndpoint } from "../mcp/McpEndpoint.ts"
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
import { apiMethods, methodNotAllowed } from "./methods.ts"
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
    methodNotAllowed(apiMethods()),
    McpEndpoint.routes,
    guard
  )
)

const tellListener = Layer.effectDiscard(
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const listener = yield* Listener
    if (address._tag !== "UnixPathAddress") yield* listener.bound(address.port)
  })
)

/**
 * The one listener: dashboard, API and the agents' endpoints. `port`, from the command line, goes before
 * `server.port`; without either it takes an ephemeral port of the loopback interface. Long answers end at
 * once when it is released.
 */
export const layer = (options: { readonly port: Option.Option<number> }) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const workflow = yield* Workflow
      const { server } = (yield* workflow.current).config
      const port = Option.getOrElse(options.port, () => server.port ?? 0)
      const host = Option.isNone(options.port) && server.port === null ? "127.0.0.1" : server.host
      const listening = Layer.effect(
        HttpServer.HttpServer,
        NodeHttpServer.make(() => createServer({ requireHostHeader: false }), {
          host,
          port,
          gracefulShutdownTimeout: "5 seconds"
        }).pipe(Effect.mapError(listenError(host, port)))
      ).pipe(Layer.provideMerge(NodeHttpServer.layerHttpServices))
      const served = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(Operations.layer)
      )
      return Draining.onRelease.pipe(
        Layer.provideMerge(Layer.merge(served, tellListener)),
        Layer.provideMerge(listening),
        Layer.provideMerge(Draining.layer)
      )
    })
  ).pipe(Layer.provideMerge(OperatorAuth.layer))

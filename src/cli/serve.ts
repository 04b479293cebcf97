import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { McpEndpoint } from "../mcp/McpEndpoint.ts"
import { Listener } from "../run/Listener.ts"

export const listenerLayer = (options: { readonly port: number | null }) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const server = yield* HttpServer.HttpServer
      const listener = yield* Listener
      if (server.address._tag !== "UnixPathAddress") yield* listener.bound(server.address.port)
    })
  ).pipe(
    Layer.provideMerge(HttpRouter.serve(McpEndpoint.routes)),
    Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: options.port ?? 0, host: "127.0.0.1" }))
  )

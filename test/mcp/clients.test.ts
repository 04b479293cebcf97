import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Exit, Layer, Redacted, Ref, Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { McpEndpoint } from "../../src/mcp/McpEndpoint.ts"
import { type Grant, RunGrants } from "../../src/mcp/RunGrants.ts"
import { Endpoint, grantOf, World } from "./support.ts"

const grant = grantOf("DEMO-1")

/** The endpoint on a port of its own. A response that does not end would hold the server for an hour. */
const Served = HttpRouter.serve(McpEndpoint.routes, { disableLogger: true }).pipe(
  Layer.provideMerge(
    NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "1 hour" })
  ),
  Layer.provideMerge(Endpoint)
)

const urlOf = (issue: string) =>
  Effect.map(HttpServer.HttpServer, ({ address }) => {
    assert(address._tag === "InetAddressV4")
    return new URL(`http://127.0.0.1:${address.port}/api/v1/issues/${encodeURIComponent(issue)}/mcp`)
  })

const tokenFor = (of: Grant) =>
  Effect.flatMap(RunGrants, (grants) => Effect.map(grants.issue(of), Redacted.value))

/** The SDK's own class, whose optional members are not declared as exactly optional. */
const isTransport = (transport: object): transport is Transport => "start" in transport && "send" in transport

const client = Effect.fnUntraced(function* (token: string, issue = "DEMO-1") {
  const url = yield* urlOf(issue)
  return yield* Effect.acquireRelease(
    Effect.tryPromise(async () => {
      const it = new Client({ name: "test", version: "1" })
      const transport = new StreamableHTTPClientTransport(url, {
        requestInit: { headers: { authorization: `Bearer ${token}` } }
      })
      assert(isTransport(transport))
      await it.connect(transport)
      return it
    }),
    (it) => Effect.promise(() => it.close())
  )
})

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

/** Opens a subscription of revision 2026-07-28: an answer that may stay open. */
const listen = Effect.fnUntraced(function* (token: string) {
  const url = yield* urlOf("DEMO-1")
  const response = yield* Effect.promise(() =>
    fetch(url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "subscriptions/listen"
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 7,
        method: "subscriptions/listen",
        params: { notifications: { toolsListChanged: true }, _meta: meta }
      })
    })
  )
  assert.strictEqual(response.headers.get("content-type")?.split(";")[0], "text/event-stream")
  return response
})

describe("MCP over a real listener", () => {
  it.live("a client of the 2025 revisions lists the tools and marks its issue done", () =>
    Effect.gen(function* () {
      const mcp = yield* client(yield* tokenFor(grant))
      const { tools } = yield* Effect.promise(() => mcp.listTools())
      assert.include(
        tools.map((tool) => tool.name),
        "mark_done"
      )
      yield* (yield* RunGrants).awaitToolsListed(grant.runId)
      const call = () => mcp.callTool({ name: "mark_done", arguments: { title: "Fix", summary: "Fixed." } })
      const first = yield* Effect.promise(call)
      assert.deepStrictEqual(first.content, [{ type: "text", text: "MarkDone recorded. End your turn now." }])
      assert.deepStrictEqual(yield* Effect.promise(call), first)
      assert.lengthOf(yield* Ref.get((yield* World).signals), 1)
    }).pipe(Effect.provide(Served))
  )

  it.live("the same client is turned away from another issue, and from its own once the run has ended", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      yield* tokenFor(grantOf("DEMO-2", 2))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(client(token, "DEMO-2"))))
      const mcp = yield* client(token)
      yield* (yield* RunGrants).revoke(grant.runId)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.tryPromise(() => mcp.listTools()))))
      assert.deepStrictEqual(yield* Ref.get((yield* World).signals), [])
    }).pipe(Effect.provide(Served))
  )

  it.live("GET is refused at once and a body of more than 1 MiB with 413", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const url = yield* urlOf("DEMO-1")
      const get = yield* Effect.promise(() => fetch(url, { headers: { authorization: `Bearer ${token}` } }))
      assert.strictEqual(get.status, 405)
      const post = yield* Effect.promise(() =>
        fetch(url, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: " ".repeat(1024 * 1024 + 1)
        })
      )
      assert.strictEqual(post.status, 413)
      assert.strictEqual(post.headers.get("connection"), "close")
    }).pipe(Effect.provide(Served))
  )

  it.live("a subscription is acknowledged and ends at once: the tools of a run never change", () =>
    Effect.gen(function* () {
      const text = yield* Effect.flatMap(listen(yield* tokenFor(grant)), (response) =>
        Effect.promise(() => response.text())
      )
      assert.include(text, "notifications/subscriptions/acknowledged")
      assert.include(text, '"resultType":"complete"')
    }).pipe(Effect.provide(Served))
  )

  it.live("no client holds a server that stops", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Served, scope)
      const subscription = yield* tokenFor(grant).pipe(
        Effect.flatMap(listen),
        Effect.provideContext(context),
        Scope.provide(scope)
      )
      yield* Scope.close(scope, Exit.void)
      assert.include(yield* Effect.promise(() => subscription.text()), "subscriptions/acknowledged")
    })
  )
})

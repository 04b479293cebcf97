import { Effect, Layer, Redacted, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { createServer } from "node:http"
import { layer as acpLayer } from "../../src/agent/AcpSessions.ts"
import { adapterOf } from "../../src/agent/adapters.ts"
import { type Sandbox, Sandboxes } from "../../src/sandbox/Sandboxes.ts"
import type { SandboxKind } from "../../src/workflow/WorkflowConfig.ts"
import type { ConfigOverrides } from "../support/workflow.ts"
import { realLayer } from "../sandbox/layers.ts"
import { makeWorld } from "../sandbox/world.ts"
import type { Overrides } from "./AgentSessions.contract.ts"
import { optionsFor } from "./peer.ts"

export interface ToolCall {
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
}

/** An MCP server that takes what it is told; `refuse` makes its next answers tool errors. */
export interface Tools {
  readonly url: string
  readonly calls: Array<ToolCall>
  refuse: number
}

export const makeTools: Effect.Effect<Tools, never, Scope.Scope> = Effect.acquireRelease(
  Effect.callback<Tools & { readonly close: () => void }>((resume) => {
    const tools = { url: "", calls: new Array<ToolCall>(), refuse: 0, close: () => {} }
    const server = createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8")
      request.on("data", (part: string) => (body += part))
      request.on("end", () => {
        const { id, method, params } = JSON.parse(body)
        if (request.headers.authorization !== "Bearer run-token") return response.writeHead(401).end()
        if (id === undefined) return response.writeHead(202).end()
        const answer = (result: unknown) => {
          response.writeHead(200, { "content-type": "application/json" })
          response.end(JSON.stringify({ jsonrpc: "2.0", id, result }))
        }
        if (method === "initialize")
          return answer({ protocolVersion: "2025-06-18", capabilities: { tools: {} } })
        if (method === "tools/list") return answer({ tools: [{ name: "mark_done" }] })
        tools.calls.push(params)
        const isError = tools.refuse > 0
        if (isError) tools.refuse--
        return answer({ content: [{ type: "text", text: isError ? "refused" : "taken" }], isError })
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      tools.url = `http://127.0.0.1:${port}/mcp`
      tools.close = () => {
        server.closeAllConnections()
        server.close()
      }
      resume(Effect.succeed(tools))
    })
  }),
  (tools) => Effect.sync(tools.close)
)

/** A workspace on disk, with a repository, and real demo agents in it. */
export const makeProjectIn = Effect.fnUntraced(function* (kind: SandboxKind, config: ConfigOverrides = {}) {
  const world = yield* makeWorld(kind, true, config)
  const tools = yield* makeTools
  execFileSync("git", ["init", "-q", "-b", "main", world.workspace])
  const sandbox = Effect.flatMap(Sandboxes, (sandboxes) =>
    sandboxes.acquire(world.request({ readonlyPaths: adapterOf("demo").readonlyPaths, env: {} }))
  )
  const optionsIn = (sandbox: Sandbox, overrides: Overrides = {}) =>
    optionsFor(sandbox, {
      cwd: world.workspace,
      mcp: { url: tools.url, token: Redacted.make("run-token") },
      resume: overrides.resume ?? null,
      costBefore: null,
      acp: { shell: "sh", ...overrides.acp }
    })
  const options = (overrides?: Overrides) => Effect.map(sandbox, (it) => optionsIn(it, overrides))
  return { workspace: world.workspace, tools, sandbox, optionsIn, options }
})

export const makeProject = makeProjectIn("host")

/** Real processes of the built demo agent in the host sandbox. */
export const realAgents = Layer.mergeAll(acpLayer, realLayer)

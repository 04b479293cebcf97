import { type CallToolResult, ProtocolError, ProtocolErrorCode, Server } from "@modelcontextprotocol/server"
import type { ToolDescription } from "./RunTools.ts"
import type { ToolResult } from "./ToolResult.ts"

/** The tools of one run, as promises: what the SDK's callbacks can call. */
export interface PromisedTools {
  readonly list: () => Promise<ReadonlyArray<ToolDescription>>
  readonly offers: (name: string) => Promise<boolean>
  readonly call: (name: string, args: unknown) => Promise<ToolResult>
}

const INSTRUCTIONS =
  "Symphony runs you on one issue. Call mark_done when the work is finished, request_human_steering when only " +
  "a person can answer; then end your turn. A turn that ends without either counts as unfinished."

/** Claude Code shows its model tools of MCP servers only once they are searched for, unless they ask for this. */
const ALWAYS_LOADED = { "anthropic/alwaysLoad": true }

const resultOf = (result: ToolResult): CallToolResult => ({
  content: [{ type: "text", text: result.text }],
  isError: result.isError
})

/** A server for one exchange, of any revision: the same tools for 2025-06-18 to 2026-07-28. */
export const makeMcpServer = (version: string, tools: PromisedTools): Server => {
  const server = new Server(
    { name: "symphony", version },
    { capabilities: { tools: {} }, instructions: INSTRUCTIONS }
  )
  server.setRequestHandler("tools/list", async () => ({
    tools: (await tools.list()).map((tool) => ({
      name: tool.name,
      title: tool.title,
      description: tool.description,
      inputSchema: { ...tool.inputSchema, type: "object" as const },
      _meta: ALWAYS_LOADED,
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false }
    }))
  }))
  server.setRequestHandler("tools/call", async ({ params }) => {
    if (!(await tools.offers(params.name))) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${params.name.slice(0, 64)}`)
    }
    return resultOf(await tools.call(params.name, params.arguments))
  })
  return server
}

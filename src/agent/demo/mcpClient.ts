import type { McpServer } from "@agentclientprotocol/sdk"
import { version } from "../../package.ts"

/** MCP over plain HTTP, revision 2025-06-18: enough to list tools and call them. */
const REVISION = "2025-06-18"

export interface ToolAnswer {
  readonly text: string
  readonly isError: boolean
}

export interface McpClient {
  /** Says hello and lists the tools; again after a failure. */
  readonly connect: () => Promise<ReadonlyArray<string>>
  readonly call: (tool: string, args: Readonly<Record<string, unknown>>) => Promise<ToolAnswer>
}

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A server may answer with JSON or with a stream of events, of which one is the answer. */
const answerIn = (contentType: string, body: string, id: number): Json => {
  const texts = contentType.includes("text/event-stream")
    ? body
        .split(/\r?\n/)
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5))
    : [body]
  for (const text of texts) {
    const message: unknown = JSON.parse(text)
    if (isObject(message) && message["id"] === id) return message
  }
  throw new Error("the MCP server did not answer the request")
}

export const makeMcpClient = (servers: ReadonlyArray<McpServer>): McpClient => {
  const server = servers.find((candidate) => "type" in candidate && candidate.type === "http")
  if (server === undefined || !("url" in server)) throw new Error("no MCP server over HTTP was given")
  const headers: Record<string, string> = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream"
  }
  for (const { name, value } of server.headers) headers[name.toLowerCase()] = value
  let nextId = 1
  let tools: ReadonlyArray<string> | undefined

  const post = async (message: Json): Promise<Response> => {
    const response = await fetch(server.url, { method: "POST", headers, body: JSON.stringify(message) })
    if (!response.ok) {
      await response.body?.cancel()
      throw new Error(`the MCP server answered ${response.status}`)
    }
    return response
  }

  const request = async (method: string, params: Json): Promise<Json> => {
    const id = nextId++
    const response = await post({ jsonrpc: "2.0", id, method, params })
    const session = response.headers.get("mcp-session-id")
    if (session !== null) headers["mcp-session-id"] = session
    const answer = answerIn(response.headers.get("content-type") ?? "", await response.text(), id)
    if (isObject(answer["error"])) throw new Error(String(answer["error"]["message"]))
    return isObject(answer["result"]) ? answer["result"] : {}
  }

  const connect = async (): Promise<ReadonlyArray<string>> => {
    if (tools !== undefined) return tools
    const hello = await request("initialize", {
      protocolVersion: REVISION,
      capabilities: {},
      clientInfo: { name: "symphony-demo", version }
    })
    headers["mcp-protocol-version"] = String(hello["protocolVersion"] ?? REVISION)
    await (await post({ jsonrpc: "2.0", method: "notifications/initialized" })).body?.cancel()
    const listed = (await request("tools/list", {}))["tools"]
    tools = (Array.isArray(listed) ? listed : []).filter(isObject).map((tool) => String(tool["name"]))
    return tools
  }

  return {
    connect,
    call: async (tool, args) => {
      await connect()
      const result = await request("tools/call", { name: tool, arguments: args })
      const content = Array.isArray(result["content"]) ? result["content"] : []
      return {
        text: content
          .filter(isObject)
          .map((part) => String(part["text"] ?? ""))
          .join("\n"),
        isError: result["isError"] === true
      }
    }
  }
}

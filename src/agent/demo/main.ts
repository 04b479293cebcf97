/**
 * The demo agent: a real ACP agent program that follows a script instead of asking a model. A plain Node
 * program of its own, started by symphony in a sandbox like any other agent.
 */
import {
  agent,
  type McpServer,
  methods,
  ndJsonStream,
  PROTOCOL_VERSION,
  RequestError
} from "@agentclientprotocol/sdk"
import { randomUUID } from "node:crypto"
import { Readable } from "node:stream"
import { version } from "../../package.ts"
import { isHanging } from "./hang.ts"
import { makeMcpClient } from "./mcpClient.ts"
import { writeOut } from "./output.ts"
import type { DemoSession } from "./steps.ts"
import { runTurn } from "./turn.ts"

const sessions = new Map<string, DemoSession>()

const openSession = async (
  id: string,
  cwd: string,
  servers: ReadonlyArray<McpServer>
): Promise<DemoSession> => {
  const session: DemoSession = {
    id,
    cwd,
    mcp: makeMcpClient(servers),
    model: "scripted",
    greeted: false,
    cancel: undefined
  }
  sessions.set(id, session)
  // As other agents do: a server that refuses us costs the tools, not the session.
  await session.mcp.connect().catch((error: unknown) => process.stderr.write(`no tools: ${String(error)}\n`))
  return session
}

const sessionOf = (id: string): DemoSession => {
  const session = sessions.get(id)
  if (session === undefined) throw RequestError.sessionNotFound(id)
  return session
}

/** Scripts are kept by workspace, so any session of ours can be taken up. */
const takeUp = async (id: string, cwd: string, servers: ReadonlyArray<McpServer>): Promise<DemoSession> => {
  if (!id.startsWith("demo-")) throw RequestError.sessionNotFound(id)
  const session = await openSession(id, cwd, servers)
  session.greeted = true
  return session
}

const settings = (session: DemoSession) => ({
  modes: {
    currentModeId: "default",
    availableModes: [
      { id: "default", name: "Default" },
      { id: "unattended", name: "Unattended" }
    ]
  },
  configOptions: [
    {
      id: "model",
      name: "Model",
      category: "model" as const,
      type: "select" as const,
      currentValue: session.model,
      options: [{ value: session.model, name: "No model: a script" }]
    }
  ]
})

const connection = agent({ name: "symphony-demo" })
  .onRequest(methods.agent.initialize, () => ({
    protocolVersion: PROTOCOL_VERSION,
    agentCapabilities: {
      loadSession: true,
      mcpCapabilities: { http: true, sse: false },
      sessionCapabilities: { resume: {} }
    },
    authMethods: [],
    agentInfo: { name: "symphony-demo", title: "Scripted demo agent", version }
  }))
  .onRequest(methods.agent.session.new, async ({ params }) => {
    const session = await openSession(`demo-${randomUUID()}`, params.cwd, params.mcpServers)
    return { sessionId: session.id, ...settings(session) }
  })
  .onRequest(methods.agent.session.resume, async ({ params }) =>
    settings(await takeUp(params.sessionId, params.cwd, params.mcpServers ?? []))
  )
  .onRequest(methods.agent.session.load, async ({ params }) =>
    settings(await takeUp(params.sessionId, params.cwd, params.mcpServers))
  )
  .onRequest(methods.agent.session.setMode, ({ params }) => {
    sessionOf(params.sessionId)
    return {}
  })
  .onRequest(methods.agent.session.setConfigOption, ({ params }) => {
    const session = sessionOf(params.sessionId)
    if (
      params.configId !== "model" ||
      typeof params.value !== "string" ||
      !params.value.startsWith("scripted")
    )
      throw RequestError.invalidParams(undefined, "the model of a script is `scripted` or begins with it")
    session.model = params.value
    return { configOptions: settings(session).configOptions }
  })
  .onRequest(methods.agent.session.prompt, ({ params, client }) =>
    runTurn(
      sessionOf(params.sessionId),
      client,
      params.prompt.map((block) => (block.type === "text" ? block.text : "")).join("\n")
    )
  )
  .onNotification(methods.agent.session.cancel, ({ params }) =>
    sessions.get(params.sessionId)?.cancel?.abort()
  )
  .connect(
    ndJsonStream(
      new WritableStream<Uint8Array>({ write: writeOut }),
      Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>
    )
  )

await connection.closed
if (!isHanging()) process.exit(0)

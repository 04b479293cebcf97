import { type AgentContext, methods, RequestError, type SessionNotification } from "@agentclientprotocol/sdk"
import { randomUUID } from "node:crypto"
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { commitAll, runCommand } from "./commands.ts"
import { hang } from "./hang.ts"
import type { McpClient, ToolAnswer } from "./mcpClient.ts"
import { floodOut, longLineOut } from "./output.ts"
import { type Position, savePosition } from "./position.ts"
import type { Step } from "./script.ts"

export interface DemoSession {
  readonly id: string
  readonly cwd: string
  readonly mcp: McpClient
  model: string
  greeted: boolean
  /** Of the present turn. */
  cancel: AbortController | undefined
}

export interface Turn {
  readonly session: DemoSession
  readonly client: AgentContext
  readonly signal: AbortSignal
  readonly prompt: string
  position: Position
  said: number
  usage: { readonly input: number; readonly output: number } | null | undefined
}

/** `next`: on to the following step; `end`: over to the other side, going on after this step; `again`: with it. */
export type After = "next" | "end" | "again" | { readonly stop: string }

const update = (turn: Turn, content: SessionNotification["update"]): Promise<void> =>
  turn.client.notify(methods.client.session.update, { sessionId: turn.session.id, update: content })

export const say = (turn: Turn, text: string): Promise<void> => {
  turn.said += text.length
  return update(turn, { sessionUpdate: "agent_message_chunk", content: { type: "text", text: `${text}\n` } })
}

/** Shows a piece of work as a tool call, whatever comes of it. */
const asTool = async (
  turn: Turn,
  title: string,
  kind: "execute" | "edit" | "other",
  work: () => Promise<{ readonly text: string; readonly ok: boolean }>
): Promise<boolean> => {
  const toolCallId = randomUUID()
  await update(turn, { sessionUpdate: "tool_call", toolCallId, title, kind, status: "in_progress" })
  const { text, ok } = await work()
  await update(turn, {
    sessionUpdate: "tool_call_update",
    toolCallId,
    status: ok ? "completed" : "failed",
    content: [{ type: "content", content: { type: "text", text } }]
  })
  return ok
}

const shell = async (turn: Turn, command: string): Promise<number | null> => {
  let code: number | null = null
  await asTool(turn, command, "execute", async () => {
    const result = await runCommand("sh", ["-c", command], { cwd: turn.session.cwd, signal: turn.signal })
    code = result.code
    return { text: `${result.output}exit status ${result.code ?? "none"}`, ok: result.code === 0 }
  })
  return code
}

const callTool = async (
  turn: Turn,
  tool: string,
  args: Readonly<Record<string, unknown>>
): Promise<ToolAnswer> => {
  let answer: ToolAnswer = { text: "", isError: true }
  await asTool(turn, `the ${tool} tool`, "other", async () => {
    answer = await turn.session.mcp.call(tool, args)
    return { text: answer.text, ok: !answer.isError }
  })
  return answer
}

const putFile = async (turn: Turn, path: string, text: string, append: boolean): Promise<void> => {
  const file = resolve(turn.session.cwd, path)
  await asTool(turn, `${append ? "append to" : "write"} ${path}`, "edit", async () => {
    mkdirSync(dirname(file), { recursive: true })
    if (append) appendFileSync(file, text)
    else writeFileSync(file, text)
    return { text: `${Buffer.byteLength(text)} bytes`, ok: true }
  })
}

export const fail = (text: string, code = -32_603): never => {
  throw new RequestError(code, text === "" ? "failed, as the script says" : text)
}

export const moveOn = (turn: Turn, asked = false): void => {
  turn.position = { ...turn.position, next: turn.position.next + 1, asked }
  savePosition(turn.session.cwd, turn.position)
}

export const perform = async (turn: Turn, step: Step): Promise<After> => {
  const fill = (text: string): string => text.replaceAll("{{reply}}", turn.position.reply ?? "")
  switch (step.name) {
    case "say":
      await say(turn, fill(step.text))
      return "next"
    case "think":
      await update(turn, {
        sessionUpdate: "agent_thought_chunk",
        content: { type: "text", text: fill(step.text) }
      })
      return "next"
    case "write":
    case "append":
      await putFile(turn, step.path, fill(step.text), step.name === "append")
      return "next"
    case "run": {
      const code = await shell(turn, fill(step.text))
      return code === 0 || turn.signal.aborted
        ? "next"
        : fail(`the command ended with status ${code ?? "none"}`)
    }
    case "try":
      await shell(turn, fill(step.text))
      return "next"
    case "commit":
      await asTool(turn, "git commit", "execute", async () => ({
        text: await commitAll(turn.session.cwd, fill(step.text), turn.signal),
        ok: true
      }))
      return "next"
    case "ask": {
      const answer = await callTool(turn, "request_human_steering", { question: fill(step.text) })
      return answer.isError ? "again" : "end"
    }
    case "done": {
      const args = { title: fill(step.title), summary: fill(step.summary) }
      return (await callTool(turn, "mark_done", args)).isError ? "again" : "end"
    }
    case "transition": {
      const args = { to_state: step.state, notes: fill(step.notes) }
      return (await callTool(turn, "transition", args)).isError ? "again" : "end"
    }
    case "propose":
      await callTool(turn, "propose_issue", { title: fill(step.title), description: fill(step.description) })
      return "next"
    case "sleep":
      // Ends early when the turn is cancelled; the turn then says so itself.
      await sleep(step.amount, undefined, { signal: turn.signal }).catch(() => {})
      return "next"
    case "flood":
      await floodOut(turn.session.id, step.amount)
      return "next"
    case "line":
      await longLineOut(step.amount)
      return "next"
    case "stderr":
      process.stderr.write(`${step.text}\n`)
      return "next"
    case "permission": {
      const toolCallId = randomUUID()
      const { outcome } = await turn.client.request(methods.client.session.requestPermission, {
        sessionId: turn.session.id,
        toolCall: { toolCallId, title: step.text, kind: "execute", status: "pending" },
        options: [
          { optionId: "always", name: "Always", kind: "allow_always" },
          { optionId: "once", name: "Once", kind: "allow_once" },
          { optionId: "no", name: "No", kind: "reject_once" }
        ]
      })
      await say(turn, `permission: ${outcome.outcome === "selected" ? outcome.optionId : outcome.outcome}`)
      return "next"
    }
    case "input":
      await turn.client.request(methods.client.elicitation.create, {
        mode: "form",
        sessionId: turn.session.id,
        message: "What is your name?",
        requestedSchema: { type: "object", properties: { name: { type: "string" } } }
      })
      return "next"
    case "tokens":
      turn.usage = { input: step.input, output: step.output }
      return "next"
    case "tokens-none":
      turn.usage = null
      return "next"
    case "fail":
      if (step.once) moveOn(turn)
      return fail(fill(step.text), step.code)
    case "crash":
      if (step.once) moveOn(turn)
      process.stderr.write("crashing, as the script says\n")
      return process.exit(70)
    case "hang":
      return hang()
    case "stop":
      return { stop: step.reason }
    case "end":
      return "end"
  }
}

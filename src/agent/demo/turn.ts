import {
  type AgentContext,
  methods,
  type PromptResponse,
  RequestError,
  type SessionNotification
} from "@agentclientprotocol/sdk"
import { randomUUID } from "node:crypto"
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { commitAll, runCommand } from "./commands.ts"
import type { McpClient, ToolAnswer } from "./mcpClient.ts"
import { hang } from "./hang.ts"
import { floodOut, longLineOut } from "./output.ts"
import { loadPosition, type Position, savePosition } from "./position.ts"
import { replyIn } from "./reply.ts"
import { ScriptError, scriptIn, type Step } from "./script.ts"

export interface DemoSession {
  readonly id: string
  readonly cwd: string
  readonly mcp: McpClient
  model: string
  greeted: boolean
  /** Of the present turn. */
  cancel: AbortController | undefined
}

interface Turn {
  readonly session: DemoSession
  readonly client: AgentContext
  readonly signal: AbortSignal
  readonly prompt: string
  position: Position
  said: number
  usage: { readonly input: number; readonly output: number } | null | undefined
}

/** `next`: on to the following step; `end`: over to the other side, going on after this step; `again`: with it. */
type After = "next" | "end" | "again" | { readonly stop: string }

export const GREETING =
  "I am the scripted demo agent: I follow the script in the issue, and no model is involved."

const update = (turn: Turn, content: SessionNotification["update"]): Promise<void> =>
  turn.client.notify(methods.client.session.update, { sessionId: turn.session.id, update: content })

const say = (turn: Turn, text: string): Promise<void> => {
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

const fail = (text: string, code = -32_603): never => {
  throw new RequestError(code, text === "" ? "failed, as the script says" : text)
}

const moveOn = (turn: Turn, asked = false): void => {
  turn.position = { ...turn.position, next: turn.position.next + 1, asked }
  savePosition(turn.session.cwd, turn.position)
}

const perform = async (turn: Turn, step: Step): Promise<After> => {
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

/** As agents answer; `usage` is not in the SDK's stable types, but on every wire. */
export interface DemoAnswer extends PromptResponse {
  readonly usage: {
    readonly inputTokens: number
    readonly outputTokens: number
    readonly totalTokens: number
  } | null
}

const finish = (turn: Turn, stopReason: string): DemoAnswer => {
  const usage =
    turn.usage === undefined
      ? { input: Math.ceil(turn.prompt.length / 4), output: Math.ceil(turn.said / 4) + 1 }
      : turn.usage
  return {
    // The script may name any reason, to see what the other side makes of it.
    stopReason: stopReason as PromptResponse["stopReason"],
    usage:
      usage === null
        ? null
        : { inputTokens: usage.input, outputTokens: usage.output, totalTokens: usage.input + usage.output }
  }
}

const signals = new Set<Step["name"]>(["done", "transition"])

/** Where to begin: a script that has ended says its last word again, should it not have been heard. */
const begin = (position: Position): Position => {
  const { steps } = position.script
  const last = steps.at(-1)
  return position.next >= steps.length && last !== undefined && signals.has(last.name)
    ? { ...position, next: steps.length - 1 }
    : position
}

/** One turn: from where the workspace's script stands to a step that ends the turn. */
export const runTurn = async (
  session: DemoSession,
  client: AgentContext,
  prompt: string
): Promise<DemoAnswer> => {
  const cancel = new AbortController()
  session.cancel = cancel
  let loaded: Position | undefined
  try {
    loaded = loadPosition(session.cwd, scriptIn(prompt))
  } catch (error) {
    if (error instanceof ScriptError) return fail(`the demo script is wrong: ${error.message}`)
    throw error
  }
  const turn: Turn = {
    session,
    client,
    signal: cancel.signal,
    prompt,
    position: loaded ?? { script: { source: "", steps: [] }, next: 0, reply: null, asked: false },
    said: 0,
    usage: undefined
  }
  if (!session.greeted) {
    session.greeted = true
    await say(turn, GREETING)
  }
  if (loaded === undefined) {
    await say(turn, "The prompt holds no script (a fenced block named demo), so there is nothing to do.")
    return finish(turn, "end_turn")
  }
  turn.position = begin(turn.position)
  if (turn.position.asked) turn.position = { ...turn.position, reply: replyIn(prompt), asked: false }
  savePosition(session.cwd, turn.position)

  for (;;) {
    const step = turn.position.script.steps[turn.position.next]
    if (step === undefined) {
      await say(turn, "The script has ended.")
      return finish(turn, "end_turn")
    }
    const after = await perform(turn, step)
    if (turn.signal.aborted) return finish(turn, "cancelled")
    if (after === "again") return finish(turn, "end_turn")
    moveOn(turn, step.name === "ask")
    if (typeof after === "object") return finish(turn, after.stop)
    if (after === "end") return finish(turn, "end_turn")
  }
}

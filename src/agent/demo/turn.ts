import type { AgentContext, PromptResponse } from "@agentclientprotocol/sdk"
import { loadPosition, type Position, savePosition } from "./position.ts"
import { replyIn } from "./reply.ts"
import { ScriptError, scriptIn, type Step } from "./script.ts"
import { type DemoSession, fail, moveOn, perform, say, type Turn } from "./steps.ts"

const GREETING = "I am the scripted demo agent: I follow the script in the issue, and no model is involved."

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

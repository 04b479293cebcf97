import { Effect } from "effect"
import { AgentError, type TurnResult } from "../../src/agent/AgentSessions.ts"
import { type AgentTurn, diligent, endOfTurn } from "./house.ts"

export type Script = (turn: AgentTurn) => Effect.Effect<TurnResult, AgentError>

/** Ends its turn without a word. */
export const silent: Script = () => Effect.succeed(endOfTurn)

export const failing =
  (reason: AgentError["reason"], resetAt: number | null = null): Script =>
  () =>
    Effect.fail(new AgentError({ reason, detail: `the agent's ${reason}`, resetAt }))

/** Works until it is told to stop, and then stops. */
export const busy: Script = (turn) => Effect.as(turn.cancelled, endOfTurn)

/** Works for ever and does not listen. */
export const deaf: Script = () => Effect.never

export const asking =
  (question: string): Script =>
  (turn) =>
    Effect.as(turn.call("request_human_steering", { question }), endOfTurn)

export const passing =
  (to_state: string, notes = "Notes."): Script =>
  (turn) =>
    Effect.as(turn.call("transition", { to_state, notes }), endOfTurn)

/** For one issue; the agents of all others are diligent. */
export const only =
  (identifier: string, script: Script): Script =>
  (turn) =>
    turn.identifier === identifier ? script(turn) : diligent(turn)

/** One script a prompt, in this order for each issue; diligent after the last. */
export const inTurn = (...scripts: ReadonlyArray<Script>): Script => {
  const taken = new Map<string, number>()
  return (turn) => {
    const count = taken.get(turn.identifier) ?? 0
    taken.set(turn.identifier, count + 1)
    return (scripts[count] ?? diligent)(turn)
  }
}

import { type Cost, roundAmount, type RunningCost } from "../domain/Cost.ts"
import type { CostSemantics } from "./adapters.ts"

/** What a session has cost since it was last asked. */
export interface CostTaken {
  /** Undefined: nobody has said. */
  readonly cost: Cost | undefined
  /** The agent's own total by now, for who takes the session up after us; null where it has said none. */
  readonly running: RunningCost | null
}

export interface CostMeter {
  /** The session is ready; what the agent has said of its cost until now is not ours to pay. */
  readonly begin: (session: {
    readonly semantics: CostSemantics | null
    readonly resumed: boolean
    /** What the session last told its former process; null where it is not known. */
    readonly before: RunningCost | null
  }) => void
  readonly saw: (running: RunningCost) => void
  readonly take: () => CostTaken
}

/** Takes differences of an agent's running total, none of it twice. */
export const makeCostMeter = (): CostMeter => {
  /** What of the total has been taken; null where that is not known, and so neither is the next difference. */
  let taken: RunningCost | "nothing" | null = "nothing"
  let said: RunningCost | null = null

  const difference = (now: RunningCost): Cost | undefined => {
    // In another currency, what was spent before cannot be told from what is new.
    if (taken === null || (taken !== "nothing" && taken.currency !== now.currency)) return undefined
    const was = taken === "nothing" ? 0 : taken.amount
    // A total that has fallen began anew; what came between is lost.
    return now.amount < was
      ? { amounts: { [now.currency]: now.amount }, partial: true }
      : { amounts: { [now.currency]: roundAmount(now.amount - was) }, partial: false }
  }

  return {
    begin: ({ before, resumed, semantics }) => {
      const goesOn = resumed && semantics !== "process"
      taken = goesOn && before !== null ? before : (said ?? (goesOn ? null : "nothing"))
      said = null
    },
    saw: (running) => {
      said = running
    },
    take: () => {
      const cost = said === null ? undefined : difference(said)
      taken = said ?? taken
      said = null
      return { cost, running: taken === "nothing" ? null : taken }
    }
  }
}

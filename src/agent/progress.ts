import { Clock, Effect } from "effect"
import type { AgentEvent } from "./AgentSessions.ts"

/** Whether an event shows that the agent gets on; that it lives, or says so, does not. */
export const isProgress = (event: AgentEvent): boolean => {
  switch (event._tag) {
    case "Message":
    case "Thought":
    case "Plan":
      return event.text !== ""
    case "ToolUpdate":
      return event.status !== "" || event.text !== ""
    case "ToolCall":
    case "Context":
    case "Permission":
      return true
    case "Stderr":
    case "Notice":
      return false
  }
}

/** When an agent last got on, by a clock that nobody can set. */
export interface Progress {
  readonly note: () => void
  /** Milliseconds since then. */
  readonly quietForMs: Effect.Effect<number>
}

export const makeProgress: Effect.Effect<Progress> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  let last = clock.monotonicTimeNanosUnsafe()
  return {
    note: () => {
      last = clock.monotonicTimeNanosUnsafe()
    },
    quietForMs: Effect.sync(() => Number((clock.monotonicTimeNanosUnsafe() - last) / 1_000_000n))
  }
})

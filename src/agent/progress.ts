import { Clock, Effect } from "effect"
import type { AgentEvent } from "./AgentSessions.ts"

/** Of so many things it is remembered what was said of them last. */
const MOST_REMEMBERED = 200

/** What is told of as a whole each time, so that it may be told again without any news: its name, and what is said. */
const standing = (event: AgentEvent): readonly [name: string, said: string] | null => {
  switch (event._tag) {
    case "ToolCall":
      return [`call ${event.id}`, `${event.status} ${event.title}`]
    case "ToolUpdate":
      return [`update ${event.id}`, `${event.status} ${event.text}`]
    case "Plan":
      return ["plan", event.text]
    case "Context":
      return ["context", `${event.used} ${event.size}`]
    case "Message":
    case "Thought":
    case "Permission":
    case "Stderr":
    case "Notice":
      return null
  }
}

/** Whether an event has something to tell of the agent's work; that it lives, or says so, is no progress. */
const isAboutWork = (event: AgentEvent): boolean => {
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
  /** Takes note where the event shows that the agent gets on. */
  readonly saw: (event: AgentEvent) => void
  /** Milliseconds since then. */
  readonly quietForMs: Effect.Effect<number>
}

export const makeProgress: Effect.Effect<Progress> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  let last = clock.monotonicTimeNanosUnsafe()
  const note = (): void => {
    last = clock.monotonicTimeNanosUnsafe()
  }
  const lastSaid = new Map<string, string>()
  const isNews = (event: AgentEvent): boolean => {
    const told = standing(event)
    if (told === null) return true
    const [name, said] = told
    if (lastSaid.get(name) === said) return false
    lastSaid.set(name, said)
    const [oldest] = lastSaid.keys()
    if (lastSaid.size > MOST_REMEMBERED && oldest !== undefined) lastSaid.delete(oldest)
    return true
  }
  return {
    note,
    saw: (event) => {
      if (isAboutWork(event) && isNews(event)) note()
    },
    quietForMs: Effect.sync(() => Number((clock.monotonicTimeNanosUnsafe() - last) / 1_000_000n))
  }
})

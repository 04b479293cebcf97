import { Effect, Ref } from "effect"
import type { AgentEvent } from "../agent/AgentSessions.ts"

/** Longest text that is held back for the transcript, in UTF-16 units: as long as one event may be. */
const LONGEST = 16_384
/** What people see of an event at a glance. */
const LONGEST_EXCERPT = 200

type Chunk = Extract<AgentEvent, { readonly _tag: "Message" | "Thought" }>

const isChunk = (event: AgentEvent): event is Chunk => event._tag === "Message" || event._tag === "Thought"

const lineOf = (event: AgentEvent): string => {
  switch (event._tag) {
    case "ToolCall":
      return event.title
    case "ToolUpdate":
      return event.text
    case "Context":
      return `${event.used} of ${event.size} tokens of context`
    case "Permission":
      return `${event.title}: ${event.answer}`
    default:
      return event.text
  }
}

/** The last line that says something, whole words of it. */
const lastWords = (text: string): string => {
  const line = text.trimEnd().split("\n").at(-1) ?? ""
  return line.length <= LONGEST_EXCERPT ? line : `… ${line.slice(-LONGEST_EXCERPT).replace(/^\S*\s/, "")}`
}

/** What an agent says, put together: its messages come in chunks of a few letters. */
export interface Narration {
  /** Takes one event; answers what can be read of it at once, the end of the message included. */
  readonly take: (event: AgentEvent) => Effect.Effect<string>
  /** Writes down the message that is still open, at the end of a turn. */
  readonly finish: Effect.Effect<void>
}

/** Gives `write` one event a message, once the message has ended, and every other event at once. */
export const makeNarration = (write: (event: AgentEvent) => Effect.Effect<void>): Effect.Effect<Narration> =>
  Effect.gen(function* () {
    const open = yield* Ref.make<Chunk | null>(null)
    const finish = Effect.flatMap(Ref.getAndSet(open, null), (message) =>
      message === null ? Effect.void : write(message)
    )
    const take = Effect.fnUntraced(function* (event: AgentEvent) {
      // Of the context window people are told in passing; it does not end a message.
      if (event._tag === "Context") {
        yield* write(event)
        return lineOf(event)
      }
      if (!isChunk(event)) {
        yield* finish
        yield* write(event)
        return lineOf(event).slice(0, LONGEST_EXCERPT)
      }
      const before = yield* Ref.get(open)
      const joins = before?._tag === event._tag && before.text.length + event.text.length <= LONGEST
      if (!joins) yield* finish
      const message = joins ? { ...event, text: before.text + event.text } : event
      yield* Ref.set(open, message)
      return lastWords(message.text)
    })
    return { take, finish }
  })

import { type Cause, Effect, Queue, Stream } from "effect"
import { AgentEvent } from "./AgentSessions.ts"

export interface EventBuffer {
  /** Never waits: the oldest event gives way when the reader is slow. */
  readonly offer: (event: AgentEvent) => void
  /** For one reader. Tells by a `Notice` how many events were dropped before the one that follows. */
  readonly events: Stream.Stream<AgentEvent>
  readonly end: Effect.Effect<void>
}

/** A sliding buffer that counts what it loses. */
export const makeEventBuffer = Effect.fnUntraced(function* (capacity: number) {
  const queue = yield* Queue.sliding<AgentEvent, Cause.Done>(capacity)
  let dropped = 0

  const buffer: EventBuffer = {
    offer: (event) => {
      if (Queue.sizeUnsafe(queue) >= capacity) dropped++
      Queue.offerUnsafe(queue, event)
    },
    events: Stream.fromQueue(queue).pipe(
      Stream.mapArray((events) => {
        if (dropped === 0) return events
        const notice = AgentEvent.make({
          _tag: "Notice",
          text: `${dropped} updates were dropped: they came faster than they could be kept`
        })
        dropped = 0
        return [notice, ...events] as const
      })
    ),
    end: Effect.asVoid(Queue.end(queue))
  }
  return buffer
})

import { Effect, Layer, Ref, Semaphore } from "effect"
import { Journal, type JournalEntry, JournalError } from "./Journal.ts"

interface Content {
  readonly entries: ReadonlyArray<JournalEntry>
  /** Entries since the last compaction. */
  readonly length: number
}

/** The disk under a journal in memory. It outlives the layer, as a disk outlives a process. */
export interface JournalWorld {
  /** What a process that opens the journal finds. */
  readonly written: Ref.Ref<Content>
  /** What is left after a loss of power. */
  readonly durable: Ref.Ref<Content>
  /** While set, the disk refuses to make anything durable. */
  readonly failure: Ref.Ref<string | null>
}

const empty: Content = { entries: [], length: 0 }

export const makeWorld = (): JournalWorld => ({
  written: Ref.makeUnsafe(empty),
  durable: Ref.makeUnsafe(empty),
  failure: Ref.makeUnsafe<string | null>(null)
})

/** What was not durable is gone. Only sensible once the layer is out of use. */
export const losePower = (world: JournalWorld): Effect.Effect<void> =>
  Effect.flatMap(Ref.get(world.durable), (durable) => Ref.set(world.written, durable))

/** A journal in memory. A fiber that is abandoned in the middle of an append leaves it written but not durable. */
export const layer = (world: JournalWorld): Layer.Layer<Journal> =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const lock = yield* Semaphore.make(1)

      const write = Effect.fnUntraced(function* (
        operation: "append" | "compact",
        change: (content: Content) => Content
      ) {
        yield* Ref.update(world.written, change)
        yield* Effect.yieldNow
        const failure = yield* Ref.get(world.failure)
        if (failure === null) return yield* Ref.set(world.durable, yield* Ref.get(world.written))
        yield* Ref.set(world.written, yield* Ref.get(world.durable))
        return yield* new JournalError({
          operation,
          reason: "io",
          path: "memory",
          detail: failure,
          hint: null
        })
      })
      const exclusive = (self: Effect.Effect<void, JournalError>) =>
        lock.withPermit(Effect.uninterruptible(self))

      return Journal.of({
        replay: lock.withPermit(Effect.map(Ref.get(world.written), (content) => content.entries)),
        append: Effect.fn("Journal.append")((entries) =>
          entries.length === 0
            ? Effect.void
            : exclusive(
                write("append", (content) => ({
                  entries: [...content.entries, ...entries],
                  length: content.length + entries.length
                }))
              )
        ),
        compact: Effect.fn("Journal.compact")((entry) =>
          exclusive(write("compact", () => ({ entries: [entry], length: 0 })))
        ),
        length: Effect.map(Ref.get(world.durable), (content) => content.length)
      })
    })
  )

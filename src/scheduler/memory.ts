import { Effect, Result, Schema } from "effect"
import { Journal, JournalError, type JournalEntry } from "../journal/Journal.ts"
import { SchedulerEvent } from "./events.ts"
import { evolve } from "./evolve.ts"
import { emptyState, SchedulerState } from "./state.ts"

/** What the scheduler writes to its journal: an event, or everything so far as one value. */
const Remembered = Schema.Union([SchedulerEvent, Schema.TaggedStruct("Snapshot", { state: SchedulerState })])
type Remembered = typeof Remembered.Type

const codec = Schema.toCodecJson(Remembered)
const decode = Schema.decodeUnknownResult(codec)
const encode = Schema.encodeSync(codec)

const evolveBy = (state: SchedulerState, entry: Remembered): SchedulerState =>
  entry._tag === "Snapshot" ? entry.state : evolve(state, entry)

/** The state at the moment the journal ends. */
export const remember: Effect.Effect<SchedulerState, JournalError, Journal> = Effect.gen(function* () {
  const journal = yield* Journal
  let state = emptyState
  for (const [index, entry] of (yield* journal.replay).entries()) {
    const decoded = decode(entry)
    if (Result.isFailure(decoded)) {
      return yield* new JournalError({
        operation: "open",
        reason: "version",
        path: `entry ${index + 1}`,
        detail: `is not one this version of symphony writes: ${decoded.failure.message}`,
        hint: "start the version that wrote it, or move the journal aside to forget attempts, totals and open questions"
      })
    }
    state = evolveBy(state, decoded.success)
  }
  return state
})

export const entryOf = (event: SchedulerEvent): JournalEntry => encode(event)

export const snapshotOf = (state: SchedulerState): JournalEntry => encode({ _tag: "Snapshot", state })

import { Context, type Effect, Schema } from "effect"

export class JournalError extends Schema.TaggedError<JournalError>()("JournalError", {
  operation: Schema.Literals(["open", "append", "compact"]),
  /**
   * `corrupt`: a line in the middle does not match its checksum; `foreign`: written for another tracker;
   * `version`: written by a newer program; `io`: the disk said no; `lost`: it did, and nobody knows what is in the file
   * now, so that nothing is written before the journal is opened anew.
   */
  reason: Schema.Literals(["corrupt", "foreign", "version", "io", "lost"]),
  path: Schema.String,
  detail: Schema.String,
  hint: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    return `journal ${this.path}: ${this.detail}${this.hint === null ? "" : ` - ${this.hint}`}`
  }
}

/** One entry is one JSON value; its meaning is the scheduler's. */
export type JournalEntry = Schema.Json

/**
 * The append-only record of what the scheduler did. What `append` has returned from survives the death of
 * the process and of the machine.
 */
export class Journal extends Context.Service<
  Journal,
  {
    /** Every durable entry since the last compaction, oldest first, the compacted one first of all. Once, at start. */
    readonly replay: Effect.Effect<ReadonlyArray<JournalEntry>, JournalError>
    /** All of them or, when it fails, possibly a prefix; one fsync for all. */
    readonly append: (entries: ReadonlyArray<JournalEntry>) => Effect.Effect<void, JournalError>
    /** Replaces everything so far by one entry. Atomic. */
    readonly compact: (entry: JournalEntry) => Effect.Effect<void, JournalError>
    /** Entries appended since the last compaction. */
    readonly length: Effect.Effect<number>
  }
>()("symphony/journal/Journal") {}

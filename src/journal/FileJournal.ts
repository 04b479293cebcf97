import { join } from "node:path"
import { Effect, Layer, Result, ScopedRef, Semaphore } from "effect"
import { type FileError, SafeFiles } from "../files/SafeFiles.ts"
import { readFile, type Recovered, type Unreadable, writeFile, writeGroup } from "./format.ts"
import { Journal, type JournalEntry, JournalError } from "./Journal.ts"

const FILE = "journal.jsonl"
const MODE = 0o600
/** Far more than the scheduler lets it grow to before it compacts. */
const MAX_BYTES = 256 * 1024 * 1024

export interface FileJournalOptions {
  /** `state.root`: absolute, existing. */
  readonly stateRoot: string
  /** The real path of the tracker's folder: the journal belongs to it alone. */
  readonly trackerRoot: string
}

/** `<state.root>/journal.jsonl`. Opening it cuts what a death in the middle of a write has left at its end. */
export const layer = (options: FileJournalOptions): Layer.Layer<Journal, JournalError, SafeFiles> =>
  Layer.effect(Journal, make(options))

const make = Effect.fnUntraced(function* ({ stateRoot, trackerRoot }: FileJournalOptions) {
  const files = yield* SafeFiles
  const place = { root: stateRoot }
  const path = join(stateRoot, FILE)

  const failed = (operation: JournalError["operation"]) => (error: FileError) =>
    new JournalError({ operation, reason: "io", path, detail: error.message, hint: hintFor(error) })

  const read = Effect.gen(function* () {
    const bytes = yield* files.stat(place, FILE).pipe(
      Effect.flatMap((stat) =>
        stat === null ? Effect.succeed(new Uint8Array()) : files.read(place, FILE, MAX_BYTES)
      ),
      Effect.mapError(failed("open"))
    )
    const result = readFile(bytes, trackerRoot)
    if (Result.isSuccess(result)) return result.success
    const { reason, detail } = result.failure
    return yield* new JournalError({ operation: "open", reason, path, detail, hint: wayOut(reason, path) })
  })

  const create = Effect.gen(function* () {
    const empty = writeFile(trackerRoot)
    yield* files.writeAtomic(place, FILE, empty.bytes, { mode: MODE }).pipe(Effect.mapError(failed("open")))
    return { entries: [], length: 0, size: empty.bytes.length, checksum: empty.checksum, torn: 0 }
  })

  const found = yield* read
  const present: Recovered = found.size > 0 ? found : yield* create
  // Synced also when it was there: whoever made it, or put it in the place of another, may have died before that.
  const open = Effect.tap(files.openAppend(place, FILE), () => files.syncFolder(place, ""))
  const file = yield* ScopedRef.fromAcquire(open).pipe(Effect.mapError(failed("open")))
  const cutTo = (size: number) =>
    Effect.flatMap(ScopedRef.get(file), (handle) => Effect.andThen(handle.truncate(size), handle.sync))

  if (found.torn > 0) {
    yield* Effect.logWarning("the journal's last line was not written to its end and is cut").pipe(
      Effect.annotateLogs({ path, cutBytes: found.torn, keptBytes: found.size })
    )
    yield* cutTo(present.size).pipe(Effect.mapError(failed("open")))
  }

  /** Where the next line goes; only what is durable moves it. */
  let end = { size: present.size, checksum: present.checksum }
  let length = present.length
  /** Set when we cannot say any more what is in the file. Nothing is written after that. */
  let lost: JournalError | null = null
  const lock = yield* Semaphore.make(1)

  const giveUp = Effect.fnUntraced(function* ({ detail, hint, operation }: JournalError) {
    const wayOn = hint === null ? "restart symphony" : `${hint}, then restart symphony`
    lost = new JournalError({ operation, reason: "lost", path, detail, hint: wayOn })
    yield* Effect.logError("the journal can no longer be written", lost).pipe(Effect.annotateLogs({ path }))
    return yield* lost
  })

  /** One at a time, and not given up half way: the disk would go on without us. */
  const exclusive = <A>(self: Effect.Effect<A, JournalError>): Effect.Effect<A, JournalError> =>
    lock.withPermit(Effect.uninterruptible(Effect.suspend(() => (lost === null ? self : Effect.fail(lost)))))

  const appendLine = Effect.fnUntraced(function* (entries: ReadonlyArray<JournalEntry>) {
    const line = writeGroup(entries, end.checksum)
    const handle = yield* ScopedRef.get(file)
    yield* Effect.andThen(handle.append(line.bytes), handle.sync).pipe(
      Effect.mapError(failed("append")),
      // A part of the line may be in the file, and must not stand before the next one.
      Effect.tapError((error) => Effect.catch(cutTo(end.size), () => giveUp(error)))
    )
    end = { size: end.size + line.bytes.length, checksum: line.checksum }
    length += entries.length
  })

  const replaceBy = Effect.fnUntraced(function* (entry: JournalEntry) {
    const whole = writeFile(trackerRoot, { entry })
    yield* files.writeAtomic(place, FILE, whole.bytes, { mode: MODE }).pipe(
      Effect.mapError(failed("compact")),
      // The old file, untouched, serves on. The new one may not be durable under its name: appends to it could be lost.
      Effect.tapError((error) =>
        read.pipe(
          Effect.map((now) => now.checksum === end.checksum && now.size === end.size),
          Effect.orElseSucceed(() => false),
          Effect.flatMap((untouched) => (untouched ? Effect.void : giveUp(error)))
        )
      ),
      Effect.andThen(
        ScopedRef.set(file, open).pipe(Effect.mapError(failed("compact")), Effect.tapError(giveUp))
      )
    )
    end = { size: whole.bytes.length, checksum: whole.checksum }
    length = 0
  })

  return Journal.of({
    replay: exclusive(Effect.map(read, (now) => now.entries)).pipe(Effect.withSpan("Journal.replay")),
    append: Effect.fn("Journal.append")((entries) =>
      entries.length === 0 ? Effect.void : exclusive(appendLine(entries))
    ),
    compact: Effect.fn("Journal.compact")((entry) => exclusive(replaceBy(entry))),
    length: Effect.sync(() => length)
  })
})

const hintFor = (error: FileError): string | null => {
  if (error.reason === "full") return "free some space on the disk"
  if (error.reason === "denied") return "symphony must be able to write to state.root"
  return null
}

const wayOut = (reason: Unreadable["reason"], path: string): string => {
  const aside = `mv ${path} ${path}.aside`
  switch (reason) {
    case "corrupt":
      return (
        `restore the file from a backup, or set it aside (${aside}) and start again: issues, workspaces and ` +
        "patches stay as they are; attempts, retry times, totals, open questions and unfinished handoffs are forgotten"
      )
    case "foreign":
      return (
        "give each tracker a state.root of its own; if this tracker was moved or renamed, set the file " +
        `aside (${aside}): attempts, totals, open questions and unfinished handoffs are forgotten`
      )
    case "version":
      return `use that newer symphony, or set the file aside (${aside}) and lose attempts, totals and open questions`
  }
}

import { Clock, Effect, Latch, Layer, Semaphore } from "effect"
import { type Identifier, RunId } from "../domain/ids.ts"
import { workspaceKey } from "../domain/workspaceKey.ts"
import { type FileError, SafeFiles } from "../files/SafeFiles.ts"
import {
  dropOldest,
  encodeEntry,
  MAX_RUN_BYTES,
  nextSeq,
  notice,
  oldestFirst,
  type Page,
  readPage,
  wholeLength
} from "./transcriptLines.ts"
import { type TranscriptEvent, Transcripts } from "./Transcripts.ts"

/** Held back at most; what comes then waits for the disk. */
const MAX_PENDING_BYTES = 1024 * 1024
const FLUSH_AFTER = "250 millis"
/** Runs whose file's end is remembered between two writes. */
const MAX_REMEMBERED = 256

interface Pending {
  readonly at: number
  readonly turn: number
  readonly event: TranscriptEvent
}

/** What is known of one run's file. */
interface RunFile {
  readonly path: string
  pending: Array<Pending>
  /** Its end; `null` until we have looked, and again when a write failed. */
  end: { readonly seq: number; readonly size: number } | null
  /** Events that no disk has taken, not yet confessed in the transcript. */
  lost: number
}

/** About how many bytes an event takes. */
const weigh = (event: TranscriptEvent): number =>
  Object.values(event).reduce<number>(
    (sum, value) => sum + (typeof value === "string" ? value.length : 8),
    64
  )

const FILE_NAME = /^(r\d+-\d+)\.jsonl$/
const runOf = (name: string): RunId | null => {
  const run = FILE_NAME.exec(name)?.[1]
  return run === undefined ? null : RunId.make(run)
}

const folderOf = (identifier: Identifier): string => `transcripts/${workspaceKey(identifier)}`

/** `<stateRoot>/transcripts/<workspace key>/<run>.jsonl`; `stateRoot` is absolute and exists. */
export const layer = (options: { readonly stateRoot: string }): Layer.Layer<Transcripts, never, SafeFiles> =>
  Layer.effect(Transcripts, make({ root: options.stateRoot }))

const make = Effect.fnUntraced(function* (place: { readonly root: string }) {
  const files = yield* SafeFiles
  const known = new Map<RunId, RunFile>()
  const lock = yield* Semaphore.make(1)
  const waiting = yield* Latch.make(false)
  let pendingBytes = 0
  /** What is failing now, so that each trouble is told once. */
  const troubles = new Set<"written" | "read">()

  const complain = (what: "written" | "read", error: FileError) =>
    Effect.suspend(() => {
      if (troubles.has(what)) return Effect.void
      troubles.add(what)
      return Effect.logWarning(`transcripts cannot be ${what}; told once until they can`, error)
    })

  const load = Effect.fnUntraced(function* (path: string) {
    return (yield* files.stat(place, path)) === null
      ? new Uint8Array()
      : yield* files.read(place, path, 2 * MAX_RUN_BYTES)
  })

  const cutTorn = Effect.fnUntraced(function* (path: string, size: number) {
    const file = yield* files.openAppend(place, path)
    yield* file.truncate(size)
  }, Effect.scoped)

  const findEnd = Effect.fnUntraced(function* (path: string) {
    const bytes = yield* load(path)
    const size = wholeLength(bytes)
    if (size < bytes.length) yield* cutTorn(path, size)
    return { seq: nextSeq(bytes), size }
  })

  const write = Effect.fnUntraced(function* (file: RunFile, batch: ReadonlyArray<Pending>) {
    const end = file.end ?? (yield* findEnd(file.path))
    const at = yield* Clock.currentTimeMillis
    const confession = { at, turn: 0, event: notice(`${file.lost} events could not be written and are lost`) }
    const all = file.lost === 0 ? batch : [confession, ...batch]
    const text = all.map((entry, index) => `${encodeEntry({ seq: end.seq + index, ...entry })}\n`).join("")
    const bytes = new TextEncoder().encode(text)
    let size = end.size + bytes.length
    if (size > MAX_RUN_BYTES) {
      const shorter = dropOldest(Buffer.concat([yield* load(file.path), bytes]), at)
      yield* files.writeAtomic(place, file.path, shorter, { mode: 0o600 })
      size = shorter.length
    } else {
      const opened = yield* files.openAppend(place, file.path)
      yield* opened.append(bytes)
    }
    file.end = { seq: end.seq + all.length, size }
    file.lost = 0
  }, Effect.scoped)

  /** Forgets runs that have not been written to for the longest time. */
  const forget = () => {
    for (const [run, file] of known) {
      if (known.size <= MAX_REMEMBERED) return
      if (file.pending.length === 0) known.delete(run)
    }
  }

  const flushFile = Effect.fnUntraced(function* (file: RunFile) {
    const batch = file.pending
    file.pending = []
    yield* write(file, batch).pipe(
      Effect.tap(() => Effect.sync(() => troubles.delete("written"))),
      Effect.catchTag("FileError", (error) => {
        file.end = null
        file.lost += batch.length
        return complain("written", error)
      })
    )
  })

  const flush = lock.withPermit(
    Effect.uninterruptible(
      Effect.gen(function* () {
        yield* waiting.close
        pendingBytes = 0
        yield* Effect.forEach(
          [...known.values()].filter((file) => file.pending.length > 0),
          flushFile,
          { discard: true }
        )
        forget()
      })
    )
  )

  yield* Effect.addFinalizer(() => flush)
  yield* waiting.await.pipe(
    Effect.andThen(Effect.sleep(FLUSH_AFTER)),
    Effect.andThen(flush),
    Effect.catchDefect((defect) => Effect.logError("a transcript could not be written", defect)),
    Effect.forever,
    Effect.forkScoped
  )

  const fileOf = (identifier: Identifier, run: RunId): RunFile => {
    const path = `${folderOf(identifier)}/${run}.jsonl`
    const file = known.get(run) ?? { path, pending: [], end: null, lost: 0 }
    known.delete(run)
    known.set(run, file)
    return file
  }

  const nothing: Page = { entries: [], total: 0 }

  return Transcripts.of({
    append: Effect.fnUntraced(function* (identifier, run, turn, event) {
      const at = yield* Clock.currentTimeMillis
      fileOf(identifier, run).pending.push({ at, turn, event })
      pendingBytes += weigh(event)
      if (pendingBytes > MAX_PENDING_BYTES) yield* flush
      else yield* waiting.open
    }),
    page: Effect.fn("Transcripts.page")(function* (identifier, run, options) {
      yield* flush
      return yield* load(`${folderOf(identifier)}/${run}.jsonl`).pipe(
        Effect.map((bytes) => readPage(bytes, options)),
        Effect.tap(() => Effect.sync(() => troubles.delete("read"))),
        Effect.catchTag("FileError", (error) => Effect.as(complain("read", error), nothing))
      )
    }),
    runs: Effect.fn("Transcripts.runs")(function* (identifier) {
      yield* flush
      const found = yield* files
        .list(place, folderOf(identifier))
        .pipe(
          Effect.catchTag("FileError", (error) =>
            error.reason === "missing" ? Effect.succeed([]) : Effect.as(complain("read", error), [])
          )
        )
      return oldestFirst(found.flatMap(({ name }) => runOf(name) ?? []))
    }),
    forget: Effect.fn("Transcripts.forget")(function* (identifier) {
      const folder = folderOf(identifier)
      yield* lock.withPermit(
        Effect.suspend(() => {
          for (const [run, { path }] of known) if (path.startsWith(`${folder}/`)) known.delete(run)
          return files.removeTree(place, folder)
        }).pipe(
          Effect.catchTag("FileError", (error) => Effect.logWarning("a transcript cannot be removed", error))
        )
      )
    }),
    flush
  })
})

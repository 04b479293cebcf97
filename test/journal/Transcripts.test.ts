import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, type PlatformError } from "effect"
import { TestClock } from "effect/testing"
import { Identifier, RunId } from "../../src/domain/ids.ts"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"
import * as FileTranscripts from "../../src/journal/FileTranscripts.ts"
import * as MemoryTranscripts from "../../src/journal/MemoryTranscripts.ts"
import { MAX_RUN_BYTES } from "../../src/journal/transcriptLines.ts"
import { type TranscriptEvent, Transcripts } from "../../src/journal/Transcripts.ts"

const A = Identifier.make("ABC-1")
const B = Identifier.make("a/b")
const RUN = RunId.make("r1-1")
const message = (text: string): TranscriptEvent => ({ _tag: "Message", text })

const layers: ReadonlyArray<
  readonly [string, Layer.Layer<Transcripts, PlatformError.PlatformError, FileSystem.FileSystem>]
> = [
  [
    "FileTranscripts",
    Layer.unwrap(
      Effect.map(
        Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()),
        (stateRoot) => FileTranscripts.layer({ stateRoot }).pipe(Layer.provide(NodeSafeFiles.layer))
      )
    )
  ],
  ["MemoryTranscripts", MemoryTranscripts.layer]
]

describe.each(layers)("Transcripts contract: %s", (_, layer) => {
  const test = <E>(name: string, use: (transcripts: Transcripts["Service"]) => Effect.Effect<void, E>) =>
    it.effect(name, () =>
      Effect.flatMap(Transcripts, use).pipe(Effect.provide(layer), Effect.provide(NodeFileSystem.layer))
    )
  const all = { before: null, limit: 1000 }

  test("a run that said nothing has an empty transcript", (transcripts) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* transcripts.page(A, RUN, all), { entries: [], total: 0 })
      assert.deepStrictEqual(yield* transcripts.runs(A), [])
    }))

  test("what was recorded is read at once, numbered from 0, with the time and the turn", (transcripts) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1000)
      yield* transcripts.append(A, RUN, 1, { _tag: "Prompt", text: "do it\n\u2028\u0000 \ud83d\ude00" })
      yield* TestClock.setTime(2000)
      yield* transcripts.append(A, RUN, 2, message("done"))
      assert.deepStrictEqual(yield* transcripts.page(A, RUN, all), {
        entries: [
          { seq: 0, at: 1000, turn: 1, event: { _tag: "Prompt", text: "do it\n\u2028\u0000 \ud83d\ude00" } },
          { seq: 1, at: 2000, turn: 2, event: message("done") }
        ],
        total: 2
      })
    }))

  test("what was recorded of an issue can be forgotten, and nothing else goes with it", (transcripts) =>
    Effect.gen(function* () {
      yield* transcripts.append(A, RUN, 1, message("of A"))
      yield* transcripts.append(B, RunId.make("r1-2"), 1, message("of B"))
      yield* transcripts.flush
      yield* transcripts.append(A, RUN, 1, message("not written yet"))
      yield* transcripts.forget(A)
      assert.deepStrictEqual(yield* transcripts.runs(A), [])
      assert.strictEqual((yield* transcripts.page(A, RUN, all)).total, 0)
      assert.strictEqual((yield* transcripts.page(B, RunId.make("r1-2"), all)).total, 1)
      yield* transcripts.append(A, RUN, 1, message("again"))
      const { entries } = yield* transcripts.page(A, RUN, all)
      assert.deepStrictEqual(
        entries.map(({ event, seq }) => [seq, "text" in event && event.text]),
        [[0, "again"]]
      )
    }))

  test("pages go back from the end", (transcripts) =>
    Effect.gen(function* () {
      const numbers = Array.from({ length: 10 }, (_, n) => n)
      yield* Effect.forEach(numbers, (n) => transcripts.append(A, RUN, 1, message(String(n))))
      const page = (before: number | null, limit: number) =>
        Effect.map(transcripts.page(A, RUN, { before, limit }), ({ entries }) =>
          entries.map(({ seq }) => seq)
        )
      assert.deepStrictEqual(yield* page(null, 3), [7, 8, 9])
      assert.deepStrictEqual(yield* page(7, 4), [3, 4, 5, 6])
      assert.deepStrictEqual(yield* page(3, 100), [0, 1, 2])
      assert.deepStrictEqual(yield* page(0, 5), [])
      assert.deepStrictEqual(yield* page(99, 2), [8, 9])
      assert.deepStrictEqual(yield* page(null, 0), [])
    }))

  test("runs are told apart and listed oldest first", (transcripts) =>
    Effect.gen(function* () {
      const runs = ["r1-10", "r2-1", "r1-9", "r10-1"].map((run) => RunId.make(run))
      yield* Effect.forEach(runs, (run) => transcripts.append(A, run, 1, message(run)))
      yield* transcripts.append(B, RunId.make("r1-2"), 1, message("other issue"))
      assert.deepStrictEqual((yield* transcripts.runs(A)).map(String), ["r1-9", "r1-10", "r2-1", "r10-1"])
      assert.deepStrictEqual((yield* transcripts.runs(B)).map(String), ["r1-2"])
      const { entries } = yield* transcripts.page(A, RunId.make("r2-1"), all)
      assert.deepStrictEqual(
        entries.map(({ event }) => event),
        [message("r2-1")]
      )
    }))

  test("a transcript is bounded: the oldest go, the newest stay, and it says so", (transcripts) =>
    Effect.gen(function* () {
      const text = "x".repeat(MAX_RUN_BYTES / 16)
      const numbers = Array.from({ length: 40 }, (_, n) => n)
      yield* Effect.forEach(numbers, (n) => transcripts.append(A, RUN, 1, message(`${n} ${text}`)))
      const { entries, total } = yield* transcripts.page(A, RUN, all)
      assert.strictEqual(total, 40)
      assert.isBelow(entries.length, 17)
      const [first, ...kept] = entries
      assert.strictEqual(first?.event._tag, "Notice")
      assert.deepStrictEqual(
        kept.map(({ event }) => (event._tag === "Message" ? event.text.split(" ")[0] : event._tag)),
        numbers.slice(40 - kept.length).map(String)
      )
      assert.deepStrictEqual(
        entries.map(({ seq }) => seq),
        numbers.slice(40 - entries.length)
      )
    }))

  test("an event too large for any transcript does not break it", (transcripts) =>
    Effect.gen(function* () {
      yield* transcripts.append(A, RUN, 1, message("x".repeat(MAX_RUN_BYTES + 1)))
      yield* transcripts.append(A, RUN, 1, message("next"))
      const { entries, total } = yield* transcripts.page(A, RUN, all)
      assert.strictEqual(total, 2)
      assert.deepStrictEqual(entries.at(-1)?.event, message("next"))
      assert.strictEqual(entries[0]?.event._tag, "Notice")
    }))
})

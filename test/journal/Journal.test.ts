import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Ref } from "effect"
import * as FileJournal from "../../src/journal/FileJournal.ts"
import { Journal, type JournalEntry, type JournalError } from "../../src/journal/Journal.ts"
import * as MemoryJournal from "../../src/journal/MemoryJournal.ts"
import { makeStubFiles } from "./stubFiles.ts"

/** One world a test: each `incarnation` is a process that opens the journal the last one left. */
interface World {
  readonly incarnation: Layer.Layer<Journal, JournalError>
  readonly breakDisk: Effect.Effect<void>
  readonly mendDisk: Effect.Effect<void>
}

const worlds: ReadonlyArray<readonly [string, () => World]> = [
  [
    "FileJournal",
    () => {
      const { disk, layer } = makeStubFiles()
      return {
        incarnation: FileJournal.layer({ stateRoot: "/state", trackerRoot: "/tracker" }).pipe(
          Layer.provide(layer)
        ),
        breakDisk: Effect.sync(() => {
          disk.failing.add("append").add("write")
          disk.tornBytes = 7
        }),
        mendDisk: Effect.sync(() => disk.failing.clear())
      }
    }
  ],
  [
    "MemoryJournal",
    () => {
      const world = MemoryJournal.makeWorld()
      return {
        incarnation: MemoryJournal.layer(world),
        breakDisk: Ref.set(world.failure, "the disk says no"),
        mendDisk: Ref.set(world.failure, null)
      }
    }
  ]
]

describe.each(worlds)("Journal contract: %s", (_, makeWorld) => {
  const replayed = (world: World) =>
    Effect.flatMap(Journal, (journal) => Effect.all([journal.replay, journal.length])).pipe(
      Effect.provide(world.incarnation, { local: true })
    )

  it.effect("a new journal is empty", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* replayed(makeWorld()), [[], 0])
    })
  )

  it.effect("what was appended is replayed in order, by this process and by the next", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      const entries: ReadonlyArray<JournalEntry> = [{ a: [1, null, "x\ny"] }, "…", 3, false, null]
      yield* Effect.gen(function* () {
        const journal = yield* Journal
        yield* journal.append(entries.slice(0, 2))
        yield* journal.append([])
        yield* journal.append(entries.slice(2))
        assert.deepStrictEqual(yield* journal.replay, entries)
      }).pipe(Effect.provide(world.incarnation, { local: true }))
      assert.deepStrictEqual(yield* replayed(world), [entries, 5])
    })
  )

  it.effect("concurrent appends are all there, each of them in one piece", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      yield* Effect.gen(function* () {
        const journal = yield* Journal
        const groups = Array.from({ length: 20 }, (_, n) => [n, n, n])
        yield* Effect.forEach(groups, journal.append, { concurrency: "unbounded", discard: true })
        yield* Effect.forEach([100, 101], (n) => journal.append([n]), { discard: true })
      }).pipe(Effect.provide(world.incarnation, { local: true }))
      const [entries] = yield* replayed(world)
      const firsts = entries.filter((_, index) => index < 60 && index % 3 === 0)
      assert.deepStrictEqual(
        entries,
        [...firsts.flatMap((n) => [n, n, n]), 100, 101],
        "groups are not interleaved"
      )
      assert.strictEqual(new Set(firsts).size, 20)
    })
  )

  it.effect("a compaction stands for everything before it", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      yield* Effect.gen(function* () {
        const journal = yield* Journal
        yield* journal.append([1, 2, 3])
        assert.strictEqual(yield* journal.length, 3)
        yield* journal.compact({ sum: 6 })
        assert.strictEqual(yield* journal.length, 0)
        yield* journal.append([4])
      }).pipe(Effect.provide(world.incarnation, { local: true }))
      assert.deepStrictEqual(yield* replayed(world), [[{ sum: 6 }, 4], 1])
    })
  )

  it.effect("what a failed append or compaction wrote is not found, and the journal goes on", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      yield* Effect.gen(function* () {
        const journal = yield* Journal
        yield* journal.append(["before"])
        yield* world.breakDisk
        const failure = yield* Effect.flip(journal.append(["lost", "lost"]))
        assert.deepInclude(failure, { operation: "append", reason: "io" })
        assert.deepInclude(yield* Effect.flip(journal.compact("lost")), {
          operation: "compact",
          reason: "io"
        })
        assert.strictEqual(yield* journal.length, 1)
        yield* world.mendDisk
        yield* journal.append(["after"])
      }).pipe(Effect.provide(world.incarnation, { local: true }))
      assert.deepStrictEqual(yield* replayed(world), [["before", "after"], 2])
    })
  )
})

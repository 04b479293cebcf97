import { crc32 } from "node:zlib"
import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Layer, Logger, Result, Schema } from "effect"
import * as fc from "fast-check"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"
import * as FileJournal from "../../src/journal/FileJournal.ts"
import { readFile, writeFile, writeGroup } from "../../src/journal/format.ts"
import { Journal, type JournalEntry } from "../../src/journal/Journal.ts"
import { makeStubFiles } from "./stubFiles.ts"

const TRACKER = "/home/me/tracker"
const FILE = "journal.jsonl"

const fileOf = (groups: ReadonlyArray<ReadonlyArray<JournalEntry>>, tracker = TRACKER): Buffer => {
  let { bytes, checksum } = writeFile(tracker)
  for (const group of groups) {
    const line = writeGroup(group, checksum)
    bytes = Buffer.concat([bytes, line.bytes])
    checksum = line.checksum
  }
  return Buffer.from(bytes)
}

const asJson = Schema.decodeUnknownSync(Schema.Json)
const journals = fc.array(
  fc.array(
    fc.jsonValue({ maxDepth: 2 }).map((value) => asJson(value)),
    { minLength: 1, maxLength: 3 }
  ),
  {
    maxLength: 6
  }
)

const setup = (content?: Uint8Array | string) => {
  const { disk, layer } = makeStubFiles()
  if (content !== undefined) disk.files.set(FILE, Buffer.from(content))
  const journal = FileJournal.layer({ stateRoot: "/state", trackerRoot: TRACKER }).pipe(Layer.provide(layer))
  /** Runs as one process that opens the journal and ends. */
  const process = <A, E>(use: (journal: Journal["Service"]) => Effect.Effect<A, E>) =>
    Effect.flatMap(Journal, use).pipe(Effect.provide(journal, { local: true }))
  return { disk, process, replay: process((journal) => journal.replay) }
}

describe("a journal file that was cut or changed", () => {
  it("cut at any byte, it is a prefix of what was appended, in whole appends", () => {
    fc.assert(
      fc.property(journals, (groups) => {
        const whole = fileOf(groups)
        const prefixes = groups.map((_, n) => JSON.stringify(groups.slice(0, n).flat()))
        prefixes.push(JSON.stringify(groups.flat()))
        for (let size = 0; size <= whole.length; size++) {
          const { entries, size: kept, torn } = Result.getOrThrow(readFile(whole.subarray(0, size), TRACKER))
          if (!prefixes.includes(JSON.stringify(entries)) || kept + torn !== size) return false
        }
        return true
      }),
      { numRuns: 30 }
    )
  })

  it("any changed byte before the last line is noticed, and in the last line it costs that line only", () => {
    fc.assert(
      fc.property(journals, fc.integer({ min: 1, max: 255 }), (groups, flip) => {
        const whole = fileOf(groups)
        const lastLine = whole.lastIndexOf("\n", whole.length - 2) + 1
        for (let at = 0; at < whole.length; at++) {
          const changed = Buffer.from(whole)
          changed[at] = (changed[at] ?? 0) ^ flip
          const result = readFile(changed, TRACKER)
          if (Result.isFailure(result)) continue
          if (at < lastLine || groups.length === 0) return false
          if (JSON.stringify(result.success.entries) !== JSON.stringify(groups.slice(0, -1).flat()))
            return false
        }
        return true
      }),
      { numRuns: 30 }
    )
  })

  it("a line that is missing, doubled or in another place is noticed", () => {
    const lines = fileOf([[1], [2], [3], [4]])
      .toString()
      .split("\n")
    const [header, one, two, three, four] = lines
    const broken = [
      [header, two, three, four],
      [header, one, one, two, three],
      [header, two, one, three, four],
      [one, two, three, four]
    ]
    for (const lines of broken) {
      assert.isTrue(Result.isFailure(readFile(Buffer.from(`${lines.join("\n")}\n`), TRACKER)))
    }
  })

  it.effect("the torn end is cut and logged before anything is appended", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const whole = fileOf([[1], [2]])
      const { disk, process, replay } = setup(Buffer.concat([whole, Buffer.from('0badc0de [3,"to')]))
      yield* process((journal) => journal.append([4])).pipe(
        Effect.provide(Logger.layer([Logger.make(({ message }) => logged.push(message))]))
      )
      assert.include(String(logged), "is cut")
      assert.deepStrictEqual(disk.files.get(FILE), fileOf([[1], [2], [4]]))
      assert.deepStrictEqual(yield* replay, [1, 2, 4])
    })
  )

  it.effect("damage in the middle is refused, with the line and a way out, and nothing is touched", () =>
    Effect.gen(function* () {
      const damaged = fileOf([["one"], ["two"]])
        .toString()
        .replace("one", "ONE")
      const { disk, replay } = setup(damaged)
      const error = yield* Effect.flip(replay)
      assert.strictEqual(error.reason, "corrupt")
      assert.match(error.message, /^journal \/state\/journal\.jsonl: line 2 \(byte \d+\)/)
      assert.include(error.message, "mv /state/journal.jsonl /state/journal.jsonl.aside")
      assert.include(error.message, "are forgotten")
      assert.strictEqual(disk.files.get(FILE)?.toString(), damaged)
    })
  )

  it.effect("another tracker's journal is refused, naming both", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(setup(fileOf([[1]], "/home/you/tracker")).replay)
      assert.strictEqual(error.reason, "foreign")
      assert.include(error.message, "/home/you/tracker")
      assert.include(error.message, TRACKER)
    })
  )

  it.effect("a journal of a newer symphony is refused", () =>
    Effect.gen(function* () {
      const json = JSON.stringify({ schema: 2, tracker: TRACKER, more: true })
      const line = `${crc32(json).toString(16).padStart(8, "0")} ${json}\n`
      const error = yield* Effect.flip(setup(line).replay)
      assert.strictEqual(error.reason, "version")
    })
  )

  it.effect("a file that never was a journal is refused, not overwritten", () =>
    Effect.gen(function* () {
      const { disk, replay } = setup("my shopping list")
      assert.strictEqual((yield* Effect.flip(replay)).reason, "corrupt")
      assert.strictEqual(disk.files.get(FILE)?.toString(), "my shopping list")
    })
  )

  it.effect("an unreadable file is an io error, not an empty journal", () =>
    Effect.gen(function* () {
      const { disk, replay } = setup(fileOf([[1]]))
      disk.failing.add("read")
      assert.strictEqual((yield* Effect.flip(replay)).reason, "io")
    })
  )
})

describe("a disk that fails", () => {
  it.effect("one append is one write and one fsync, however many entries", () =>
    Effect.gen(function* () {
      const { disk, process } = setup(fileOf([]))
      yield* process((journal) => journal.append([1, 2, 3, 4]))
      assert.deepInclude(disk, { writes: 1, syncs: 1 })
    })
  )

  it.effect("half a line left by a failed write does not stand before the next append", () =>
    Effect.gen(function* () {
      const { disk, process } = setup()
      yield* process((journal) =>
        Effect.gen(function* () {
          yield* journal.append([1])
          disk.failing.add("append")
          disk.tornBytes = 9
          yield* Effect.flip(journal.append([2]))
          disk.failing.clear()
          yield* journal.append([3])
        })
      )
      assert.deepStrictEqual(disk.files.get(FILE), fileOf([[1], [3]]))
    })
  )

  it.effect("when the half line cannot be removed either, nothing is ever appended after it", () =>
    Effect.gen(function* () {
      const { disk, process, replay } = setup()
      yield* process((journal) =>
        Effect.gen(function* () {
          yield* journal.append([1])
          disk.failing.add("append").add("truncate")
          disk.tornBytes = 9
          const first = yield* Effect.flip(journal.append([2]))
          assert.deepInclude(first, { reason: "lost", hint: "restart symphony" })
          disk.failing.clear()
          assert.deepStrictEqual(yield* Effect.flip(journal.append([3])), first)
        })
      )
      assert.deepStrictEqual(yield* replay, [1], "the next process cuts it")
    })
  )

  it.effect("a failed fsync is a failed append, and its line is taken back", () =>
    Effect.gen(function* () {
      const { disk, process, replay } = setup()
      yield* process((journal) =>
        Effect.gen(function* () {
          disk.failing.add("sync")
          yield* Effect.flip(journal.append([1]))
        })
      )
      disk.failing.clear()
      assert.deepStrictEqual(yield* replay, [])
    })
  )

  it.effect(
    "a compaction that left the old file alone changes nothing; one that is in doubt ends writing",
    () =>
      Effect.gen(function* () {
        const { disk, process, replay } = setup()
        yield* process((journal) =>
          Effect.gen(function* () {
            yield* journal.append([1])
            disk.failing.add("write")
            yield* Effect.flip(journal.compact("all"))
            yield* journal.append([2])
            assert.deepStrictEqual(yield* journal.replay, [1, 2])
            disk.replacesBeforeFailing = true
            yield* Effect.flip(journal.compact("all"))
            yield* Effect.flip(journal.append([3]))
          })
        )
        disk.failing.clear()
        assert.deepStrictEqual(yield* replay, ["all"])
      })
  )

  it.effect("an append that is interrupted is still in one piece", () =>
    Effect.gen(function* () {
      const { disk, process } = setup(fileOf([]))
      yield* process((journal) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(journal.append([1]), { startImmediately: true })
          yield* Fiber.interrupt(fiber)
          yield* journal.append([2])
        })
      )
      assert.deepStrictEqual(disk.files.get(FILE), fileOf([[1], [2]]))
    })
  )
})

describe("a real disk", () => {
  it.live("appends, compacts and is opened again", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const stateRoot = yield* fs.makeTempDirectoryScoped()
      const journal = FileJournal.layer({ stateRoot, trackerRoot: TRACKER }).pipe(
        Layer.provide(NodeSafeFiles.layer)
      )
      const process = <A, E>(use: (journal: Journal["Service"]) => Effect.Effect<A, E>) =>
        Effect.flatMap(Journal, use).pipe(Effect.provide(journal, { local: true }))

      yield* process((journal) =>
        Effect.gen(function* () {
          yield* journal.append([1, 2])
          yield* journal.compact({ sum: 3 })
          yield* journal.append([4])
        })
      )
      yield* process((journal) => journal.append([5]))
      yield* fs.writeFileString(`${stateRoot}/${FILE}`, "deadbeef [6", { flag: "a" })
      assert.deepStrictEqual(yield* process((journal) => journal.replay), [{ sum: 3 }, 4, 5])
      assert.deepStrictEqual(yield* fs.readDirectory(stateRoot), [FILE])
      assert.strictEqual((yield* fs.stat(`${stateRoot}/${FILE}`)).mode & 0o777, 0o600)
    }).pipe(Effect.provide([NodeFileSystem.layer, Logger.layer([])]))
  )
})

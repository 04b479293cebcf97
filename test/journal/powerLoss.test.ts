import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Logger } from "effect"
import { makeMemoryDisk } from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import * as FileJournal from "../../src/journal/FileJournal.ts"
import { Journal, type JournalEntry } from "../../src/journal/Journal.ts"

type Step = { readonly append: ReadonlyArray<number> } | { readonly compact: string }

const STORY: ReadonlyArray<Step> = [
  { append: [1] },
  { append: [2, 3, 4] },
  { compact: "first" },
  { append: [5, 6] },
  { compact: "second" },
  { append: [7] }
]

const after = (steps: ReadonlyArray<Step>): ReadonlyArray<JournalEntry> =>
  steps.reduce<ReadonlyArray<JournalEntry>>(
    (entries, step) => ("append" in step ? [...entries, ...step.append] : [step.compact]),
    []
  )

const options = { stateRoot: "/state", trackerRoot: "/tracker" }

const opened = <A, E>(
  files: ReturnType<typeof MemorySafeFiles.layer>,
  use: (journal: Journal["Service"]) => Effect.Effect<A, E>
) =>
  Effect.flatMap(Journal, use).pipe(
    Effect.provide(FileJournal.layer(options).pipe(Layer.provide(files)), { local: true })
  )

/** Tells the story until the process stops before the `dies`-th step on the disk; how much of it was acknowledged. */
const tellUntil = Effect.fnUntraced(function* (disk: ReturnType<typeof makeMemoryDisk>, dies: number) {
  const over = yield* Deferred.make<"died" | "told">()
  let steps = 0
  let acknowledged = 0
  const files = MemorySafeFiles.layer(disk, {
    before: () =>
      Effect.suspend(() =>
        steps++ < dies ? Effect.void : Effect.andThen(Deferred.succeed(over, "died"), Effect.never)
      )
  })
  // Detached, because a process that died does not clean up: nobody ever interrupts it.
  yield* opened(files, (journal) =>
    Effect.forEach(STORY, (step) =>
      Effect.tap("append" in step ? journal.append(step.append) : journal.compact(step.compact), () =>
        Effect.sync(() => acknowledged++)
      )
    )
  ).pipe(Effect.andThen(Deferred.succeed(over, "told")), Effect.forkDetach)
  return { end: yield* Deferred.await(over), acknowledged }
})

describe("a journal whose process or machine stops between any two steps on the disk", () => {
  for (const death of ["kill -9", "power loss"] as const) {
    it.effect(`${death}: what was acknowledged is there, and at most the one step under way besides`, () =>
      Effect.gen(function* () {
        for (let dies = 0, end = "died"; end === "died"; dies++) {
          // Each bit of it decides whether one of the changes not yet synced was written all the same.
          for (let luck = 0; luck < (death === "power loss" ? 8 : 1); luck++) {
            const disk = makeMemoryDisk()
            disk.mkdir("/state")
            disk.sync()
            const told = yield* tellUntil(disk, dies)
            end = told.end
            let change = 0
            if (death === "power loss") disk.crash(() => ((luck >> (change++ % 3)) & 1) === 1)
            const found = yield* opened(MemorySafeFiles.layer(disk), (journal) => journal.replay)
            const possible = [STORY.slice(0, told.acknowledged), STORY.slice(0, told.acknowledged + 1)].map(
              after
            )
            assert.deepInclude(possible, found, `stopped before step ${dies}`)
          }
          assert.isBelow(dies, 500)
        }
      }).pipe(Effect.provide(Logger.layer([])))
    )
  }

  it.effect("kill -9, another life, then power loss: what the other life was told is there", () =>
    Effect.gen(function* () {
      for (let dies = 0, end = "died"; end === "died"; dies++) {
        const disk = makeMemoryDisk()
        disk.mkdir("/state")
        disk.sync()
        end = (yield* tellUntil(disk, dies)).end
        yield* opened(MemorySafeFiles.layer(disk), (journal) => journal.append([99]))
        disk.crash()
        const found = yield* opened(MemorySafeFiles.layer(disk), (journal) => journal.replay)
        assert.strictEqual(found.at(-1), 99, `stopped before step ${dies}`)
      }
    }).pipe(Effect.provide(Logger.layer([])))
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer } from "effect"
import { IssueId } from "../../src/domain/ids.ts"
import { makeMemoryDisk } from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import { SafeFiles } from "../../src/files/SafeFiles.ts"
import * as MarkdownTracker from "../../src/tracker/MarkdownTracker.ts"
import { Tracker } from "../../src/tracker/Tracker.ts"
import { workflowAt } from "./benches.ts"
import { moveFile } from "../../src/tracker/moveFile.ts"

const place = { root: "/issues" }

const makeTracker = () => {
  const disk = makeMemoryDisk()
  disk.put("/issues/Todo/A.md", "the issue")
  const inode = disk.stat("/issues/Todo/A.md")?.inode ?? ""
  /** A life of the program that ends before this step of the disk. Tells whether it came to its end. */
  const live = <E>(dyingAt: number, effect: (start: () => void) => Effect.Effect<unknown, E, SafeFiles>) => {
    let steps = Number.NaN
    const before = () => Effect.suspend(() => (steps++ === dyingAt ? Effect.die("killed") : Effect.void))
    return effect(() => (steps = 0)).pipe(
      Effect.provide(MemorySafeFiles.layer(disk, { before })),
      Effect.exit,
      Effect.map(Exit.isSuccess)
    )
  }
  const move = (dyingAt: number) =>
    live(dyingAt, (start) =>
      Effect.flatMap(SafeFiles, (files) => {
        start()
        return moveFile(files, place, { from: "Todo", to: "Done", fileName: "A.md", inode })
      })
    )
  const append = (dyingAt: number) =>
    live(dyingAt, (start) =>
      Effect.gen(function* () {
        const tracker = Context.get(
          yield* Layer.build(Layer.provide(MarkdownTracker.layer, workflowAt("/issues"))),
          Tracker
        )
        start()
        yield* tracker.append(IssueId.make("A"), { key: "k", heading: "Notes", text: "what I found" })
      }).pipe(Effect.scoped)
    )
  const names = () => ["Todo", "Done"].filter((state) => disk.stat(`/issues/${state}/A.md`) !== null)
  return { disk, move, append, names }
}

describe("a move of an issue's file", () => {
  it.effect("deletes nothing that a person saves under the new name meanwhile", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      disk.put("/issues/Todo/A.md", "the issue")
      const inode = disk.stat("/issues/Todo/A.md")?.inode ?? ""
      let linked = false
      const files = MemorySafeFiles.layer(disk, {
        before: ({ action }) =>
          Effect.sync(() => {
            if (action === "link") linked = true
            else if (linked && action === "stat") {
              linked = false
              disk.put("/issues/Done/.saved", "edited")
              disk.rename("/issues/Done/.saved", "/issues/Done/A.md")
            }
          })
      })
      const move = { from: "Todo", to: "Done", fileName: "A.md", inode }
      const moved = yield* SafeFiles.use((all) => moveFile(all, place, move)).pipe(Effect.provide(files))
      assert.strictEqual(moved, "taken")
      const text = (path: string) => Buffer.from(disk.read(path).bytes).toString()
      assert.strictEqual(text("/issues/Done/A.md"), "edited")
      assert.strictEqual(text("/issues/Todo/A.md"), "the issue")
    })
  )

  it.effect("is durable when it is told, wherever an earlier one died", () =>
    Effect.gen(function* () {
      let isOver = false
      for (let step = 0; !isOver; step++) {
        const { disk, move, names } = makeTracker()
        isOver = yield* move(step)
        assert.isTrue(yield* move(Number.POSITIVE_INFINITY))
        disk.crash()
        assert.deepStrictEqual(names(), ["Done"], `died at step ${step}`)
      }
    })
  )

  it.effect("never leaves the issue without a name, wherever the power fails", () =>
    Effect.gen(function* () {
      let isOver = false
      for (let step = 0; !isOver; step++) {
        const { disk, move, names } = makeTracker()
        isOver = yield* move(step)
        disk.crash()
        assert.isNotEmpty(names(), `died at step ${step}`)
      }
    })
  )
})

describe("a note in an issue", () => {
  it.effect("is durable when it is told, wherever an earlier one died", () =>
    Effect.gen(function* () {
      let isOver = false
      for (let step = 0; !isOver; step++) {
        const { append, disk } = makeTracker()
        isOver = yield* append(step)
        assert.isTrue(yield* append(Number.POSITIVE_INFINITY))
        disk.crash()
        const text = Buffer.from(disk.read("/issues/Todo/A.md").bytes).toString()
        assert.include(text, "what I found", `died at step ${step}`)
      }
    })
  )
})

import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Latch, Layer } from "effect"
import * as fc from "fast-check"
import { belongingTo } from "../../src/processes/endProcesses.ts"
import { type ProcessEntry, ProcessTable } from "../../src/processes/ProcessTable.ts"
import { hasProcessTable } from "../support/capabilities.ts"

const entry = (pid: number, parent: number, overrides: Partial<ProcessEntry> = {}): ProcessEntry => ({
  pid,
  parent,
  group: pid,
  startTime: "100",
  marker: null,
  ...overrides
})

describe("what belongs to a run", () => {
  const pids = (entries: ReadonlyArray<ProcessEntry>) =>
    entries.map(({ pid }) => pid).toSorted((a, b) => a - b)

  it("is what carries its marker, the groups it leads, and the descendants of both", () => {
    const table = [
      entry(1, 0),
      entry(10, 1, { group: 10 }),
      entry(11, 10, { group: 10 }),
      entry(12, 11),
      entry(20, 1, { marker: "m" }),
      entry(21, 20),
      entry(30, 1, { marker: "other" }),
      entry(31, 30)
    ]
    assert.deepStrictEqual(
      pids(belongingTo(table, { marker: "m", leaders: [10], since: null })),
      [10, 11, 12, 20, 21]
    )
    assert.deepStrictEqual(pids(belongingTo(table, { marker: null, leaders: [], since: null })), [])
  })

  it("is nothing of a table in which nobody carries the marker, however it is knotted", () => {
    const anyEntry = fc.record({
      pid: fc.integer({ min: 1, max: 30 }),
      parent: fc.integer({ min: 0, max: 30 }),
      group: fc.integer({ min: 1, max: 30 }),
      startTime: fc.constant("1"),
      marker: fc.constantFrom(null, "", "other")
    })
    fc.assert(
      fc.property(fc.array(anyEntry), (table) => {
        assert.deepStrictEqual(belongingTo(table, { marker: "m", leaders: [], since: null }), [])
      })
    )
  })
})

describe.skipIf(!hasProcessTable("the process table"))("the process table", () => {
  const layer = ProcessTable.layer.pipe(Layer.provide(NodeServices.layer))

  it.live("knows us, and when we started", () =>
    Effect.gen(function* () {
      const table = yield* ProcessTable
      const self = yield* table.find(process.pid)
      assert.strictEqual(self?.parent, process.ppid)
      const all = yield* table.list(self?.startTime ?? null)
      assert.isTrue(all?.some(({ pid }) => pid === process.pid))
      assert.isFalse(all?.some(({ pid }) => pid === 1))
      assert.isNotNull(yield* table.bootId)
    }).pipe(Effect.provide(layer))
  )

  it.effect("looks once for all who ask together, and again for who asks while it looks", () =>
    Effect.gen(function* () {
      let looks = 0
      const begun = yield* Latch.make()
      const goOn = yield* Latch.make()
      const slow = FileSystem.layerNoop({
        readDirectory: () =>
          Effect.gen(function* () {
            const look = ++looks
            yield* begun.open
            yield* goOn.await
            return ["self", String(look)]
          }),
        readFileString: (path) =>
          Effect.succeed(
            path.endsWith("/stat") ? `${path.split("/")[2]} (x) S 1 ${"1 ".repeat(17)}100 0` : ""
          )
      })
      const found = yield* Effect.gen(function* () {
        const table = yield* ProcessTable
        const first = yield* Effect.forkChild(table.list(null))
        yield* begun.await
        const interrupted = yield* Effect.forkChild(table.list("50"))
        const later = yield* Effect.forkChild(
          Effect.all([table.list("50"), table.list("200")], { concurrency: "unbounded" })
        )
        yield* Effect.yieldNow
        yield* Fiber.interrupt(interrupted)
        yield* goOn.open
        return [yield* Fiber.join(first), ...(yield* Fiber.join(later))]
      }).pipe(Effect.provide(ProcessTable.layer.pipe(Layer.provide(slow))))
      assert.deepStrictEqual(
        found.map((entries) => entries?.map(({ pid }) => pid)),
        [[1], [2], []]
      )
      assert.strictEqual(looks, 2)
    })
  )

  // Asked with signal 0, which goes the same way, so that this test is harmless when the rule is broken.
  it.live("never reaches for everybody, init or ourselves", () =>
    Effect.gen(function* () {
      const table = yield* ProcessTable
      for (const pid of [0, 1, -1, process.pid, Number.NaN]) assert.isFalse(yield* table.exists(pid))
      assert.isTrue(yield* table.exists(process.ppid))
    }).pipe(Effect.provide(layer))
  )
})

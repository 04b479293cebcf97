import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import * as fc from "fast-check"
import { layer, memoryIn, slotsFor } from "../../src/run/HostMemory.ts"
import { MemoryAdmission } from "../../src/scheduler/MemoryAdmission.ts"
import { testWorkflow } from "../support/workflow.ts"

const MEMINFO = "MemTotal:       24684000 kB\nMemFree:         100000 kB\nMemAvailable:   12342000 kB\n"

const slots = (config: Parameters<typeof testWorkflow>[0], meminfo: string | null, running = 0) =>
  Effect.gen(function* () {
    const admission = yield* MemoryAdmission
    return yield* admission.slots(testWorkflow(config).config, running)
  }).pipe(
    Effect.provide(
      layer.pipe(
        Layer.provide(
          FileSystem.layerNoop(meminfo === null ? {} : { readFileString: () => Effect.succeed(meminfo) })
        )
      )
    )
  )

const agent = { maxConcurrentAgents: 4, maxTurns: 20, memoryAdmission: true }
const asked = { config: { agent, sandbox: { kind: "smolvm" }, smolvm: { memMib: 2048 } } } as const

describe("memory admission", () => {
  it("reads what the kernel says", () => {
    assert.deepStrictEqual(memoryIn(MEMINFO), { available: 12_052, total: 24_105 })
    assert.isNull(memoryIn("MemTotal: lots"))
  })

  it("never promises what the machines could grow beyond, and never less than nothing", () => {
    fc.assert(
      fc.property(
        fc.nat(1_000_000),
        fc.nat(1_000_000),
        fc.integer({ min: 128, max: 65_536 }),
        fc.nat(200),
        (available, total, memMib, running) => {
          const more = slotsFor({ available, total }, memMib, running)
          assert.isAtLeast(more, 0)
          if (more > 0) assert.isAtMost((running + more) * memMib, total)
          if (more > 0) assert.isAtMost(more * memMib, available)
        }
      )
    )
  })

  it.effect("counts where it is asked to and machines have memory of their own", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* slots(asked, MEMINFO), 5)
      assert.strictEqual(yield* slots(asked, MEMINFO, 9), 2)
      assert.isNull(yield* slots({ config: { ...asked.config, sandbox: { kind: "bubblewrap" } } }, MEMINFO))
      assert.isNull(yield* slots({ config: { ...asked.config, agent: { memoryAdmission: false } } }, MEMINFO))
    })
  )

  it.effect("does not know where the system does not say", () =>
    Effect.gen(function* () {
      assert.isNull(yield* slots(asked, null))
      assert.isNull(yield* slots(asked, "nothing"))
    })
  )
})

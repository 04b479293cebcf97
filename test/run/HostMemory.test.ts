import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import * as fc from "fast-check"
import { Identifier, makeRunId } from "../../src/domain/ids.ts"
import { makeMemoryDisk } from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import { SafeFiles } from "../../src/files/SafeFiles.ts"
import { writeVmRecord } from "../../src/sandbox/smolvm/VmRecord.ts"
import { layer, memoryIn, slotsFor } from "../../src/run/HostMemory.ts"
import { MemoryAdmission } from "../../src/scheduler/MemoryAdmission.ts"
import { testWorkflow } from "../support/workflow.ts"

const MEMINFO = "MemTotal:       24684000 kB\nMemFree:         100000 kB\nMemAvailable:   12342000 kB\n"

/** `taken`: what each of the machines that were written down has, in MiB. */
const slots = (
  config: Parameters<typeof testWorkflow>[0],
  meminfo: string | null,
  running = 0,
  taken: ReadonlyArray<number> = []
) =>
  Effect.gen(function* () {
    const admission = yield* MemoryAdmission
    const { config: settings } = testWorkflow(config)
    const files = yield* SafeFiles
    yield* Effect.forEach(taken, (_, index) =>
      writeVmRecord(files, settings.state.root, {
        version: 1,
        name: `machine-${index}`,
        identifier: Identifier.make(`A-${index}`),
        runId: makeRunId(1, index),
        fingerprint: "",
        stopped: false,
        process: { pid: 100 + index, startTime: "1" },
        bootId: null,
        pending: null
      })
    )
    return yield* admission.slots(settings, running)
  }).pipe(
    Effect.provide(
      layer.pipe(
        Layer.provideMerge(MemorySafeFiles.layer(makeMemoryDisk())),
        Layer.provide(
          FileSystem.layerNoop(
            meminfo === null
              ? {}
              : {
                  readFileString: (path) => {
                    const pid = /^\/proc\/(\d+)\/status$/.exec(path)?.[1]
                    if (pid === undefined) return Effect.succeed(meminfo)
                    return Effect.succeed(
                      `Name:\tsmolvm\nVmRSS:\t${(taken[Number(pid) - 100] ?? 0) * 1024} kB\n`
                    )
                  }
                }
          )
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
        fc.array(fc.nat(65_536), { maxLength: 200 }),
        fc.nat(20),
        (available, total, memMib, taken, unknown) => {
          const running = taken.length + unknown
          const more = slotsFor({ available, total }, memMib, running, taken)
          assert.isAtLeast(more, 0)
          if (more === 0) return
          const promised = taken.map((own) => Math.max(0, memMib - own)).reduce((sum, own) => sum + own, 0)
          assert.isAtMost((running + more) * memMib, total)
          assert.isAtMost(promised + (unknown + more) * memMib, available)
        }
      )
    )
  })

  it("admits no more by and by than at once", () => {
    // 24 GiB, of which 12 are free: machines of 2 GiB that have taken nothing yet.
    const host = { available: 12_288, total: 24_576 }
    assert.strictEqual(slotsFor(host, 2048, 0, []), 5)
    assert.strictEqual(slotsFor({ ...host, available: 12_000 }, 2048, 5, [50, 60, 50, 60, 60]), 0)
    assert.strictEqual(slotsFor({ ...host, available: 12_000 }, 2048, 5, []), 0)
    assert.strictEqual(slotsFor({ ...host, available: 9_216 }, 2048, 2, [1024, 2048]), 3)
  })

  it.effect("counts where it is asked to and machines have memory of their own", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* slots(asked, MEMINFO), 5)
      assert.strictEqual(yield* slots(asked, MEMINFO, 3), 2)
      assert.strictEqual(yield* slots(asked, MEMINFO, 3, [2048, 2048, 1024]), 4)
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

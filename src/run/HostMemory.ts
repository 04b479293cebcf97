import { Effect, FileSystem, Layer, Option, Ref } from "effect"
import { MemoryAdmission } from "../scheduler/MemoryAdmission.ts"

/** Left to the host itself and to symphony. MiB. */
const RESERVE = 1024

export interface Memory {
  /** What could be used without swapping. MiB. */
  readonly available: number
  readonly total: number
}

/** `/proc/meminfo`; null when it says neither. */
export const memoryIn = (text: string): Memory | null => {
  const line = (name: string) => {
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]
    return kib === undefined ? null : Math.floor(Number(kib) / 1024)
  }
  const [available, total] = [line("MemAvailable"), line("MemTotal")]
  return available === null || total === null ? null : { available, total }
}

/**
 * How many more machines of `memMib` fit. What is available now bounds it, and so does what the running ones
 * may still grow to: a machine takes its memory only as it needs it.
 */
export const slotsFor = ({ available, total }: Memory, memMib: number, running: number): number =>
  Math.max(
    0,
    Math.min(Math.floor((available - RESERVE) / memMib), Math.floor((total - RESERVE) / memMib) - running)
  )

/** Counts for `agent.memory_admission`, where sandboxes are machines with memory of their own. */
export const layer = Layer.effect(
  MemoryAdmission,
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const warned = yield* Ref.make(false)
    const warnOnce = Effect.flatMap(Ref.getAndSet(warned, true), (before) =>
      before
        ? Effect.void
        : Effect.logWarning(
            "agent.memory_admission has no effect: this system does not say how much memory is left"
          )
    )
    return {
      slots: Effect.fn("MemoryAdmission.slots")(function* (config, running) {
        if (!config.agent.memoryAdmission || config.sandbox.kind !== "smolvm") return null
        const memory = Option.map(yield* Effect.option(fs.readFileString("/proc/meminfo")), memoryIn)
        const known = Option.getOrNull(memory)
        if (known !== null) return slotsFor(known, config.smolvm.memMib, running)
        yield* warnOnce
        return null
      })
    }
  })
)

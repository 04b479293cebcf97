import { Effect, FileSystem, Layer, Option, Ref } from "effect"
import { SafeFiles } from "../files/SafeFiles.ts"
import { readVmRecords } from "../sandbox/smolvm/VmRecord.ts"
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

/** What a process has of it now, from its `/proc/<pid>/status`. MiB; null when it does not say. */
export const residentIn = (status: string): number | null => {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return kib === undefined ? null : Math.floor(Number(kib) / 1024)
}

/**
 * How many more machines of `memMib` fit beside `running` ones. A machine takes its memory only as it needs it:
 * what the running ones were promised and have not taken is spoken for. `taken`: MiB, of those that are known;
 * one that is not may still take all of it.
 */
export const slotsFor = (
  { available, total }: Memory,
  memMib: number,
  running: number,
  taken: ReadonlyArray<number>
): number => {
  const known = taken.slice(0, running)
  const promised = known.reduce(
    (sum, own) => sum + Math.max(0, memMib - own),
    (running - known.length) * memMib
  )
  const left = Math.min(available - promised, total - running * memMib) - RESERVE
  return Math.max(0, Math.floor(left / memMib))
}

/** Counts for `agent.memory_admission`, where sandboxes are machines with memory of their own. */
export const layer = Layer.effect(
  MemoryAdmission,
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const files = yield* SafeFiles
    const warned = yield* Ref.make(false)
    const warnOnce = Effect.flatMap(Ref.getAndSet(warned, true), (before) =>
      before
        ? Effect.void
        : Effect.logWarning(
            "agent.memory_admission has no effect: this system does not say how much memory is left"
          )
    )
    const read = <A>(path: string, parse: (text: string) => A | null) =>
      Effect.map(Effect.option(fs.readFileString(path)), (text) =>
        Option.getOrNull(Option.flatMapNullishOr(text, parse))
      )
    /** What each machine that is known to be running has taken. */
    const takenBelow = Effect.fnUntraced(function* (stateRoot: string) {
      const records = yield* Effect.orElseSucceed(readVmRecords(files, stateRoot), () => [])
      const pids = records.flatMap(({ process, stopped }) =>
        process === null || stopped ? [] : [process.pid]
      )
      const taken = yield* Effect.forEach(pids, (pid) => read(`/proc/${pid}/status`, residentIn))
      return taken.filter((own) => own !== null)
    })
    return {
      slots: Effect.fn("MemoryAdmission.slots")(function* (config, running) {
        if (!config.agent.memoryAdmission || config.sandbox.kind !== "smolvm") return null
        const known = yield* read("/proc/meminfo", memoryIn)
        if (known !== null) {
          return slotsFor(known, config.smolvm.memMib, running, yield* takenBelow(config.state.root))
        }
        yield* warnOnce
        return null
      })
    }
  })
)

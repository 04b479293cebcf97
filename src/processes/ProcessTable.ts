import { Context, Effect, FileSystem, Layer, Result } from "effect"
import { makeSharedLook } from "./sharedLook.ts"

/** What the kernel says about one living process. */
export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly group: number
  /** Clock ticks since boot; with the pid it names a process for as long as the machine is up. */
  readonly startTime: string
  /** Value of `SYMPHONY_RUN_MARKER` in the environment it was started with. */
  readonly marker: string | null
}

/** The environment variable that every process of a run carries, so that it is found after `setsid`. */
export const MARKER_VARIABLE = "SYMPHONY_RUN_MARKER"

/**
 * The processes of this machine: the only place that reads `/proc` and sends signals to processes which are
 * not our children. Zombies are not listed: they are dead.
 */
export class ProcessTable extends Context.Service<
  ProcessTable,
  {
    /** Changes with every boot, null where the system does not say. */
    readonly bootId: Effect.Effect<string | null>
    /** One process; null when it is gone or when `/proc` is not there. */
    readonly find: (pid: number) => Effect.Effect<ProcessEntry | null>
    /**
     * Living processes that started at or after `since` (all without it); null where the system has no
     * `/proc` and nobody can tell.
     */
    readonly list: (since: string | null) => Effect.Effect<ReadonlyArray<ProcessEntry> | null>
    /** Whether anything has this pid (or, negative, this group). */
    readonly exists: (pid: number) => Effect.Effect<boolean>
    /** A negative pid means the group. A process that is gone is no error. */
    readonly signal: (pid: number, signal: "SIGTERM" | "SIGKILL") => Effect.Effect<void>
  }
>()("symphony/processes/ProcessTable") {
  static readonly layer = Layer.effect(
    ProcessTable,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem

      const readText = (path: string) =>
        Effect.map(Effect.result(fs.readFileString(path)), (text) =>
          Result.isSuccess(text) ? text.success : null
        )

      const readStat = (pid: number) =>
        Effect.map(readText(`/proc/${pid}/stat`), (text) => (text === null ? null : parseStat(text)))

      const withMarker = (stat: ProcessStat) =>
        Effect.map(readText(`/proc/${stat.pid}/environ`), (text): ProcessEntry => ({
          ...stat,
          marker: text === null ? null : markerIn(text)
        }))

      const find = Effect.fnUntraced(function* (pid: number) {
        const stat = yield* readStat(pid)
        return stat === null ? null : yield* withMarker(stat)
      })

      const startedSince = (entry: ProcessStat, since: string | null) =>
        since === null || BigInt(entry.startTime) >= BigInt(since)

      const scan = Effect.fnUntraced(function* (since: string | null) {
        const names = yield* Effect.result(fs.readDirectory("/proc"))
        if (Result.isFailure(names) || !names.success.includes("self")) return null
        const pids = names.success.filter((name) => /^\d+$/.test(name)).map(Number)
        const entries = yield* Effect.forEach(
          pids,
          Effect.fnUntraced(function* (pid) {
            const stat = yield* readStat(pid)
            return stat === null || !startedSince(stat, since) ? null : yield* withMarker(stat)
          }),
          { concurrency: 32 }
        )
        return entries.filter((entry) => entry !== null)
      })

      // When ten runs end together, each wants to know the same.
      const shared = yield* makeSharedLook(scan, (left, right) =>
        left === null || right === null ? null : BigInt(left) < BigInt(right) ? left : right
      )
      const list = (since: string | null) =>
        Effect.map(shared(since), (entries) => entries?.filter((entry) => startedSince(entry, since)) ?? null)

      return ProcessTable.of({
        bootId: Effect.map(readText("/proc/sys/kernel/random/boot_id"), (text) => text?.trim() ?? null),
        find,
        list,
        exists: (pid) => Effect.sync(() => send(pid, 0)),
        signal: (pid, signal) => Effect.sync(() => void send(pid, signal))
      })
    })
  )
}

type ProcessStat = Omit<ProcessEntry, "marker">

/** `/proc/<pid>/stat`; the second field is a name in parentheses which may itself hold anything. */
const parseStat = (text: string): ProcessStat | null => {
  const pid = Number.parseInt(text, 10)
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  const [state, parent, group] = fields
  const startTime = fields[19]
  if (state === undefined || startTime === undefined || !/^\d+$/.test(startTime)) return null
  if (state === "Z" || state === "X") return null
  return { pid, parent: Number(parent), group: Number(group), startTime }
}

const markerIn = (environ: string): string | null => {
  const prefix = `${MARKER_VARIABLE}=`
  return (
    environ
      .split("\0")
      .find((entry) => entry.startsWith(prefix))
      ?.slice(prefix.length) ?? null
  )
}

/**
 * Whether there was something to signal. `EPERM` means that there is, and that it is not ours. Never init,
 * never ourselves, and never 0 or -1, which the kernel takes for "my group" and "everybody".
 */
const send = (pid: number, signal: "SIGTERM" | "SIGKILL" | 0): boolean => {
  if (!Number.isSafeInteger(pid) || Math.abs(pid) <= 1 || pid === process.pid) return false
  try {
    return process.kill(pid, signal)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

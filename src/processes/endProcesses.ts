import { Duration, Effect, Option, Schedule } from "effect"
import type { ProcessEntry, ProcessTable } from "./ProcessTable.ts"

/** What is to end: everything with the marker, the groups of the leaders, and the descendants of both. */
export interface Belonging {
  /** Null when others of the run go on. */
  readonly marker: string | null
  /** Pids that lead a group of ours, while they are known to be ours. */
  readonly leaders: ReadonlyArray<number>
  /** Nothing that started before this can belong to the run; null when that is not known. */
  readonly since: string | null
}

const PAUSE = Schedule.spaced("20 millis")
/** What outlives SIGKILL for so long is stuck in the kernel. */
const SWEEP_LIMIT = Duration.seconds(3)

/** The processes of `table` that belong to the run, descendants included. */
export const belongingTo = (
  table: ReadonlyArray<ProcessEntry>,
  belonging: Belonging
): ReadonlyArray<ProcessEntry> => {
  const leaders = new Set(belonging.leaders)
  const found = new Map<number, ProcessEntry>()
  const children = new Map<number, Array<ProcessEntry>>()
  for (const entry of table) {
    const siblings = children.get(entry.parent)
    if (siblings === undefined) children.set(entry.parent, [entry])
    else siblings.push(entry)
  }
  const pending = table.filter(
    (entry) =>
      (entry.marker !== null && entry.marker === belonging.marker) ||
      leaders.has(entry.group) ||
      leaders.has(entry.pid)
  )
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    if (found.has(entry.pid)) continue
    found.set(entry.pid, entry)
    pending.push(...(children.get(entry.pid) ?? []))
  }
  return [...found.values()]
}

/**
 * Kills everything that belongs to the run until a look at the whole table finds nothing more; `unknown` when
 * something stays. Without a process table only the groups can be asked.
 */
export const sweep = (
  table: ProcessTable["Service"],
  belonging: Belonging
): Effect.Effect<"dead" | "unknown"> => {
  const killOnce = Effect.gen(function* () {
    const entries = yield* table.list(belonging.since)
    const left =
      entries === null
        ? (yield* Effect.filter(belonging.leaders, (leader) => table.exists(-leader))).map(
            (leader) => -leader
          )
        : belongingTo(entries, belonging).map((entry) => entry.pid)
    yield* Effect.forEach(left, (pid) => table.signal(pid, "SIGKILL"), { discard: true })
    return left.length === 0
  })
  return Effect.map(
    within(SWEEP_LIMIT, Effect.repeat(killOnce, { until: (done) => done, schedule: PAUSE })),
    (done) => (done ? "dead" : "unknown")
  )
}

/**
 * SIGTERM for a group of ours, and SIGKILL for what is left of it and its descendants after the grace. Zombies
 * do not count: in a container without an init nobody may ever collect them.
 */
export const endGroup = Effect.fnUntraced(function* (
  table: ProcessTable["Service"],
  leader: number,
  grace: Duration.Duration
) {
  if (!(yield* leave(table, leader, grace))) return "dead" as const
  return yield* sweep(table, { marker: null, leaders: [leader], since: null })
})

/** As `endGroup`, for all that carries the marker too, also where the group is gone already. */
export const endMarked = Effect.fnUntraced(function* (
  table: ProcessTable["Service"],
  leader: number,
  grace: Duration.Duration,
  { marker, since }: Pick<Belonging, "marker" | "since">
) {
  const lives = yield* leave(table, leader, grace)
  return yield* sweep(table, { marker, leaders: lives ? [leader] : [], since })
})

/** Whether there was anything to ask. */
const leave = Effect.fnUntraced(function* (
  table: ProcessTable["Service"],
  leader: number,
  grace: Duration.Duration
) {
  if (!(yield* table.exists(-leader))) return false
  yield* table.signal(-leader, "SIGTERM")
  yield* within(
    grace,
    Effect.repeat(groupLives(table, leader), { until: (lives) => !lives, schedule: PAUSE })
  )
  return true
})

const groupLives = (table: ProcessTable["Service"], leader: number) =>
  Effect.flatMap(table.list(null), (entries) =>
    entries === null ? table.exists(-leader) : Effect.succeed(entries.some((entry) => entry.group === leader))
  )

/** Whether it ended in time; works in finalizers too, where nothing else can be interrupted. */
export const within = <A>(limit: Duration.Duration, effect: Effect.Effect<A>): Effect.Effect<boolean> =>
  Effect.map(Effect.timeoutOption(Effect.interruptible(effect), limit), Option.isSome)

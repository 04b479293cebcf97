import { type Duration, Effect } from "effect"
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

const SWEEP_PAUSE: Duration.Input = "20 millis"
const SWEEP_ROUNDS = 150

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
 * Kills everything that belongs to the run until a look at the whole table finds nothing more. `unknown` when
 * something outlives SIGKILL for three seconds.
 */
export const sweep = Effect.fnUntraced(function* (table: ProcessTable["Service"], belonging: Belonging) {
  for (let round = 0; round < SWEEP_ROUNDS; round++) {
    const entries = yield* table.list(belonging.since)
    if (entries === null) return yield* sweepGroups(table, belonging.leaders)
    const left = belongingTo(entries, belonging)
    if (left.length === 0) return "dead" as const
    yield* Effect.forEach(left, (entry) => table.signal(entry.pid, "SIGKILL"), { discard: true })
    yield* Effect.sleep(SWEEP_PAUSE)
  }
  return "unknown" as const
})

/** Without a process table only the groups can be asked. */
const sweepGroups = Effect.fnUntraced(function* (
  table: ProcessTable["Service"],
  leaders: ReadonlyArray<number>
) {
  for (let round = 0; round < SWEEP_ROUNDS; round++) {
    const left = yield* Effect.filter(leaders, (leader) => table.exists(-leader))
    if (left.length === 0) return "dead" as const
    yield* Effect.forEach(left, (leader) => table.signal(-leader, "SIGKILL"), { discard: true })
    yield* Effect.sleep(SWEEP_PAUSE)
  }
  return "unknown" as const
})

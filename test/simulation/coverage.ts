/** What goes wrong under the pool of VMs. */
export const POOL_FAULTS = [
  "vm create fails",
  "vm is lost",
  "vm is of no use",
  "vm lies",
  "vm list fails",
  "vm owner is killed",
  "vm remove fails",
  "vm start fails",
  "vm start hangs",
  "vm start is late",
  "vm stays",
  "vm stop fails"
] as const
export type PoolFault = (typeof POOL_FAULTS)[number]

/** What goes wrong, is done to symphony, or comes about seldom, by kind. A run of 1,000 seeds must have hit each. */
export const FAULTS = [
  ...POOL_FAULTS,
  "agent asks",
  "agent asks and goes on",
  "agent auth refused",
  "agent calls late",
  "agent crashes",
  "agent fails to open",
  "agent floods",
  "agent hangs at open",
  "agent ignores cancel",
  "agent lies",
  "agent loses session",
  "agent never signals",
  "agent proposes",
  "agent rate limited",
  "agent signals twice",
  "agent stalls",
  "agent transitions",
  "clock jumps",
  "config accepted",
  "config adapter changed",
  "config cap lowered",
  "config rejected",
  "config role changed",
  "crash of power",
  "crash of process",
  "handoff fails",
  "hook fails",
  "journal compacts",
  "journal fails",
  "machine exhausted",
  "operator answers",
  "operator answers early",
  "operator drains",
  "operator hands over",
  "operator moves",
  "operator pauses",
  "operator retries",
  "operator reviews",
  "operator stops an issue",
  "person blocks",
  "person blocks in a circle",
  "person deletes",
  "person duplicates",
  "person edits",
  "person moves",
  "person puts aside",
  "person spoils",
  "stop",
  "stop hurried",
  "stop killed",
  "tracker fails",
  "vm boot fails",
  "vm boot hangs",
  "vm unknown",
  "workspace disk fails",
  "zombie calls"
] as const
export type Fault = (typeof FAULTS)[number]

/** Where in the protocol of a run, or beside it, the process died. */
export const STAGES = [
  "idle",
  "claimed",
  "preparing",
  "conversing",
  "asking",
  "done claimed",
  "cancelling",
  "exporting",
  "exported",
  "move intended",
  "moved",
  "hook",
  "hook ended",
  "publishing",
  "published",
  "relocating",
  "compacting",
  "booting"
] as const
export type Stage = (typeof STAGES)[number]

export interface Coverage {
  readonly faults: Record<Fault, number>
  readonly stages: Record<Stage, number>
}

const zeroes = <Name extends string>(names: ReadonlyArray<Name>): Record<Name, number> => {
  const counts: Partial<Record<Name, number>> = {}
  for (const name of names) counts[name] = 0
  return counts as Record<Name, number>
}

export const noCoverage = (): Coverage => ({ faults: zeroes(FAULTS), stages: zeroes(STAGES) })

export const addCoverage = (into: Coverage, more: Coverage): void => {
  for (const name of FAULTS) into.faults[name] += more.faults[name]
  for (const name of STAGES) into.stages[name] += more.stages[name]
}

/** Hits below which a clean result says nothing about a kind, for a run of 1,000 seeds. */
const ENOUGH = 20

/** What was not hit often enough, for that many seeds. */
export const gaps = (coverage: Coverage, seeds: number): ReadonlyArray<string> => {
  const needed = Math.floor((ENOUGH * seeds) / 1000)
  const few = ([name, count]: readonly [string, number]) =>
    count < needed ? [`${name}: ${count} of ${needed}`] : []
  return [
    ...Object.entries(coverage.faults).flatMap(few),
    ...Object.entries(coverage.stages).flatMap((entry) => few([`crash at ${entry[0]}`, entry[1]]))
  ]
}

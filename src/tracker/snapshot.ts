import { Identifier, IssueId } from "../domain/ids.ts"
import { type Blocker, Issue } from "../domain/Issue.ts"
import type { Problem } from "../domain/Problem.ts"
import { roleOf, type StatePolicies, type StateRole } from "../domain/State.ts"
import { baseNameOf, type IssueRecord, trackerProblem } from "./decodeIssue.ts"
import type { TrackerSnapshot, UnreadableFile } from "./Tracker.ts"

/** As `UnreadableFile`, of a file whose issue is not made yet. */
export interface UnreadableRecord extends Pick<UnreadableFile, "state" | "problem"> {
  readonly last: IssueRecord | null
}

/** All that one look at a tracker found. */
export interface Findings {
  /** In file order. */
  readonly records: ReadonlyArray<IssueRecord>
  readonly problems: ReadonlyArray<Problem>
  /** By file name. */
  readonly unreadable: ReadonlyMap<string, UnreadableRecord>
  /** Number of the scan. */
  readonly scan: number
  /** What problems call the tracker's folder. */
  readonly rootName: string
}

const LIVELINESS: Readonly<Record<StateRole, number>> = { active: 0, holding: 1, terminal: 2 }

/**
 * Of several files that claim one name, the liveliest is the issue: a stale copy in a terminal state must not
 * end a run. Among equals the first in file order.
 */
const claimOnce = (
  key: "id" | "identifier",
  { problems, records, rootName }: Pick<Findings, "problems" | "records" | "rootName">,
  policies: StatePolicies
): Pick<Findings, "problems" | "records"> => {
  if (new Set(records.map((record) => record[key])).size === records.length) return { problems, records }
  const groups = groupBy(records, key)
  const dropped = new Set<IssueRecord>()
  const found: Array<Problem> = []
  for (const [name, group] of groups) {
    if (group.length < 2) continue
    const ranked = group.toSorted(
      (left, right) => LIVELINESS[roleOf(policies, left.state)] - LIVELINESS[roleOf(policies, right.state)]
    )
    const [winner, ...others] = ranked
    if (winner === undefined) continue
    const path = (record: IssueRecord) => `${rootName}/${record.state}/${record.fileName}`
    for (const other of others) {
      dropped.add(other)
      found.push(
        trackerProblem(
          path(other),
          `${key} "${name}" is also that of ${path(winner)}, which counts`,
          other.inode === winner.inode
            ? "both are one file: remove one of its two names"
            : `remove one of them, or give it another ${key}`
        )
      )
    }
  }
  return { problems: [...problems, ...found], records: records.filter((record) => !dropped.has(record)) }
}

const groupBy = (
  records: ReadonlyArray<IssueRecord>,
  key: "id" | "identifier"
): Map<string, Array<IssueRecord>> => {
  const groups = new Map<string, Array<IssueRecord>>()
  for (const record of records) {
    const group = groups.get(record[key])
    if (group === undefined) groups.set(record[key], [record])
    else group.push(record)
  }
  return groups
}

/** A blocker may be named by identifier, by id, or by file name without `.md`; in this order. */
const resolver = (records: ReadonlyArray<IssueRecord>): ((name: string) => Blocker) => {
  const wanted = new Set(records.flatMap((record) => record.blockedBy))
  const names = new Map<string, IssueRecord>()
  for (const nameOf of [
    (record: IssueRecord) => baseNameOf(record.fileName),
    (record: IssueRecord) => record.id,
    (record: IssueRecord) => record.identifier
  ]) {
    if (wanted.size === 0) break
    for (const record of records) {
      const name = nameOf(record)
      if (wanted.has(name)) names.set(name, record)
    }
  }
  return (name) => {
    const record = names.get(name)
    return record === undefined
      ? { id: null, identifier: name, state: null }
      : { id: IssueId.make(record.id), identifier: record.identifier, state: record.state }
  }
}

const sameBlockers = (left: ReadonlyArray<Blocker>, right: ReadonlyArray<Blocker>): boolean =>
  left.length === right.length &&
  left.every(
    (blocker, index) =>
      blocker.id === right[index]?.id &&
      blocker.identifier === right[index].identifier &&
      blocker.state === right[index].state
  )

/** Issues already made of a record; one whose blockers stand as before is the same object as before. */
const made = new WeakMap<IssueRecord, Issue>()

const toIssue = (record: IssueRecord, resolve: (name: string) => Blocker): Issue => {
  const before = made.get(record)
  if (before !== undefined && record.blockedBy.length === 0) return before
  const blockedBy = record.blockedBy.map(resolve)
  if (before !== undefined && sameBlockers(before.blockedBy, blockedBy)) return before
  const issue = new Issue({
    ...record,
    id: IssueId.make(record.id),
    identifier: Identifier.make(record.identifier),
    blockedBy
  })
  made.set(record, issue)
  return issue
}

export const makeSnapshot = (findings: Findings, policies: StatePolicies): TrackerSnapshot => {
  const byId = claimOnce("id", findings, policies)
  const { problems, records } = claimOnce("identifier", { ...byId, rootName: findings.rootName }, policies)
  const resolve = resolver(records)
  const issues = records.map((record) => toIssue(record, resolve))
  return {
    issues,
    byId: new Map(issues.map((issue) => [issue.id, issue])),
    problems,
    unreadable: new Map(
      [...findings.unreadable].map(([name, { last, problem, state }]) => [
        name,
        { state, problem, last: last === null ? null : toIssue(last, resolve) }
      ])
    ),
    scan: findings.scan,
    outage: null
  }
}

/** What was read last stays in force, as what it is. */
export const inOutage = (last: TrackerSnapshot, root: string, detail: string): TrackerSnapshot => ({
  ...last,
  problems: [
    trackerProblem(
      root,
      `the tracker cannot be read: ${detail}`,
      "restore the folder; what was read last stays in force"
    ),
    ...(last.outage === null ? last.problems : last.problems.slice(1))
  ],
  outage: detail
})

const sameProblem = (left: Problem, right: Problem | undefined): boolean =>
  left.where === right?.where && left.message === right.message && left.severity === right.severity

/** Whether nobody could tell one from the other, but for the number of the scan. */
export const sameSnapshot = (left: TrackerSnapshot, right: TrackerSnapshot): boolean =>
  left.outage === right.outage &&
  left.issues.length === right.issues.length &&
  left.problems.length === right.problems.length &&
  left.unreadable.size === right.unreadable.size &&
  left.issues.every((issue, index) => issue === right.issues[index]) &&
  left.problems.every((problem, index) => sameProblem(problem, right.problems[index])) &&
  [...left.unreadable.keys()].every((name) => right.unreadable.has(name))

import { Issue } from "../domain/Issue.ts"
import type { Observation } from "../scheduler/eligibility.ts"
import { type IssueRecord, liveRunOf, type RunRecord, type SchedulerState } from "../scheduler/state.ts"
import type { UnreadableFile } from "../tracker/Tracker.ts"

/** Of an issue whose file is there and cannot be read, or is not there while its run still goes on. */
export const UNREADABLE = "Unreadable"

/** An issue that is known by what was read, or journaled, of it last. */
export interface UnreadIssue {
  readonly issue: Issue
  readonly why: { readonly code: typeof UNREADABLE; readonly text: string }
}

const fileOf = (
  { tracker: { unreadable } }: Observation,
  { id, identifier }: IssueRecord,
  run: RunRecord | undefined
): readonly [name: string, file: UnreadableFile | undefined] => {
  const read = [...unreadable].find(([, { last }]) => last?.id === id)
  if (read !== undefined) return read
  // What no run works on was called so unless its file says otherwise.
  const name = run?.fileName ?? `${identifier}.md`
  return [name, unreadable.get(name)]
}

const asJournaled = (
  { hold, id, identifier, lastMove, title }: IssueRecord,
  run: RunRecord | undefined,
  fileName: string,
  folder: string | undefined
): Issue =>
  new Issue({
    id,
    identifier,
    title,
    description: null,
    priority: null,
    state: folder ?? run?.state ?? lastMove?.state ?? hold?.parkedIn ?? "",
    branchName: null,
    url: null,
    labels: [],
    blockedBy: [],
    createdAt: null,
    updatedAt: null,
    assigneeId: null,
    nativeRef: null,
    proposedBy: null,
    fileName,
    inode: "",
    modifiedAt: null,
    contentHash: ""
  })

/**
 * Issues that the tracker does not tell of just now and that a person still has to see: those that a run works on, and
 * of those whose file cannot be read the ones that ask something, are held or are to be tried again.
 */
export const unreadIssues = (state: SchedulerState, observation: Observation): ReadonlyArray<UnreadIssue> =>
  Object.values(state.issues).flatMap((record) => {
    if (observation.tracker.byId.has(record.id)) return []
    const run = liveRunOf(state, record.id)
    const isPending = record.steering !== null || record.hold !== null || record.retry !== null
    if (run === undefined && !isPending) return []
    const [name, file] = fileOf(observation, record, run)
    if (run === undefined && file === undefined) return []
    const text =
      file === undefined
        ? "its file is not in the tracker"
        : `its file cannot be read: ${file.problem.where}: ${file.problem.message}`
    const issue = file?.last ?? asJournaled(record, run, name, file?.state)
    return [{ issue, why: { code: UNREADABLE, text } }]
  })

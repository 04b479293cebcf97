import { Duration, Effect, Schedule } from "effect"
import type { IssueId } from "../domain/ids.ts"
import { sameState } from "../domain/State.ts"
import type { Tracker } from "../tracker/Tracker.ts"
import { isAhead } from "./isAhead.ts"
import type { Act } from "./acts.ts"
import { whenBack } from "./whenBack.ts"

/** A person who edits the file at the very moment of its move is waited for, so often. */
const MOST_TRIES = 5

type Relocate = Extract<Act, { readonly _tag: "Relocate" }>

const relocate = Effect.fnUntraced(function* (tracker: Tracker["Service"], act: Relocate) {
  const { issue, relocation, note } = act
  const asItIs = whenBack(tracker.read(issue))
  let { inode } = relocation
  if (note !== null) {
    yield* whenBack(tracker.append(issue, note))
    // The note has replaced the file that was meant when the move was put on record.
    inode = (yield* asItIs).inode
  }
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const result = yield* tracker
      .move({ id: issue, ...relocation, inode })
      .pipe(
        Effect.catchTag("IssueNameTaken", (error) =>
          Effect.logWarning("issue stays where it is", error).pipe(
            Effect.as({ _tag: "taken" as const, state: relocation.from })
          )
        )
      )
    const { state } = result
    const isUnderway = state === null || sameState(state, relocation.from) || sameState(state, relocation.to)
    if (result._tag !== "elsewhere" || !isUnderway) return state
    // An editor has replaced the file that was meant, or has put it aside to do so. Where it lies at its goal, we may
    // have died half way, and it still has its old name, too.
    inode = (yield* asItIs).inode
  }
  return null
})

/** Moves an issue that no run is working on, until it is known what became of it: where it lies, null when nobody knows. */
export const relocateUntilKnown = (
  tracker: Tracker["Service"],
  act: Relocate
): Effect.Effect<string | null> =>
  relocate(tracker, act).pipe(
    Effect.catchTag(["IssueNotFound", "IssueUnreadable"], (error) =>
      Effect.as(Effect.logWarning("issue cannot be moved", error), null)
    ),
    Effect.tapError((error) => Effect.logWarning("issue is not moved yet", error)),
    Effect.retry(Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("30 seconds")])),
    // A tracker that stays down is retried for as long as we live, so that it never gets here.
    Effect.catchTag("TrackerError", Effect.die),
    // A bug of ours must not leave the issue "being moved" for ever.
    Effect.catchDefect((defect) =>
      Effect.logError("issue stays where it is", defect).pipe(Effect.as(act.relocation.from))
    )
  )

/** Pause before a workspace that could not be removed is tried again; doubles each time, up to the longest. */
const CLEAN_UP_RETRY = Duration.minutes(1)
const LONGEST_CLEAN_UP_RETRY = Duration.hours(6)

/** Workspaces that could not be removed, and when that is tried again. */
export interface KeptWorkspaces {
  readonly note: (issue: IssueId, removed: boolean, now: number) => void
  /** Those that are left alone at this moment (epoch milliseconds). */
  readonly at: (now: number) => ReadonlySet<IssueId>
  /** The next moments at which one of them is tried again. */
  readonly due: (now: number) => ReadonlyArray<number>
}

export const makeKeptWorkspaces = (): KeptWorkspaces => {
  const kept = new Map<IssueId, { readonly times: number; readonly since: number; readonly until: number }>()
  const later = (now: number) => [...kept].filter(([, { since, until }]) => isAhead(since, until, now))
  return {
    note: (issue, removed, now) => {
      const times = kept.get(issue)?.times ?? 0
      const wait = Duration.min(Duration.times(CLEAN_UP_RETRY, 2 ** times), LONGEST_CLEAN_UP_RETRY)
      if (removed) kept.delete(issue)
      else kept.set(issue, { times: times + 1, since: now, until: now + Duration.toMillis(wait) })
    },
    at: (now) => new Set(later(now).map(([issue]) => issue)),
    due: (now) => later(now).map(([, { until }]) => until)
  }
}

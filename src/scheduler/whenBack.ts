import { Duration, Effect, Schedule } from "effect"
import { MISSING_GRACE } from "./decide.ts"

/** Between two looks for a file that is not there. */
const LOOK_AGAIN = Duration.millis(250)

/**
 * Some editors move a file aside and write a new one, and some save it in parts: it is neither gone nor unreadable
 * before its grace is over.
 */
export const whenBack = <A, E extends { readonly _tag: string }>(
  ask: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.retry(ask, {
    while: (error) => error._tag === "IssueNotFound" || error._tag === "IssueUnreadable",
    schedule: Schedule.spaced(LOOK_AGAIN),
    times: Duration.toMillis(MISSING_GRACE) / Duration.toMillis(LOOK_AGAIN)
  })

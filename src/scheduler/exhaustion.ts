import { Duration, Schema } from "effect"
import type { Problem } from "../domain/Problem.ts"
import type { SchedulerEvent } from "./events.ts"
import { MACHINE_EXHAUSTED } from "./failures.ts"
import { isAhead } from "./isAhead.ts"

/** A run has met a machine with nothing left to give. Until one gets further, they are tried one at a time. */
export const Exhaustion = Schema.Struct({
  message: Schema.String,
  /** How often it was met, a pause between each. */
  times: Schema.Int,
  /** Nothing is started between. Epoch milliseconds. */
  since: Schema.Number,
  until: Schema.Number
})
export type Exhaustion = typeof Exhaustion.Type

const FIRST_PAUSE = Duration.seconds(30)
const LONGEST_PAUSE = Duration.minutes(10)

/** What is known of the machine after an event. */
export const exhaustionAfter = (before: Exhaustion | null, event: SchedulerEvent): Exhaustion | null => {
  if (event._tag === "SessionOpened") return null
  if (event._tag !== "RunEnded" || event.outcome._tag !== "Failed") return before
  if (event.outcome.reason !== MACHINE_EXHAUSTED) return before
  // Those that were started together have met one trouble.
  if (before !== null && isAhead(before.since, before.until, event.at)) return before
  const times = (before?.times ?? 0) + 1
  const pause = Duration.min(Duration.times(FIRST_PAUSE, 2 ** Math.min(times - 1, 10)), LONGEST_PAUSE)
  return {
    message: event.outcome.message,
    times,
    since: event.at,
    until: event.at + Duration.toMillis(pause)
  }
}

/** What people are told of it. */
export const exhaustionProblems = (exhaustion: Exhaustion | null): ReadonlyArray<Problem> =>
  exhaustion === null
    ? []
    : [
        {
          source: "machine",
          severity: "error",
          where: "this machine",
          message: `has no more to give, so nothing is started: ${exhaustion.message}`,
          hint: "free some space, memory or open files; symphony tries again by itself"
        }
      ]

/** Why nothing may be started at this moment; null when one may. `starting`: one is on its way already. */
export const exhaustionObstacle = (
  exhaustion: Exhaustion | null,
  starting: boolean,
  now: number
): string | null =>
  exhaustion !== null && (isAhead(exhaustion.since, exhaustion.until, now) || starting)
    ? `nothing is started: ${exhaustion.message}`
    : null

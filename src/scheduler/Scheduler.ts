import { Context, type Effect, Schema, type Stream } from "effect"
import type { IssueId, QuestionId } from "../domain/ids.ts"
import type { Problem } from "../domain/Problem.ts"
import type { Observation } from "./eligibility.ts"
import type { SchedulerState } from "./state.ts"

/** What an operator may ask for. Each is journaled before it is answered and survives a restart. */
export type OperatorCommand =
  /** Start nothing new; what runs goes on. */
  | { readonly _tag: "Pause" }
  /** Begin nothing new; what was begun goes on to its end, its continuations, retries and replies too. */
  | { readonly _tag: "Drain" }
  | { readonly _tag: "Resume" }
  /** Ends the issue's run, if it has one, and holds the issue until a person changes, moves or retries it. */
  | { readonly _tag: "Stop"; readonly issue: IssueId }
  /**
   * Lifts a hold, with which a question that it kept is asked again, forgets the failures in a row and ends a wait, that
   * for an answer too; a failed handoff is tried again as by `HandOver`.
   * Refused where none of that would come of it.
   */
  | { readonly _tag: "RetryNow"; readonly issue: IssueId }
  /** `question: null` answers whatever is open. */
  | {
      readonly _tag: "Answer"
      readonly issue: IssueId
      readonly question: QuestionId | null
      readonly text: string
    }
  | { readonly _tag: "Move"; readonly issue: IssueId; readonly to: string }
  /** Does what a failed handoff of the issue has left to do again, without an agent. */
  | { readonly _tag: "HandOver"; readonly issue: IssueId }
  /** A person has looked at what the issue's last run handed over: nobody needs to any more. */
  | { readonly _tag: "Review"; readonly issue: IssueId }

export class CommandRefused extends Schema.TaggedError<CommandRefused>()("CommandRefused", {
  reason: Schema.Literals([
    "issue_not_found",
    "no_pending_steering",
    "already_answered",
    "not_running",
    "nothing_to_review",
    "nothing_to_hand_over",
    "nothing_to_retry",
    "unknown_state",
    "name_taken",
    "run_active",
    "not_durable",
    "stopping"
  ]),
  message: Schema.String
}) {}

/** The scheduler's memory and what it looked at, both of one moment. */
export interface SchedulerView {
  readonly state: SchedulerState
  readonly observation: Observation
  /** The scheduler's own troubles, such as a journal that cannot be written. */
  readonly problems: ReadonlyArray<Problem>
  /** Epoch milliseconds. */
  readonly at: number
}

/**
 * Owns all scheduling state. One fiber takes inputs, journals what follows from them, and only then lets it
 * take effect.
 */
export class Scheduler extends Context.Service<
  Scheduler,
  {
    readonly view: Effect.Effect<SchedulerView>
    /** The present view, then each that follows. A slow reader skips to the newest. */
    readonly views: Stream.Stream<SchedulerView>
    readonly command: (command: OperatorCommand) => Effect.Effect<void, CommandRefused>
    /** Scans and decides now. `coalesced`: one that is under way already does it. */
    readonly refresh: Effect.Effect<{ readonly coalesced: boolean }>
    /**
     * Graceful stop: nothing new is started and sessions are cancelled. What runs, with its hooks and its hand-over,
     * has four seconds in all to come to its end; what has not is interrupted and recovered at the next start.
     * Idempotent.
     */
    readonly shutdown: Effect.Effect<void>
    /** Does not return; dies when the scheduler's loop does, so that the program can end with it. */
    readonly died: Effect.Effect<never>
  }
>()("symphony/scheduler/Scheduler") {}

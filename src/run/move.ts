import { Effect, Schedule } from "effect"
import { RunFailure } from "../domain/Outcome.ts"
import { roleOf, sameState } from "../domain/State.ts"
import type { DoneClaim } from "../scheduler/events.ts"
import type { RunFenced } from "../scheduler/Runs.ts"
import { passingNote } from "../scheduler/notes.ts"
import type { Move } from "../scheduler/state.ts"
import { whenBack } from "../scheduler/whenBack.ts"
import { type IssueNameTaken, type MoveResult, TrackerError } from "../tracker/Tracker.ts"
import { failureOf } from "./failures.ts"
import { noteFailure, noteStage, type RunContext } from "./RunContext.ts"

type MoveOnRecord = typeof Move.Type

const targetTaken = (message: string, to: string): RunFailure =>
  new RunFailure({
    class: "configuration",
    reason: "target_taken",
    message: `${message}: move that file away, and the issue to ${to} by hand`,
    resetAt: null
  })

/** Asks a tracker that is in trouble again, for as long as the run lives: what is done is not to be done again. */
const untilAnswered = <A, E>(
  run: RunContext,
  ask: Effect.Effect<A, E | TrackerError>
): Effect.Effect<A, E | TrackerError> =>
  ask.pipe(
    Effect.tapError((error) =>
      error instanceof TrackerError ? noteFailure(run, "moving", error.message) : Effect.void
    ),
    Effect.retry({
      while: (error) => error instanceof TrackerError,
      schedule: Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("30 seconds")])
    })
  )

/**
 * Asks for a move that is on record until it is known what became of it: one that was given up half way would
 * leave the file under two names.
 */
export const moveUntilKnown = (
  run: RunContext,
  move: MoveOnRecord
): Effect.Effect<MoveResult, IssueNameTaken> =>
  untilAnswered(run, run.services.tracker.move({ id: run.record.issue, ...move })).pipe(
    // Asked again until the end of the run, so that it never gets here.
    Effect.catchTag("TrackerError", Effect.die)
  )

/** Tells where the issue is now. */
export const reportMoved = (
  run: RunContext,
  state: string | null,
  byUs: boolean
): Effect.Effect<void, RunFenced> =>
  Effect.flatMap(run.services.tracker.lastScan, (scan) => run.report({ _tag: "Moved", state, byUs, scan }))

/** A person who edits the file at the very moment of its move is waited for, so often. */
const MOST_TRIES = 5

/** How to move the issue's file as it is now; null when it is gone. */
const asItIs = (run: RunContext, to: string): Effect.Effect<MoveOnRecord | null, RunFailure> =>
  whenBack(untilAnswered(run, run.services.tracker.read(run.record.issue))).pipe(
    Effect.map(({ fileName, inode, state }) => ({ from: state, to, fileName, inode })),
    Effect.catchTag("IssueNotFound", () => Effect.succeed(null)),
    Effect.mapError(failureOf)
  )

export interface Journey {
  readonly to: string
  /** One that is on record, or of the file as it was just seen: it is made. Null: as the file is now. */
  readonly first: MoveOnRecord | null
  /** Where else than in the state that `first` leaves an issue is to be moved from: elsewhere, people have put it. */
  readonly leaves: (state: string) => boolean
  readonly taken: (message: string) => RunFailure
}

/**
 * Moves the issue: intent, effect, result. Where a person has put it elsewhere in the meantime, theirs wins; one who
 * only saves it is waited for. Answers the state the issue is in, null when its file is gone.
 */
export const moveTo = (
  run: RunContext,
  { first, leaves, taken, to }: Journey
): Effect.Effect<string | null, RunFailure | RunFenced> =>
  Effect.gen(function* () {
    const settled = (state: string | null, byUs: boolean) => Effect.as(reportMoved(run, state, byUs), state)
    const isLeft = (state: string) => leaves(state) || (first !== null && sameState(state, first.from))
    let move = first
    for (let tries = 1; ; tries++) {
      move ??= yield* asItIs(run, to)
      if (move === null) return yield* settled(null, false)
      const { from } = move
      if (!isLeft(from) || sameState(from, move.to)) return yield* settled(from, false)
      yield* run.report({ _tag: "MoveIntended", ...move })
      const result = yield* moveUntilKnown(run, move).pipe(Effect.mapError(({ message }) => taken(message)))
      const isEdited = result._tag === "elsewhere" && (result.state === null || sameState(result.state, from))
      if (!isEdited || tries === MOST_TRIES) return yield* settled(result.state, result._tag !== "elsewhere")
      move = null
    }
  })

/** Moves the issue to where the agent's signal says, with its notes where it has some. */
export const moveIssue = (
  run: RunContext,
  claim: DoneClaim
): Effect.Effect<string | null, RunFailure | RunFenced> =>
  Effect.gen(function* () {
    const { record, order } = run
    if (record.moved) return record.state
    yield* noteStage(run, "moving", claim.target)
    const isActive = (state: string) => roleOf(order.workflow.config.states, state) === "active"
    // An intent that is on record has its notes already.
    if (record.move === null && claim.signal === "transition") {
      const before = yield* asItIs(run, claim.target)
      if (before !== null && isActive(before.from)) yield* appendNotes(run, claim, before.from)
    }
    return yield* moveTo(run, {
      to: claim.target,
      first: record.move,
      leaves: isActive,
      taken: (message) => targetTaken(message, record.move?.to ?? claim.target)
    })
  })

const appendNotes = (run: RunContext, claim: DoneClaim, from: string): Effect.Effect<void, RunFailure> =>
  whenBack(
    untilAnswered(
      run,
      run.services.tracker.append(
        run.record.issue,
        passingNote(run.record.run, `${run.record.adapter}, run ${run.record.run}`, from, claim)
      )
    )
  ).pipe(
    Effect.catchTag("IssueNotFound", () => Effect.void),
    Effect.mapError(failureOf)
  )

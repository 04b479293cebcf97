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
import { noteStage, type RunContext } from "./RunContext.ts"

type MoveOnRecord = typeof Move.Type

const taken = (message: string, to: string): RunFailure =>
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
      error instanceof TrackerError ? noteStage(run, "moving", error.message) : Effect.void
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

/**
 * Moves the issue to where the agent's signal says: intent, effect, result. Where a person has put it
 * elsewhere in the meantime, theirs wins. Answers the state the issue is in, null when its file is gone.
 */
export const moveIssue = (
  run: RunContext,
  claim: DoneClaim
): Effect.Effect<string | null, RunFailure | RunFenced> =>
  Effect.gen(function* () {
    const { record, order, services } = run
    if (record.moved) return record.state
    yield* noteStage(run, "moving", claim.target)
    const settled = (state: string | null, byUs: boolean) => Effect.as(reportMoved(run, state, byUs), state)
    const asItIs = whenBack(untilAnswered(run, services.tracker.read(record.issue))).pipe(
      Effect.map(({ fileName, inode, state }) => ({ from: state, to: claim.target, fileName, inode })),
      Effect.catchTag("IssueNotFound", () => Effect.succeed(null)),
      Effect.mapError(failureOf)
    )
    const isActive = (state: string) => roleOf(order.workflow.config.states, state) === "active"

    // An intent that is on record has its notes already.
    let move = record.move
    if (move === null && claim.signal === "transition") {
      const before = yield* asItIs
      if (before !== null && isActive(before.from)) yield* appendNotes(run, claim, before.from)
    }
    for (let tries = 1; ; tries++) {
      move ??= yield* asItIs
      if (move === null) return yield* settled(null, false)
      const { from, to } = move
      if (!isActive(from) || sameState(from, to)) return yield* settled(from, false)
      yield* run.report({ _tag: "MoveIntended", ...move })
      const result = yield* moveUntilKnown(run, move).pipe(
        Effect.mapError(({ message }) => taken(message, to))
      )
      const isEdited = result._tag === "elsewhere" && (result.state === null || sameState(result.state, from))
      if (!isEdited || tries === MOST_TRIES) return yield* settled(result.state, result._tag !== "elsewhere")
      move = null
    }
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

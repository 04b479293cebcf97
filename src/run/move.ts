import { Effect } from "effect"
import { RunFailure } from "../domain/Outcome.ts"
import { roleOf, sameState } from "../domain/State.ts"
import type { DoneClaim } from "../scheduler/events.ts"
import type { RunFenced } from "../scheduler/Runs.ts"
import { failureOf } from "./failures.ts"
import { noteStage, type RunContext } from "./RunContext.ts"

const taken = (message: string): RunFailure =>
  new RunFailure({
    class: "configuration",
    reason: "target_taken",
    message: `${message}; the work is handed over, move one of the two files`,
    resetAt: null
  })

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
    const settled = (state: string | null, byUs: boolean) =>
      run.report({ _tag: "Moved", state, byUs }).pipe(Effect.as(state))
    const intended =
      record.move ??
      (yield* services.tracker.read(record.issue).pipe(
        Effect.map((issue) => ({
          from: issue.state,
          to: claim.target,
          fileName: issue.fileName,
          inode: issue.inode
        })),
        Effect.catchTag("IssueNotFound", () => Effect.succeed(null)),
        Effect.mapError(failureOf)
      ))
    if (intended === null) return yield* settled(null, false)
    if (roleOf(order.workflow.config.states, intended.from) !== "active") {
      return yield* settled(intended.from, false)
    }
    if (claim.signal === "transition") {
      yield* services.tracker
        .append(record.issue, {
          key: `notes-${record.run}`,
          heading: `${record.adapter}, run ${record.run}: ${intended.from} to ${claim.target}`,
          text: claim.summary
        })
        .pipe(
          Effect.catchTag("IssueNotFound", () => Effect.void),
          Effect.mapError(failureOf)
        )
    }
    // Appending writes a new file: what is to be moved is what is there now.
    const move =
      claim.signal === "transition"
        ? yield* services.tracker.read(record.issue).pipe(
            Effect.map((issue) => ({ ...intended, inode: issue.inode })),
            Effect.catchTag("IssueNotFound", () => Effect.succeed(intended)),
            Effect.mapError(failureOf)
          )
        : intended
    if (sameState(move.from, move.to)) return yield* settled(move.from, false)
    yield* run.report({ _tag: "MoveIntended", ...move })
    const result = yield* services.tracker
      .move({ id: record.issue, ...move })
      .pipe(
        Effect.mapError((error) =>
          error._tag === "IssueNameTaken" ? taken(error.message) : failureOf(error)
        )
      )
    return yield* settled(result.state, result._tag !== "elsewhere")
  })

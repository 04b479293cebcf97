import { Duration, Effect, Schedule } from "effect"
import { noteStage, type RunContext } from "./RunContext.ts"

/** Between two looks at a sandbox of which nobody knows whether it is dead. */
const ASK_AGAIN = Duration.seconds(5)

/**
 * Revokes what the run was given and returns once everything of it is confirmed dead. "Don't know" keeps
 * the slot and asks again: an agent that may still be alive must not meet its successor.
 */
export const quiesce = (run: RunContext): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { order, record, services } = run
    yield* services.grants.revoke(record.run)
    const confirmed = services.sandboxes.reap(order.workflow, [record.run]).pipe(
      Effect.map((answers) => answers.every((answer) => answer.status === "dead")),
      // A bug of ours does not make anything dead.
      Effect.catchDefect((defect) =>
        Effect.as(Effect.logError("a sandbox could not be asked", defect), false)
      ),
      Effect.tap((dead) =>
        dead ? Effect.void : noteStage(run, "recovering", "its sandbox does not say whether it is dead")
      )
    )
    yield* confirmed.pipe(Effect.repeat({ until: (dead) => dead, schedule: Schedule.spaced(ASK_AGAIN) }))
  })

import { Effect } from "effect"
import { symphony } from "../layers.ts"
import { Operator } from "../workflow/Operator.ts"
import { Scheduler } from "../scheduler/Scheduler.ts"
import { CommandFailed } from "./failures.ts"
import { greet } from "./greet.ts"
import { locateWorkflow } from "./locateWorkflow.ts"
import { endOfOnce, startFailure } from "./program.ts"
import { untilQuiet } from "./untilQuiet.ts"

export interface RunOptions {
  /** As given; relative to the current folder. */
  readonly workflow: string
  readonly port: number | null
  /** End when there is nothing left to do. */
  readonly once: boolean
  readonly bin: string
}

/** `symphony [run] [WORKFLOW.md]`: the product itself. */
export const run = Effect.fn("cli.run")(function* (options: RunOptions) {
  const workflow = yield* locateWorkflow(options.workflow)
  const program = Effect.gen(function* () {
    const scheduler = yield* Scheduler
    yield* greet
    if (!options.once) return yield* scheduler.died
    yield* Effect.raceFirst(untilQuiet, scheduler.died)
    return yield* endOfOnce
  })
  yield* program.pipe(
    Effect.provide(symphony({ workflow, bin: options.bin, port: options.port, operator: Operator.layer })),
    Effect.mapError((error) => (error instanceof CommandFailed ? error : startFailure(error)))
  )
})

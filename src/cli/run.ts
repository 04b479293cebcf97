import { Effect, FileSystem, Path } from "effect"
import { Scheduler } from "../scheduler/Scheduler.ts"
import { CommandFailed, failWith } from "./failures.ts"
import { endOfOnce, startFailure } from "./program.ts"
import { greet, serving } from "./serve.ts"
import { untilQuiet } from "./untilQuiet.ts"

export interface RunOptions {
  /** As given; relative to the current folder. */
  readonly workflow: string
  readonly port: number | null
  /** End when there is nothing left to do. */
  readonly once: boolean
  readonly bin: string
}

/** The real path of a workflow file; links above it belong to the operator. */
const locate = Effect.fnUntraced(function* (given: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const absolute = path.resolve(given)
  return yield* fs
    .realPath(absolute)
    .pipe(Effect.mapError(() => failWith(2, `error: workflow file not found: ${absolute}`)))
})

/** `symphony [run] [WORKFLOW.md]`: the product itself. */
export const run = Effect.fn("cli.run")(function* (options: RunOptions) {
  const workflow = yield* locate(options.workflow)
  const program = Effect.gen(function* () {
    const scheduler = yield* Scheduler
    yield* greet
    if (!options.once) return yield* scheduler.died
    yield* Effect.raceFirst(untilQuiet, scheduler.died)
    return yield* endOfOnce
  })
  yield* program.pipe(
    Effect.provide(serving({ workflow, bin: options.bin, port: options.port })),
    Effect.mapError((error) => (error instanceof CommandFailed ? error : startFailure(error)))
  )
})

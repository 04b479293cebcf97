import { Effect } from "effect"
import { Operator, placesOf } from "../workflow/Operator.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { Git } from "./Git.ts"

/**
 * The top of the operator's repository, which is what `git clone` wants. A bare repository, and a folder that
 * is in none, are what they are.
 */
export const sourceTop = Effect.gen(function* () {
  const git = yield* Git
  const { source } = placesOf(yield* Operator, yield* (yield* Workflow).current)
  return yield* git
    .text(["rev-parse", "--path-format=absolute", "--show-toplevel"], { cwd: source })
    .pipe(Effect.orElseSucceed(() => source))
}).pipe(Effect.provide(Git.layer))

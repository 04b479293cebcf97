import { Effect, Layer } from "effect"
import { sweepTemporaries } from "../files/sweepTemporaries.ts"
import { Operator, placesOf } from "../workflow/Operator.ts"
import { Workflow } from "../workflow/Workflow.ts"

/** Where symphony writes files of its own, and how many folders deep. Not the workspaces: they are the agents'. */
const places = Effect.gen(function* () {
  const definition = yield* (yield* Workflow).current
  const { state, tracker } = definition.config
  const { patches } = placesOf(yield* Operator, definition)
  return [
    [tracker.root, 1],
    [state.root, 0],
    [`${state.root}/transcripts`, 0],
    [`${state.root}/workspaces`, 0],
    [`${state.root}/runs`, 1],
    [patches, 1]
  ] as const
})

const sweep = Effect.gen(function* () {
  for (const [root, depth] of yield* places) {
    yield* sweepTemporaries({ root }, depth).pipe(
      Effect.catchTag("FileError", (error) => Effect.logWarning("leftovers are not swept", error))
    )
  }
})

/** Once, beside the start: what writes that a death cut off have left behind. */
export const layer = Layer.effectDiscard(Effect.forkScoped(sweep))

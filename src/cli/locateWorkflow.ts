import { Effect, FileSystem, Path } from "effect"
import { failWith } from "./failures.ts"

/** The real path of a workflow file; links above it belong to the operator. */
export const locateWorkflow = Effect.fnUntraced(function* (given: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const absolute = path.resolve(given)
  return yield* fs
    .realPath(absolute)
    .pipe(Effect.mapError(() => failWith(2, `error: workflow file not found: ${absolute}`)))
})

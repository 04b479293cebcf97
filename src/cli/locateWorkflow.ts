import { Effect, FileSystem, Path } from "effect"
import { failWith, inWords } from "./failures.ts"

/** A workflow file, and the folder that is the operator's project because the file was named in it. */
export interface LocatedWorkflow {
  /** Its folder is real; the file may be a link. */
  readonly path: string
  /** What is read: where the link leads. */
  readonly file: string
}

/** Links belong to the operator and are followed, once. */
export const locateWorkflow = Effect.fnUntraced(function* (given: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const absolute = path.resolve(given)
  const refused = (what: string) => failWith(2, `error: ${what}`)
  const file = yield* fs
    .realPath(absolute)
    .pipe(
      Effect.mapError((error) =>
        error.reason._tag === "NotFound"
          ? refused(`workflow file not found: ${absolute}`)
          : refused(`workflow file ${absolute} cannot be found: ${inWords(error)}`)
      )
    )
  const { type } = yield* Effect.mapError(fs.stat(file), (error) =>
    refused(`workflow file ${absolute} cannot be read: ${inWords(error)}`)
  )
  if (type !== "File") {
    return yield* refused(
      type === "Directory"
        ? `${absolute} is a folder; name the workflow file in it, for example ${path.join(absolute, "WORKFLOW.md")}`
        : `${absolute} is no regular file; name the workflow file`
    )
  }
  const folder = yield* Effect.orElseSucceed(fs.realPath(path.dirname(absolute)), () => path.dirname(file))
  return { path: path.join(folder, path.basename(absolute)), file } satisfies LocatedWorkflow
})

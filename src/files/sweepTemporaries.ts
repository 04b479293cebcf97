import { Clock, Duration, Effect } from "effect"
import { isTemporaryName } from "./paths.ts"
import { type FileEntry, type FileError, type Place, SafeFiles } from "./SafeFiles.ts"

/** No write takes that long: what is older was left behind by a death. */
const OLD = Duration.toMillis("1 hour")

/**
 * Removes what writes that were cut off have left in a folder and, down to `depth`, in those below it. Others may be
 * writing there meanwhile.
 */
export const sweepTemporaries = (
  place: Place,
  depth: number,
  path = ""
): Effect.Effect<void, FileError, SafeFiles> =>
  Effect.gen(function* () {
    const files = yield* SafeFiles
    const now = yield* Clock.currentTimeMillis
    const entries: ReadonlyArray<FileEntry> = yield* files.list(place, path).pipe(
      // A folder that is not there, or not ours to look into, holds nothing of ours.
      Effect.catchTag("FileError", (error) =>
        ["missing", "link", "kind"].includes(error.reason) ? Effect.succeed([]) : Effect.fail(error)
      )
    )
    for (const { kind, modifiedAt, name } of entries) {
      const inner = path === "" ? name : `${path}/${name}`
      if (kind === "file" && isTemporaryName(name) && now - modifiedAt > OLD) {
        yield* files.unlink(place, inner)
      }
      if (kind === "directory" && depth > 0) yield* sweepTemporaries(place, depth - 1, inner)
    }
  })

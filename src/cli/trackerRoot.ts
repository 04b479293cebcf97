import { Effect, FileSystem } from "effect"
import { inWords, type Trouble } from "./failures.ts"

/** What is wrong with `tracker.root`, before anything in it is read. Changes nothing. */
export const checkTrackerRoot = Effect.fn("trackerRoot.check")(function* (root: string) {
  const fs = yield* FileSystem.FileSystem
  const elsewhere = "or name another folder as tracker.root"
  const trouble = (what: string, todo: string): Trouble => ({ what, todo })
  const found = yield* fs
    .stat(root)
    .pipe(
      Effect.mapError((error) =>
        error.reason._tag === "NotFound"
          ? trouble(
              `there is no folder ${root}`,
              `make it (mkdir -p ${JSON.stringify(`${root}/Todo`)}), ${elsewhere}`
            )
          : trouble(
              `${root} cannot be looked at: ${inWords(error)}`,
              `let this account read it, ${elsewhere}`
            )
      )
    )
  if (found.type !== "Directory") {
    return yield* Effect.fail(
      trouble(`${root} is no folder`, "name the folder that has one folder for each state as tracker.root")
    )
  }
  yield* fs
    .readDirectory(root)
    .pipe(
      Effect.mapError((error) =>
        trouble(`${root} cannot be read: ${inWords(error)}`, `let this account read it, ${elsewhere}`)
      )
    )
})

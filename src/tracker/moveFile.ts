import { Effect } from "effect"
import type { FileError, Place, SafeFiles } from "../files/SafeFiles.ts"

/** What became of one file: `elsewhere` means that it is not the file that was meant, or is not there. */
export type FileMove = "moved" | "already" | "elsewhere" | "taken"

/**
 * Link, then unlink, each synced: at no moment is the file without a name, and no other file is overwritten
 * or lost. Asked for again after dying in between, it finishes.
 */
export const moveFile = Effect.fn("Tracker.moveFile")(function* (
  files: SafeFiles["Service"],
  place: Place,
  {
    from,
    inode,
    to,
    toFolder
  }: {
    readonly from: string
    readonly to: string
    readonly toFolder: string
    readonly inode: string
  }
): Effect.fn.Return<FileMove, FileError> {
  const isMeant = (path: string) =>
    Effect.map(files.stat(place, path), (stat) => stat?.kind === "file" && stat.inode === inode)

  const source = yield* isMeant(from)
  const target = yield* files.stat(place, to)
  if (target !== null && target.inode === inode) {
    if (source) yield* files.unlink(place, from)
    return "already"
  }
  if (!source) return "elsewhere"
  if (target !== null) return "taken"

  yield* files.makeDirectory(place, toFolder)
  const linked = yield* files.link(place, from, to).pipe(
    Effect.as(true),
    Effect.catchIf(
      ({ reason }) => reason === "exists" || reason === "missing",
      ({ reason }) => Effect.succeed(reason)
    )
  )
  if (linked === "exists") return (yield* isMeant(to)) ? "already" : "taken"
  if (linked !== true) return "elsewhere"
  // A person's editor may have put another file in its place while we linked: theirs stays where it is.
  if (!(yield* isMeant(to)) || !(yield* isMeant(from))) {
    yield* files.unlink(place, to)
    return "elsewhere"
  }
  yield* files.unlink(place, from)
  return "moved"
})

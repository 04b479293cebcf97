import { Effect } from "effect"
import type { FileError, Place, SafeFiles } from "../files/SafeFiles.ts"

/** What became of one file: `elsewhere` means that it is not the file that was meant, or is not there. */
export type FileMove = "moved" | "already" | "elsewhere" | "taken"

/**
 * Link, then unlink, each synced: at no moment is the file without a name, and no other file is overwritten
 * or lost. Asked for again after dying in between, it finishes; what a person did meanwhile to one of the two
 * names wins, and the other goes.
 */
export const moveFile = Effect.fn("Tracker.moveFile")(function* (
  files: SafeFiles["Service"],
  place: Place,
  {
    fileName,
    from,
    inode,
    to
  }: {
    /** State folders. */
    readonly from: string
    readonly to: string
    readonly fileName: string
    readonly inode: string
  }
): Effect.fn.Return<FileMove, FileError> {
  const [source, target] = [`${from}/${fileName}`, `${to}/${fileName}`]
  const isMeant = (path: string) =>
    Effect.map(files.stat(place, path), (stat) => stat?.kind === "file" && stat.inode === inode)
  const isMovedOn = Effect.gen(function* () {
    for (const folder of yield* files.list(place, "")) {
      if (folder.kind !== "directory" || folder.name === from || folder.name === to) continue
      if (yield* isMeant(`${folder.name}/${fileName}`)) return true
    }
    return false
  })

  const there = yield* files.stat(place, source)
  const isThere = there?.kind === "file" && there.inode === inode
  const isLinked = yield* isMeant(target)
  if ((isThere || isLinked) && (yield* isMovedOn)) {
    if (isThere) yield* files.unlink(place, source)
    if (isLinked) yield* files.unlink(place, target)
    return "elsewhere"
  }
  if (isLinked && there !== null && !isThere) {
    // Saved anew under its old name: that is the issue, and ours what it was before.
    yield* files.unlink(place, target)
    return "elsewhere"
  }
  if (isLinked) {
    // Whoever died in between may have left each name as it is unsynced: the new one must last before the old goes.
    yield* files.syncFolder(place, "")
    yield* files.syncFolder(place, to)
    yield* isThere ? files.unlink(place, source) : files.syncFolder(place, from)
    return "already"
  }
  if (!isThere) return "elsewhere"
  if ((yield* files.stat(place, target)) !== null) return "taken"

  yield* files.makeDirectory(place, to)
  yield* files.syncFolder(place, "")
  const linked = yield* files.link(place, source, target).pipe(
    Effect.as(true),
    Effect.catchIf(
      ({ reason }) => reason === "exists" || reason === "missing",
      ({ reason }) => Effect.succeed(reason)
    )
  )
  if (linked === "exists") return (yield* isMeant(target)) ? "already" : "taken"
  if (linked !== true) return "elsewhere"
  // A person's editor may have put another file in either place while we linked: theirs stays where it is.
  const [old, made] = [yield* files.stat(place, source), yield* files.stat(place, target)]
  const isMade = made?.kind === "file" && made.inode === inode
  const isOld = old?.kind === "file" && old.inode === inode
  if (isMade && isOld) {
    yield* files.unlink(place, source)
    return "moved"
  }
  if (isMade || (made !== null && made.inode === old?.inode)) yield* files.unlink(place, target)
  return isOld && made !== null ? "taken" : "elsewhere"
})

import * as fs from "node:fs"
import * as nodePath from "node:path"
import { Cause, Effect, Queue, Stream } from "effect"
import { attempt, lstat, openFolder, type Target, translate } from "./nodeFolder.ts"
import { fileError } from "./paths.ts"
import type { FileError, Place } from "./SafeFiles.ts"

/** The root may be reached through links, what is below it may not. */
const isStillThere = ({ root }: Place, path: string, inode: number): boolean =>
  (path === "" ? fs.statSync(root, { throwIfNoEntry: false }) : lstat(`${root}/${path}`))?.ino === inode

/** Emits `""` once the watch is in place; fails with `missing` when the folder goes away. */
export const watch = (place: Place, path: string): Stream.Stream<string, FileError> =>
  Stream.callback<string, FileError>(
    Effect.fnUntraced(function* (queue) {
      const target: Target = { operation: "watch", place, path }
      const gone = () => Queue.failCauseUnsafe(queue, Cause.fail(fileError("watch", place, path, "missing")))
      const watcher = yield* Effect.acquireRelease(
        Effect.scoped(
          Effect.flatMap(openFolder(target), (folder) =>
            attempt(target, () => {
              const inode = fs.fstatSync(folder.fd).ino
              const own = nodePath.basename(folder.self)
              const created = fs.watch(folder.self, { persistent: false })
              created.on("change", (event, name) => {
                // The folder's own end is told under the name by which it is watched.
                const about = name === null ? "" : String(name)
                if (event === "rename" && about === own && !isStillThere(place, path, inode)) gone()
                else Queue.offerUnsafe(queue, about)
              })
              return created
            })
          )
        ),
        (created) => Effect.sync(() => created.close())
      )
      watcher.on("error", (cause) =>
        Queue.failCauseUnsafe(queue, Cause.fail(translate("watch", place, path)(cause)))
      )
      Queue.offerUnsafe(queue, "")
    }),
    { bufferSize: 1024, strategy: "sliding" }
  )

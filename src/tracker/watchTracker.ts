import { Effect, FiberMap, Queue, Ref, type Scope, Stream } from "effect"
import type { Problem } from "../domain/Problem.ts"
import type { FileError, Place, SafeFiles } from "../files/SafeFiles.ts"
import { trackerProblem } from "./decodeIssue.ts"
import { type Extent, rootNameOf } from "./TrackerIndex.ts"

/** Changes come in bursts: an editor's save is three or four of them. */
const SETTLE = "20 millis"
/** A folder that went away or could not be watched is tried again this much later. */
const WATCH_AGAIN = "1 second"

interface Watching {
  readonly files: SafeFiles["Service"]
  readonly place: Place
  /** The state folders there are, whenever they may have changed. */
  readonly folders: Stream.Stream<ReadonlyMap<string, unknown>>
  /** Where to show that a folder cannot be watched. */
  readonly problems: Ref.Ref<ReadonlyArray<Problem>>
  readonly rescan: (extent: Extent) => Effect.Effect<unknown, FileError>
}

const ROOT = ""

/**
 * One watcher on the root and one on each state folder, as they come and go; each asks for a look when it is
 * in place and at each change. Who uses the tracker polls, as the net below.
 */
export const keepWatch = Effect.fnUntraced(function* ({
  files,
  folders,
  place,
  problems,
  rescan
}: Watching): Effect.fn.Return<void, never, Scope.Scope> {
  const dirty = yield* Queue.unbounded<string>()
  const watchers = yield* FiberMap.make<string, void, never>()

  const showProblem = (folder: string, error: FileError) => {
    const where = folder === ROOT ? place.root : `${rootNameOf(place)}/${folder}`
    const problem = trackerProblem(
      where,
      `changes are seen at the next poll only: ${error.detail}`,
      "raise fs.inotify.max_user_watches, or shorten polling.interval_ms",
      "warning"
    )
    return Ref.update(problems, (all) => [...all.filter((each) => each.where !== problem.where), problem])
  }

  const hideProblem = (folder: string) => {
    const where = folder === ROOT ? place.root : `${rootNameOf(place)}/${folder}`
    return Ref.update(problems, (all) => all.filter((each) => each.where !== where))
  }

  const watchOnce = (folder: string) =>
    files.watch(place, folder).pipe(
      Stream.runForEach((name) =>
        Effect.andThen(name === "" ? hideProblem(folder) : Effect.void, Queue.offer(dirty, folder))
      ),
      Effect.catchTag("FileError", (error) =>
        error.reason === "missing" ? Effect.void : showProblem(folder, error)
      ),
      Effect.andThen(Queue.offer(dirty, ROOT))
    )

  const watchAlways = (folder: string) =>
    Effect.forever(Effect.andThen(watchOnce(folder), Effect.sleep(WATCH_AGAIN)))

  yield* FiberMap.run(watchers, ROOT, watchAlways(ROOT))

  const followFolders = folders.pipe(
    Stream.runForEach((there) =>
      Effect.gen(function* () {
        for (const name of there.keys()) {
          yield* FiberMap.run(watchers, name, watchAlways(name), { onlyIfMissing: true })
        }
        for (const [name] of watchers) {
          if (name !== ROOT && !there.has(name)) yield* FiberMap.remove(watchers, name)
        }
      })
    )
  )

  /** Whatever happens in one look, the next one follows. */
  const lookAtChanges = Effect.forever(
    Effect.gen(function* () {
      const first = yield* Queue.take(dirty)
      yield* Effect.sleep(SETTLE)
      const names = new Set([first, ...(yield* Queue.clear(dirty))])
      // A failure is shown and logged by the scan itself.
      yield* Effect.ignore(rescan(names.has(ROOT) ? "all" : names))
    }).pipe(Effect.catchDefect((defect) => Effect.logError("tracker scan died", defect)))
  )

  yield* Effect.forkScoped(followFolders)
  yield* Effect.forkScoped(lookAtChanges)
})

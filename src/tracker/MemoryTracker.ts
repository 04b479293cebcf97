import { DateTime, Effect, Layer, Queue, Stream } from "effect"
import { Identifier, type IssueId } from "../domain/ids.ts"
import { policyOf, sameState } from "../domain/State.ts"
import { baseNameOf } from "./decodeIssue.ts"
import { checkNewIssue, fileNameOf, nextIdentifier } from "./newIssue.ts"
import { noteToAppend, unmarked } from "./notes.ts"
import { inOutage, sameSnapshot } from "./snapshot.ts"
import {
  IssueNameTaken,
  IssueNotFound,
  IssueUnreadable,
  type MoveResult,
  type NewIssue,
  Tracker,
  TrackerError,
  type TrackerSnapshot
} from "./Tracker.ts"
import { splitPath, type TrackerWorld } from "./TrackerWorld.ts"

export interface MemoryTrackerOptions {
  /**
   * Runs before each step that a crash can fall between: where a simulated world waits, fails, or stops for
   * good. `link` and `unlink` are the two halves of a move.
   */
  readonly before?: (step: {
    readonly operation: TrackerError["operation"] | "link" | "unlink"
    readonly path: string
  }) => Effect.Effect<void, TrackerError>
}

const ROOT = "tracker"

const make = (
  world: TrackerWorld,
  { before = () => Effect.void }: MemoryTrackerOptions
): Tracker["Service"] => {
  /** While the tracker cannot be read: what was seen last. What people do to the world is not seen. */
  let blind: TrackerSnapshot | null = null
  const watchers = new Set<() => void>()
  const snapshot = (): TrackerSnapshot => blind ?? world.snapshot()
  const setBlind = (to: TrackerSnapshot | null): void => {
    blind = to
    for (const watcher of watchers) watcher()
  }

  /** The step that begins with a look at the tracker: whether it can be read is known after it. */
  const look = (operation: "scan" | "read" | "create" | "append", path: string) =>
    Effect.suspend(() => before({ operation, path })).pipe(
      Effect.tapError(({ detail }) => Effect.sync(() => setBlind(inOutage(snapshot(), ROOT, detail)))),
      Effect.andThen(Effect.sync(() => (blind === null ? undefined : setBlind(null))))
    )

  const folderOf = (state: string): string => {
    const folders = world.paths().map((path) => splitPath(path).state)
    return folders.includes(state) ? state : (folders.find((name) => sameState(name, state)) ?? state)
  }

  const find = Effect.fnUntraced(function* (id: IssueId) {
    const { byId, unreadable } = world.snapshot()
    const issue = byId.get(id)
    if (issue !== undefined) return issue
    const path = world.paths().find((each) => {
      const file = world.file(each)
      return file?.spoiled === true && (file.written.id ?? baseNameOf(splitPath(each).fileName)) === id
    })
    return path !== undefined && unreadable.has(splitPath(path).fileName)
      ? yield* new IssueUnreadable({ path, detail: "it cannot be read" })
      : yield* new IssueNotFound({ id })
  })

  const elsewhere = (id: IssueId): MoveResult => ({
    _tag: "elsewhere",
    state: world.snapshot().byId.get(id)?.state ?? null
  })

  return Tracker.of({
    snapshot: Effect.sync(snapshot),
    lastScan: Effect.sync(world.looks),

    changes: Stream.callback<TrackerSnapshot>((queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const tell = (): void => void Queue.offerUnsafe(queue, snapshot())
          tell()
          watchers.add(tell)
          return { tell, stop: world.subscribe(tell) }
        }),
        ({ stop, tell }) =>
          Effect.sync(() => {
            watchers.delete(tell)
            stop()
          })
      )
    ).pipe(Stream.changesWith(sameSnapshot)),

    refresh: Effect.andThen(look("scan", ROOT), Effect.sync(world.rescan)),

    read: Effect.fn("Tracker.read")(function* (id) {
      yield* look("read", id)
      return yield* find(id)
    }),

    create: Effect.fn("Tracker.create")(function* (issue: NewIssue) {
      const state = folderOf(yield* Effect.fromResult(checkNewIssue(issue, world.states())))
      yield* look("create", state)
      const { issues } = world.snapshot()
      const identifier = issue.identifier ?? nextIdentifier(world.names())
      const fileName = fileNameOf(identifier)
      const path = `${state}/${fileName}`
      const same = (left: string, right: string) => left.toLowerCase() === right.toLowerCase()
      const claims = issues.find((one) => same(one.identifier, identifier) || same(one.id, identifier))
      const taken =
        world.paths().find((each) => same(splitPath(each).fileName, fileName)) ??
        (claims === undefined ? undefined : `${claims.state}/${claims.fileName}`)
      if (taken !== undefined) return yield* new IssueNameTaken({ path: taken })
      const createdAt = DateTime.formatIso(yield* DateTime.now)
      world.put(path, {
        id: identifier,
        identifier,
        title: issue.title.trim(),
        description: unmarked(issue.description ?? "").trim() || null,
        priority: issue.priority,
        labels: issue.labels.map((label) => label.trim().toLowerCase()),
        blockedBy: issue.blockedBy,
        createdAt,
        updatedAt: createdAt,
        proposedBy: issue.extra["proposed_by"] ?? null
      })
      return { identifier: Identifier.make(identifier), state, path }
    }),

    move: Effect.fn("Tracker.move")(function* ({ fileName, from, id, inode, to: wanted }) {
      const to = folderOf(policyOf(world.states(), wanted)?.name ?? wanted.trim())
      const [source, target] = [`${from}/${fileName}`, `${to}/${fileName}`]
      const isMeant = (path: string) => world.file(path)?.inode === inode
      yield* before({ operation: "move", path: source })
      if (sameState(from, to)) {
        return isMeant(source) ? ({ _tag: "already", state: from } satisfies MoveResult) : elsewhere(id)
      }
      const linked = isMeant(target)
      const isMovedOn = world
        .paths()
        .some((path) => path.endsWith(`/${fileName}`) && path !== source && path !== target && isMeant(path))
      const isSavedAnew = linked && world.file(source) !== undefined && !isMeant(source)
      if (isMovedOn || isSavedAnew) {
        for (const path of [source, target]) if (isMeant(path)) world.remove(path)
        return elsewhere(id)
      }
      if (!linked) {
        if (!isMeant(source)) return elsewhere(id)
        if (world.file(target) !== undefined) return yield* new IssueNameTaken({ path: target })
        yield* before({ operation: "link", path: target })
        if (!isMeant(source)) return elsewhere(id)
        if (world.file(target) !== undefined) return yield* new IssueNameTaken({ path: target })
        world.link(source, target)
      }
      if (isMeant(source)) {
        yield* before({ operation: "unlink", path: source })
        if (isMeant(source)) world.remove(source)
      }
      return { _tag: linked ? "already" : "moved", state: to } satisfies MoveResult
    }),

    append: Effect.fn("Tracker.append")(function* (id, block) {
      yield* look("append", id)
      const { fileName, state } = yield* find(id)
      const path = `${state}/${fileName}`
      const written = world.file(path)?.written ?? {}
      const text = written.description ?? ""
      const note = noteToAppend(text, block)
      // As on a disk, where a note is written by replacing the file: another inode.
      if (note !== null) world.put(path, { ...written, description: `${text}${note}`.trim() })
    })
  })
}

/** Issues that live in a `TrackerWorld`, which may outlive this layer. */
export const layer = (world: TrackerWorld, options: MemoryTrackerOptions = {}): Layer.Layer<Tracker> =>
  Layer.sync(Tracker, () => make(world, options))

import { Clock, DateTime, Effect, Layer, Ref, Semaphore, Stream, SubscriptionRef } from "effect"
import { Identifier, type IssueId } from "../domain/ids.ts"
import type { Issue } from "../domain/Issue.ts"
import { stateNameFault } from "../domain/names.ts"
import { type Problem, renderProblem } from "../domain/Problem.ts"
import { policyOf, sameState } from "../domain/State.ts"
import { type FileError, type Place, SafeFiles } from "../files/SafeFiles.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { baseNameOf } from "./decodeIssue.ts"
import { moveFile } from "./moveFile.ts"
import { checkNewIssue, fileNameOf, nextIdentifier, renderNewIssue } from "./newIssue.ts"
import { noteToAppend } from "./notes.ts"
import { inOutage, makeSnapshot, sameSnapshot } from "./snapshot.ts"
import {
  IssueNameTaken,
  IssueNotFound,
  IssueUnreadable,
  type MoveResult,
  Tracker,
  TrackerError,
  type TrackerSnapshot
} from "./Tracker.ts"
import {
  emptyIndex,
  type Extent,
  filesIn,
  findings,
  LARGEST_ISSUE,
  rootNameOf,
  scan,
  type TrackerIndex
} from "./TrackerIndex.ts"
import { keepWatch } from "./watchTracker.ts"

const trackerError = (operation: TrackerError["operation"]) => (error: FileError) =>
  new TrackerError({ operation, path: error.path, detail: error.detail })

interface Seen {
  readonly index: TrackerIndex
  readonly snapshot: TrackerSnapshot
}

/** Logs each problem when it is new, not at every scan that finds it again. */
const logNew = Effect.fnUntraced(function* (before: ReadonlyArray<Problem>, now: ReadonlyArray<Problem>) {
  const known = new Set(before.map(renderProblem))
  for (const problem of now) {
    const text = renderProblem(problem)
    if (known.has(text)) continue
    const log = problem.severity === "error" ? Effect.logError : Effect.logWarning
    yield* log("problem in the tracker").pipe(Effect.annotateLogs({ problem: text }))
  }
})

const make = Effect.gen(function* () {
  const files = yield* SafeFiles
  const workflow = yield* Workflow
  const place: Place = { root: (yield* workflow.current).config.tracker.root }
  const policies = Effect.map(workflow.current, ({ config }) => config.states)
  const pathOf = (state: string, fileName: string) => `${rootNameOf(place)}/${state}/${fileName}`

  /** One scan or change at a time: each builds on what the one before saw. */
  const turn = yield* Semaphore.make(1)
  const scans = yield* Ref.make(0)
  const watchProblems = yield* Ref.make<ReadonlyArray<Problem>>([])

  /** Names that issues have, or have had. */
  const names = new Set<string>()

  const look = Effect.fnUntraced(function* (index: TrackerIndex, extent: Extent) {
    const scanner = { files, place, now: yield* Clock.currentTimeMillis }
    const number = yield* Ref.updateAndGet(scans, (before) => before + 1)
    const next = yield* scan(scanner, index, extent)
    const found = findings(next, place, number)
    const problems = [...found.problems, ...(yield* Ref.get(watchProblems))]
    const snapshot = makeSnapshot({ ...found, problems }, yield* policies)
    for (const { fileName } of filesIn(next)) names.add(baseNameOf(fileName))
    for (const { identifier } of snapshot.issues) names.add(identifier)
    return { index: next, snapshot } satisfies Seen
  })

  const seen = yield* look(emptyIndex, "all").pipe(
    Effect.mapError(trackerError("scan")),
    Effect.tap((first) => logNew([], first.snapshot.problems)),
    Effect.flatMap((first) => SubscriptionRef.make<Seen>(first))
  )
  const snapshot = Effect.map(SubscriptionRef.get(seen), (now) => now.snapshot)

  const showFailure = Effect.fnUntraced(function* (error: FileError) {
    const last = yield* SubscriptionRef.get(seen)
    if (last.snapshot.outage === error.detail) return
    yield* Effect.logError("tracker cannot be read", error)
    yield* SubscriptionRef.set(seen, {
      ...last,
      snapshot: inOutage(last.snapshot, place.root, error.detail)
    })
  })

  const rescan = Effect.fnUntraced(function* (extent: Extent) {
    const last = yield* SubscriptionRef.get(seen)
    const next = yield* look(last.index, extent)
    yield* SubscriptionRef.set(seen, next)
    if (last.snapshot.outage !== null) yield* Effect.logInfo("tracker can be read again")
    yield* logNew(last.snapshot.problems, next.snapshot.problems)
    return next.snapshot
  }, Effect.tapError(showFailure))

  const refresh = turn.withPermit(rescan("all")).pipe(Effect.mapError(trackerError("scan")))

  yield* keepWatch({
    files,
    place,
    folders: SubscriptionRef.changes(seen).pipe(Stream.map(({ index }) => index.folders)),
    problems: watchProblems,
    rescan: (extent) => turn.withPermit(rescan(extent))
  })

  /** Why an issue that was in this file is not in the snapshot. */
  const absence = (id: IssueId, fileName: string, now: TrackerSnapshot) => {
    const file = now.unreadable.get(fileName)
    return file === undefined
      ? new IssueNotFound({ id })
      : new IssueUnreadable({ path: file.problem.where, detail: file.problem.message })
  }

  const isThere = (issue: Issue) =>
    Effect.map(
      files.stat(place, `${issue.state}/${issue.fileName}`),
      (stat) => stat?.kind === "file" && stat.inode === issue.inode
    )

  /** The issue as its file is now, wherever it lies. */
  const find = Effect.fnUntraced(function* (id: IssueId, operation: TrackerError["operation"]) {
    const fail = Effect.mapError(trackerError(operation))
    const known = (yield* snapshot).byId.get(id)
    const near = known !== undefined && (yield* fail(isThere(known)))
    const now = yield* fail(rescan(near ? new Set([known.state]) : "all"))
    const found = now.byId.get(id)
    return found ?? (yield* absence(id, known?.fileName ?? `${id}.md`, now))
  })

  const read = Effect.fn("Tracker.read")((id: IssueId) => find(id, "read"), turn.withPermit)

  const create = Effect.fn("Tracker.create")(function* (issue: Parameters<Tracker["Service"]["create"]>[0]) {
    const declared = yield* Effect.fromResult(checkNewIssue(issue, yield* policies))
    const now = yield* Effect.mapError(rescan("all"), trackerError("create"))
    const { index } = yield* SubscriptionRef.get(seen)
    const identifier = issue.identifier ?? nextIdentifier(names)
    const state = folderOf(index, declared)
    const fileName = fileNameOf(identifier)
    const path = `${state}/${fileName}`
    const taken = whereTaken(index, now, identifier, fileName)
    if (taken !== undefined) return yield* new IssueNameTaken({ path: pathOf(taken.state, taken.fileName) })
    const text = renderNewIssue(identifier, issue, DateTime.formatIso(yield* DateTime.now))
    yield* files
      .createExclusive(place, path, text)
      .pipe(
        Effect.mapError((error) =>
          error.reason === "exists"
            ? new IssueNameTaken({ path: pathOf(state, fileName) })
            : trackerError("create")(error)
        )
      )
    yield* Effect.mapError(rescan(new Set([state])), trackerError("create"))
    return { identifier: Identifier.make(identifier), state, path: `${place.root}/${path}` }
  }, turn.withPermit)

  const move = Effect.fn("Tracker.move")(function* (request: Parameters<Tracker["Service"]["move"]>[0]) {
    const fail = trackerError("move")
    const { index } = yield* SubscriptionRef.get(seen)
    const wrong = stateNameFault(request.to)
    if (wrong !== undefined) {
      return yield* new TrackerError({ operation: "move", path: request.to, detail: `state: ${wrong}` })
    }
    const elsewhere = Effect.map(Effect.mapError(rescan("all"), fail), (now): MoveResult => ({
      _tag: "elsewhere",
      state: now.byId.get(request.id)?.state ?? null
    }))
    const to = folderOf(index, policyOf(yield* policies, request.to)?.name ?? request.to.trim())
    if (sameState(request.from, to)) {
      const stat = yield* Effect.mapError(files.stat(place, `${request.from}/${request.fileName}`), fail)
      return stat?.inode === request.inode
        ? ({ _tag: "already", state: request.from } satisfies MoveResult)
        : yield* elsewhere
    }
    const moved = yield* moveFile(files, place, {
      from: request.from,
      to,
      fileName: request.fileName,
      inode: request.inode
    }).pipe(Effect.mapError(fail))
    if (moved === "elsewhere") return yield* elsewhere
    yield* Effect.mapError(rescan(new Set([request.from, to])), fail)
    if (moved === "taken") return yield* new IssueNameTaken({ path: pathOf(to, request.fileName) })
    return { _tag: moved, state: to } satisfies MoveResult
  }, turn.withPermit)

  const appendOnce = Effect.fnUntraced(function* (
    id: IssueId,
    block: Parameters<Tracker["Service"]["append"]>[1]
  ) {
    const { fileName, state } = yield* find(id, "append")
    const path = `${state}/${fileName}`
    const unreadable = (detail: string) => new IssueUnreadable({ path: pathOf(state, fileName), detail })
    const stat = yield* files.stat(place, path)
    const bytes = yield* files
      .read(place, path, LARGEST_ISSUE)
      .pipe(
        Effect.mapError((error) =>
          error.reason === "link" || error.reason === "kind" || error.reason === "too_large"
            ? unreadable(error.detail)
            : error
        )
      )
    const note = noteToAppend(new TextDecoder().decode(bytes), block)
    // It is there, but whoever wrote it may have died before it was durable.
    if (note === null) return yield* files.syncFolder(place, state)
    const content = Buffer.concat([bytes, Buffer.from(note)])
    if (content.length > LARGEST_ISSUE) return yield* unreadable("there is no room for a note in it")
    yield* files.writeAtomic(place, path, content, stat === null ? {} : { replaces: stat })
    yield* rescan(new Set([state]))
  })

  const append = Effect.fn("Tracker.append")(
    (id: IssueId, block: Parameters<Tracker["Service"]["append"]>[1]) =>
      appendOnce(id, block).pipe(
        // An editor has saved it since it was read.
        Effect.retry({
          while: (error) => error._tag === "FileError" && error.reason === "changed",
          times: 5
        }),
        Effect.catchTag("FileError", (error) => Effect.fail(trackerError("append")(error)))
      ),
    turn.withPermit
  )

  return Tracker.of({
    snapshot,
    lastScan: Ref.get(scans),
    changes: SubscriptionRef.changes(seen).pipe(
      Stream.map((now) => now.snapshot),
      Stream.changesWith(sameSnapshot)
    ),
    refresh,
    read,
    create,
    move,
    append
  })
})

/** The file, in whatever state, that has the name already or says that it is the issue of that identifier. */
const whereTaken = (
  index: TrackerIndex,
  { issues }: TrackerSnapshot,
  identifier: string,
  fileName: string
): { readonly state: string; readonly fileName: string } | undefined => {
  const same = (left: string, right: string) => left.toLowerCase() === right.toLowerCase()
  return (
    filesIn(index).find((file) => same(file.fileName, fileName)) ??
    issues.find((issue) => same(issue.identifier, identifier) || same(issue.id, identifier))
  )
}

/** The folder of a state that is there already, whatever its case, else the name given. */
const folderOf = (index: TrackerIndex, state: string): string =>
  index.folders.has(state)
    ? state
    : ([...index.folders.keys()].find((name) => sameState(name, state)) ?? state)

/**
 * Issues as Markdown files in `tracker.root` of the workflow, one folder a state. The root is that of the
 * start; states follow the workflow. Fails when the root cannot be read at the start.
 */
export const layer: Layer.Layer<Tracker, TrackerError, SafeFiles | Workflow> = Layer.effect(Tracker, make)

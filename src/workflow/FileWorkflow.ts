import { basename, dirname } from "node:path"
import { Effect, Layer, Queue, Ref, Result, Schedule, Semaphore, Stream, SubscriptionRef } from "effect"
import { renderProblem, type Problem } from "../domain/Problem.ts"
import { SafeFiles, type FileError } from "../files/SafeFiles.ts"
import { decodeWorkflow, type DecodedWorkflow } from "./decodeWorkflow.ts"
import { readEnvironment } from "./environment.ts"
import { afterStart } from "./restart.ts"
import { Workflow, WorkflowError } from "./Workflow.ts"

const LARGEST = 1024 * 1024
/** Editors write in several steps; what is read in between is read again. */
const SETTLE = "100 millis"
/** What a watch says first: from now on nothing is missed. */
const WATCHING = ""
const WATCH_AGAIN = Schedule.spaced("5 seconds")

const unreadable = (path: string, error: FileError): WorkflowError =>
  new WorkflowError({
    path,
    code: error.reason === "missing" ? "missing_workflow_file" : "workflow_parse_error",
    problems: [
      {
        source: "workflow",
        severity: "error",
        where: basename(path),
        message: error.reason === "missing" ? `workflow file not found: ${path}` : error.message,
        hint: error.reason === "link" ? "give the path of the file that the link points to" : null
      }
    ]
  })

const notConfigured = (path: string, detail: string): WorkflowError =>
  new WorkflowError({
    path,
    code: "workflow_parse_error",
    problems: [
      {
        source: "workflow",
        severity: "error",
        where: basename(path),
        message: `the environment cannot be read: ${detail}`,
        hint: null
      }
    ]
  })

interface Shown {
  /** Of the definition in force. */
  readonly warnings: ReadonlyArray<Problem>
  /** Why the newest edit is not in force. */
  readonly refusal: ReadonlyArray<Problem>
}

const allOf = ({ refusal, warnings }: Shown): ReadonlyArray<Problem> => [...warnings, ...refusal]

/**
 * WORKFLOW.md at an absolute path, whose folder is the project's; `file` is what is read where that is a link. Fails when the file is bad at the start. Later a bad edit leaves the last
 * good definition in force and shows in `problems` until it is mended; a good one replaces all of it at once,
 * except for keys that need a restart, which keep their value and show as warnings.
 */
export const layer = (path: string, file = path): Layer.Layer<Workflow, WorkflowError, SafeFiles> =>
  Layer.effect(
    Workflow,
    Effect.gen(function* () {
      const files = yield* SafeFiles
      const folder = { root: dirname(file) }
      const name = basename(file)

      const read = Effect.gen(function* () {
        const { text } = yield* files
          .readText(folder, name, LARGEST)
          .pipe(Effect.mapError((error) => unreadable(path, error)))
        const environment = yield* readEnvironment(text).pipe(
          Effect.mapError((error) => notConfigured(path, error.message))
        )
        return yield* Effect.fromResult(decodeWorkflow(path, text, environment))
      })

      const atStart = yield* read
      const inForce = yield* SubscriptionRef.make(atStart.definition)
      const shown = yield* Ref.make<Shown>({ warnings: [], refusal: [] })

      /** Logs each problem when it is new, not at every reading that finds it again. */
      const show = Effect.fnUntraced(function* (now: Shown) {
        const before = new Set(allOf(yield* Ref.getAndSet(shown, now)).map(renderProblem))
        for (const problem of allOf(now)) {
          if (before.has(renderProblem(problem))) continue
          const log = problem.severity === "error" ? Effect.logError : Effect.logWarning
          yield* log("problem in the workflow").pipe(Effect.annotateLogs({ problem: renderProblem(problem) }))
        }
      })
      yield* show({ warnings: atStart.warnings, refusal: [] })

      const apply = Effect.fnUntraced(function* ({ definition, warnings }: DecodedWorkflow) {
        const next = afterStart(atStart.definition, definition)
        const present = yield* SubscriptionRef.get(inForce)
        const wasRefused = (yield* Ref.get(shown)).refusal.length > 0
        yield* show({ warnings: [...warnings, ...next.warnings], refusal: [] })
        if (JSON.stringify(next.definition) === JSON.stringify(present)) {
          if (wasRefused) yield* Effect.logInfo("the workflow is mended: what is in force stays")
          return
        }
        yield* SubscriptionRef.set(inForce, next.definition)
        yield* Effect.logInfo("workflow reloaded")
      })

      const reject = Effect.fnUntraced(function* ({ problems }: WorkflowError) {
        const { warnings } = yield* Ref.get(shown)
        yield* show({ warnings, refusal: problems })
      })

      const oneAtATime = yield* Semaphore.make(1)
      const refresh = oneAtATime.withPermit(
        Effect.flatMap(Effect.result(read), Result.match({ onFailure: reject, onSuccess: apply }))
      )

      // One place is enough: a signal says "read again", and one that comes during a reload stays in it.
      const changed = yield* Queue.sliding<void>(1)
      const watch = files.watch(folder, ".").pipe(
        Stream.filter((entry) => entry === name || entry === WATCHING),
        Stream.runForEach(() => Queue.offer(changed, undefined)),
        Effect.catchTag("FileError", (error) =>
          Effect.logWarning("the folder of the workflow is not watched", error)
        ),
        Effect.repeat(WATCH_AGAIN)
      )
      const reload = Effect.gen(function* () {
        const { intervalMs } = (yield* SubscriptionRef.get(inForce)).config.polling
        yield* Queue.take(changed).pipe(Effect.timeoutOption(intervalMs))
        yield* Effect.sleep(SETTLE)
        yield* Queue.clear(changed)
        yield* refresh
      })
      yield* Effect.forkScoped(watch)
      yield* Effect.forkScoped(Effect.forever(reload))

      return Workflow.of({
        current: SubscriptionRef.get(inForce),
        changes: SubscriptionRef.changes(inForce),
        problems: Effect.map(Ref.get(shown), allOf),
        refresh
      })
    })
  )

import { Console, Effect, FileSystem, Path, Ref, Stream } from "effect"
import { Board, type BoardIssue } from "../../board/Board.ts"
import type { Tokens } from "../../domain/Tokens.ts"
import { SafeFiles } from "../../files/SafeFiles.ts"
import { Git } from "../../handoff/Git.ts"
import { symphony } from "../../layers.ts"
import { Scheduler } from "../../scheduler/Scheduler.ts"
import { Operator } from "../../workflow/Operator.ts"
import { CommandFailed, failWith } from "../failures.ts"
import { greet } from "../greet.ts"
import * as logging from "../logging.ts"
import { narrate } from "../narrate.ts"
import { cell, showTokens, table } from "../outcomeTable.ts"
import { endOfOnce, startFailure } from "../program.ts"
import { untilQuiet } from "../untilQuiet.ts"
import { makeProject } from "./makeProject.ts"
import { DEMO_ANSWER, type DemoIssue, demoIssues } from "./project.ts"
import { redToGreen } from "./redToGreen.ts"

export interface DemoOptions {
  /** A folder that does not exist yet; a new temporary one by default. */
  readonly folder: string | null
  readonly once: boolean
  readonly port: number | null
  readonly sandbox: "host" | "bubblewrap" | "smolvm"
  readonly bin: string
}

/** Where the project is made, and what goes again if it comes to nothing. */
const whereTo = Effect.fnUntraced(function* (given: string | null) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  if (given !== null) {
    const folder = path.resolve(given)
    return { folder, made: folder }
  }
  const made = yield* fs.makeTempDirectory({ prefix: "symphony-demo-" })
  return { folder: path.join(made, "project"), made }
})

/** With `--once` the demo is its own operator. */
const answerQuestions = Effect.gen(function* () {
  const scheduler = yield* Scheduler
  yield* scheduler.views.pipe(
    Stream.runForEach((view) =>
      Effect.forEach(
        Object.values(view.state.issues).filter(
          (issue) => issue.steering !== null && issue.steering.reply === null
        ),
        (issue) =>
          scheduler.command({ _tag: "Answer", issue: issue.id, question: null, text: DEMO_ANSWER }).pipe(
            // Answered in the meantime, on the page for instance.
            Effect.catchTag("CommandRefused", (refused) => Effect.logDebug(refused.message))
          ),
        { discard: true }
      )
    )
  )
})

/** Also those that are a lower bound, since the agent's failed turn told none. */
const scripted = (tokens: Tokens): string => {
  const shown = showTokens(tokens)
  return /\d$/.test(shown) ? `${shown} scripted` : shown
}

interface Row {
  readonly cells: ReadonlyArray<string>
  readonly good: boolean
}

const rowOf = Effect.fnUntraced(function* (project: string, issue: BoardIssue, demo: DemoIssue) {
  const patch = issue.handoff?.patch ?? null
  const colours =
    patch === null
      ? null
      : yield* redToGreen(project, patch, demo.test).pipe(
          Effect.tapError((error) => Effect.logError("the patch cannot be checked", error)),
          Effect.orElseSucceed(() => null)
        )
  const word = (passes: boolean) => (passes ? "green" : "red")
  const good = issue.role === "terminal" && colours !== null && !colours.before && colours.after
  const row: Row = {
    good,
    cells: [
      issue.identifier,
      issue.state,
      String(issue.attempts),
      scripted(issue.tokens),
      colours === null ? "not checked" : `${word(colours.before)} → ${word(colours.after)}`,
      cell(patch ?? "none")
    ]
  }
  return row
})

const report = Effect.fnUntraced(function* (project: string) {
  const board = yield* Board
  const { issues } = yield* board.snapshot
  const rows = yield* Effect.forEach(
    demoIssues.flatMap((demo) => {
      const issue = issues.find((candidate) => candidate.identifier === demo.identifier)
      return issue === undefined ? [] : [{ demo, issue }]
    }),
    ({ demo, issue }) => rowOf(project, issue, demo)
  )
  yield* Console.log(
    `\n${table([["issue", "state", "attempts", "tokens", "its test", "patch"], ...rows.map((row) => row.cells)])}`
  )
  yield* Console.log("\nA demo agent follows scripts: its tokens are scripted, no model was asked.")
  yield* endOfOnce
  if (rows.length < demoIssues.length || rows.some((row) => !row.good)) {
    return yield* failWith(1, "error: a patch does not turn its test from red to green")
  }
})

/** `symphony demo`: the main job on a sample project, with the scripted agent and no VM. */
export const demo = Effect.fn("cli.demo")(function* (options: DemoOptions) {
  const path = yield* Path.Path
  const files = yield* SafeFiles
  const { folder, made } = yield* whereTo(options.folder)
  const started = yield* Ref.make(false)
  /** The same call can be made again once what was in its way is gone. */
  const takeBack = Effect.gen(function* () {
    if (yield* Ref.get(started)) return
    yield* files
      .removeTree({ root: path.dirname(made) }, path.basename(made))
      .pipe(Effect.catch((error) => Effect.logWarning("the sample project is not removed", error)))
  })
  const workflow = yield* makeProject(folder, { sandbox: options.sandbox }).pipe(
    Effect.tapError((error) =>
      error._tag === "DemoFolderTaken" || error._tag === "DemoFolderRefused" ? Effect.void : takeBack
    ),
    Effect.mapError((error) => failWith(error._tag === "DemoFolderTaken" ? 2 : 1, `error: ${error.message}`))
  )
  const program = Effect.gen(function* () {
    const scheduler = yield* Scheduler
    yield* Ref.set(started, true)
    yield* Console.log(`A sample project with four failing tests and four issues is in ${folder}`)
    yield* greet
    yield* Effect.forkScoped(narrate)
    if (options.once) yield* Effect.forkScoped(answerQuestions)
    if (!options.once) return yield* scheduler.died
    yield* Effect.raceFirst(untilQuiet, scheduler.died)
    return yield* report(folder)
  }).pipe(Effect.scoped)
  yield* program.pipe(
    Effect.provide(
      symphony({
        workflow: { path: workflow, file: workflow },
        bin: options.bin,
        port: options.port,
        // What is exported is for the operator's own project.
        operator: Operator.layerNothingSet
      })
    ),
    Effect.mapError((error) => (error instanceof CommandFailed ? error : startFailure(error))),
    Effect.onError(() => takeBack),
    // What happens is told in words; the log speaks up when something is wrong.
    Effect.provide(logging.layer("Warn"))
  )
}, Effect.provide(Git.layer))

import { Config, Console, Effect, Layer, Option, Schema } from "effect"
import { RunId } from "../domain/ids.ts"
import { printableLine } from "../domain/printable.ts"
import * as GitHandoff from "../handoff/GitHandoff.ts"
import { type Exported, Handoff, type HandoffError, type Published } from "../handoff/Handoff.ts"
import { type HandoffRecord, latestHandoffRecord, readHandoffRecord, requestOf } from "../handoff/record.ts"
import * as FileWorkflow from "../workflow/FileWorkflow.ts"
import { modeOf, Operator } from "../workflow/Operator.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { CommandFailed, failWith } from "./failures.ts"
import { locateWorkflow } from "./locateWorkflow.ts"
import { startFailure } from "./program.ts"
import { tellOrchestrator } from "./tellOrchestrator.ts"

export interface HandoffOptions {
  /** Null: the run of the hook that calls. */
  readonly identifier: string | null
  /** As given; null: that of the hook that calls, else WORKFLOW.md in the current folder. */
  readonly workflow: string | null
}

/** What a hook is told about its run, where a hook calls. */
const hookEnvironment = Config.all({
  run: Config.option(Config.String("SYMPHONY_RUN_ID")),
  workflow: Config.option(Config.String("SYMPHONY_WORKFLOW"))
})

const handoffFailure =
  (record: Pick<HandoffRecord, "identifier" | "runId"> | null) => (error: HandoffError) =>
    failWith(
      error.reason === "source" ? 2 : 1,
      [
        `error: ${record === null ? "" : `${printableLine(record.identifier, 100)}, run ${record.runId}: `}${error.detail}`,
        ...(error.hint === null ? [] : [`  ${error.hint}`])
      ].join("\n")
    )

/** The run that is meant, as it was first asked to hand over. */
const findRecord = Effect.fnUntraced(function* (identifier: string | null, run: Option.Option<string>) {
  const workflow = yield* (yield* Workflow).current
  if (identifier !== null) {
    const record = yield* latestHandoffRecord(workflow, identifier).pipe(
      Effect.mapError(handoffFailure(null))
    )
    if (record !== null) return record
    return yield* failWith(
      1,
      `error: no run of ${printableLine(identifier, 100)} has come to its handoff: its agent has not said yet that it is done`
    )
  }
  if (Option.isNone(run)) {
    return yield* failWith(2, "error: which issue? symphony handoff IDENTIFIER [--workflow WORKFLOW.md]")
  }
  const runId = yield* Schema.decodeEffect(RunId)(run.value).pipe(
    Effect.mapError(() => failWith(2, `error: SYMPHONY_RUN_ID is not a run: ${printableLine(run.value, 80)}`))
  )
  const record = yield* readHandoffRecord(workflow, runId).pipe(Effect.mapError(handoffFailure(null)))
  return record ?? (yield* failWith(1, `error: run ${runId} has nothing to hand off: it was not done`))
})

const count = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? "" : "s"}`

const shown = (record: HandoffRecord, exported: Exported, published: Published | null): string => {
  const row = (name: string, value: string) => `  ${name.padEnd(13)}${printableLine(value, 4096)}`
  return [
    `${printableLine(record.identifier, 100)}, run ${record.runId}: ${exported.verdict}, ` +
      `${count(exported.commits, "commit")}, ${count(exported.files.length, "file")}`,
    ...exported.flags.map(({ kind, detail }) => row("look at", `${kind}: ${detail}`)),
    ...(exported.patch === null ? [] : [row("patch", exported.patch)]),
    ...(exported.bundle === null ? [] : [row("bundle", exported.bundle)]),
    row("report", exported.report),
    ...(published?.url == null ? [] : [row("pull request", published.url)])
  ].join("\n")
}

const again = Effect.fnUntraced(function* (identifier: string | null, run: Option.Option<string>) {
  const workflow = yield* (yield* Workflow).current
  const mode = modeOf(yield* Operator, workflow)
  if (mode === "none") {
    return yield* failWith(2, "error: handoff.mode is none: commits stay in the workspace, hooks do the rest")
  }
  const handoff = yield* Handoff
  const record = yield* findRecord(identifier, run)
  const request = requestOf(record, workflow)
  const failed = Effect.mapError(handoffFailure(record))
  const exported = yield* handoff.exportRun(request).pipe(failed)
  const publishes = mode === "pull_request" && exported.verdict === "verified"
  if (!publishes) {
    yield* Console.log(shown(record, exported, null))
    return record.identifier
  }
  const published = yield* handoff.publish(request, exported).pipe(
    // What is written is worth to be known all the more.
    Effect.tapError(() => Console.log(shown(record, exported, null))),
    failed
  )
  yield* Console.log(shown(record, exported, published))
  return record.identifier
})

/**
 * `symphony handoff`: asks for the handoff of a run again, the same way and under the same name, so that it may
 * be asked for as often as one likes. Takes no lock: a hook calls it while the orchestrator runs. An orchestrator that
 * holds the issue for this is told to go on.
 */
export const handoff = Effect.fn("cli.handoff")(function* (options: HandoffOptions) {
  const hook = yield* hookEnvironment
  const { file, path } = yield* locateWorkflow(
    options.workflow ?? Option.getOrElse(hook.workflow, () => "WORKFLOW.md")
  )
  const services = GitHandoff.layer.pipe(
    Layer.provideMerge(Operator.layer),
    Layer.provideMerge(FileWorkflow.layer(path, file))
  )
  yield* again(options.identifier, hook.run).pipe(
    // A hook is a part of the run that the orchestrator is at.
    Effect.flatMap((identifier) => (Option.isSome(hook.run) ? Effect.void : tellOrchestrator(identifier))),
    Effect.provide(services),
    Effect.mapError((error) => (error instanceof CommandFailed ? error : startFailure(error)))
  )
})

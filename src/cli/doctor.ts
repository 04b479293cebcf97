import { Console, Effect, Layer, Result } from "effect"
import { adapterOf } from "../agent/adapters.ts"
import * as HostCredentials from "../agent/HostCredentials.ts"
import { printable } from "../domain/printable.ts"
import * as GitHandoff from "../handoff/GitHandoff.ts"
import * as SandboxLayers from "../sandbox/layers.ts"
import { diagnose } from "../sandbox/smolvm/diagnose.ts"
import { renderProblem } from "../domain/Problem.ts"
import * as FileWorkflow from "../workflow/FileWorkflow.ts"
import { Operator } from "../workflow/Operator.ts"
import { Workflow } from "../workflow/Workflow.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import * as LocalWorkspaces from "../workspace/LocalWorkspaces.ts"
import { CommandFailed, failWith } from "./failures.ts"
import * as logging from "./logging.ts"
import { locateWorkflow } from "./locateWorkflow.ts"
import { adaptersOf, type Check, checksOf, sandboxCheck } from "./preflight.ts"
import { startFailure } from "./program.ts"

export interface DoctorOptions {
  /** As given; relative to the current folder. */
  readonly workflow: string
}

const line = (mark: string, name: string, text: string): string =>
  `${mark} ${name}${text === "" ? "" : `: ${printable(text)}`}`

/** Asks, says the answer, and tells whether it was good. */
const ask = Effect.fnUntraced(function* ({ name, run }: Check) {
  const answer = yield* Effect.result(run)
  if (Result.isSuccess(answer)) {
    yield* Console.log(line("✓", name, typeof answer.success === "string" ? answer.success : ""))
    return true
  }
  for (const { todo, what } of answer.failure) {
    yield* Console.log(line("✗", name, what))
    if (todo !== null) yield* Console.log(`    ${printable(todo)}`)
  }
  return false
})

/** Each needs what was asked before: after the first that fails the others would only say so again. */
const examineSmolvm = Effect.fnUntraced(function* (definition: WorkflowDefinition) {
  let good = true
  const readonlyPaths = adaptersOf(definition).flatMap((name) => adapterOf(name).readonlyPaths)
  for (const { name, run } of yield* diagnose(definition, readonlyPaths)) {
    const asked = Effect.mapError(run, ({ detail, hint }) => [{ what: detail, todo: hint }])
    if (yield* ask({ name, run: asked })) continue
    good = false
    if (name === "smolvm") break
  }
  return good
})

const examine = Effect.gen(function* () {
  const workflow = yield* Workflow
  const definition = yield* workflow.current
  const problems = yield* workflow.problems
  yield* Console.log(line("✓", "workflow", definition.path))
  for (const problem of problems) yield* Console.log(`  ! ${renderProblem(problem)}`)

  let good = true
  for (const check of yield* checksOf(definition)) good = (yield* ask(check)) && good
  // Of smolvm more is to be asked than whether it is there.
  const sandbox =
    definition.config.sandbox.kind === "smolvm"
      ? yield* examineSmolvm(definition)
      : yield* ask(yield* sandboxCheck(definition))
  return good && sandbox
})

/**
 * `symphony doctor`: looks at all that a run needs, one line a thing, and says what to do about what is
 * missing. Takes no lock and touches nothing of the tracker, so that it may be asked at any time.
 */
export const doctor = Effect.fn("cli.doctor")(function* (options: DoctorOptions) {
  const { file, path } = yield* locateWorkflow(options.workflow)
  const services = Layer.mergeAll(
    SandboxLayers.layer,
    HostCredentials.layer,
    GitHandoff.layer,
    LocalWorkspaces.layer
  ).pipe(Layer.provide(Operator.layer), Layer.provideMerge(FileWorkflow.layer(path, file)))
  const good = yield* examine.pipe(
    Effect.provide(services),
    Effect.mapError((error) => (error instanceof CommandFailed ? error : startFailure(error))),
    // It says itself what the log would say.
    Effect.provide(logging.layer("Error"))
  )
  if (!good) return yield* failWith(1, "\nsymphony cannot work here yet: see the lines marked ✗")
})

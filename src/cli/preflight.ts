import { Effect, FileSystem, Layer, Path, Result, Schema } from "effect"
import { adapterOf } from "../agent/adapters.ts"
import { Credentials } from "../agent/Credentials.ts"
import type { AdapterName } from "../domain/AdapterName.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { SafeFiles } from "../files/SafeFiles.ts"
import { Handoff } from "../handoff/Handoff.ts"
import { findProgram } from "../sandbox/findProgram.ts"
import { hostEnvironment } from "../sandbox/hostEnvironment.ts"
import { Sandboxes } from "../sandbox/Sandboxes.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { Workspaces } from "../workspace/Workspaces.ts"
import type { Trouble } from "./failures.ts"
import { checkStateRoot } from "./stateRoot.ts"
import { checkTrackerRoot } from "./trackerRoot.ts"

/** What this machine or project lacks for the workflow to run. One entry a thing, each with what to do. */
export class NotReady extends Schema.TaggedError<NotReady>()("NotReady", {
  missing: Schema.Array(
    Schema.Struct({ name: Schema.String, what: Schema.String, todo: Schema.NullOr(Schema.String) })
  )
}) {
  override get message(): string {
    return this.missing
      .map(({ name, what, todo }) =>
        todo === null ? `  ✗ ${name}: ${what}` : `  ✗ ${name}: ${what}\n    ${todo}`
      )
      .join("\n")
  }
}

/** The adapters that runs may be started with. */
export const adaptersOf = ({ config }: WorkflowDefinition): ReadonlyArray<AdapterName> => [
  ...new Set(
    config.states
      .filter((state) => state.role === "active")
      .map((state) => state.adapter ?? config.acp.adapter)
  )
]

/**
 * Programs of agents that have to be on this machine. A microVM has those of its image, and what `acp.command`
 * starts is for the shell to find.
 */
const programsOf = (definition: WorkflowDefinition) =>
  definition.config.sandbox.kind === "smolvm" || definition.config.acp.command !== null
    ? []
    : adaptersOf(definition).flatMap((name) => {
        const { install, program } = adapterOf(name)
        return program === null ? [] : [{ program, install }]
      })

export interface Check {
  readonly name: string
  readonly run: Effect.Effect<unknown, ReadonlyArray<Trouble>>
}

const troubleOf = ({ detail, hint }: { readonly detail: string; readonly hint: string | null }): Trouble => ({
  what: detail,
  todo: hint
})

/** Whether this machine offers what agents are to run in. */
export const sandboxCheck = Effect.fnUntraced(function* (definition: WorkflowDefinition) {
  const sandboxes = yield* Sandboxes
  return {
    name: `sandbox ${definition.config.sandbox.kind}`,
    run: Effect.mapError(sandboxes.check(definition), ({ missing }) => missing.map(troubleOf))
  } satisfies Check
})

/** All else that a first run would need, one check a thing. None of them changes anything. */
export const checksOf = Effect.fnUntraced(function* (definition: WorkflowDefinition) {
  const credentials = yield* Credentials
  const handoff = yield* Handoff
  const workspaces = yield* Workspaces
  const ground = yield* Effect.context<SafeFiles | FileSystem.FileSystem | Path.Path>()
  const fs = yield* FileSystem.FileSystem
  const { config } = definition
  const one = (trouble: Trouble): ReadonlyArray<Trouble> => [trouble]

  const checks: ReadonlyArray<Check> = [
    {
      name: "tracker",
      run: checkTrackerRoot(config.tracker.root).pipe(Effect.mapError(one), Effect.provideContext(ground))
    },
    {
      name: "state folder",
      run: checkStateRoot(config.state.root).pipe(
        Effect.mapError((error) => one({ what: error.what, todo: error.todo })),
        Effect.provideContext(ground)
      )
    },
    {
      name: "workspaces",
      run: Effect.mapError(workspaces.check(definition), ({ detail, path }) =>
        one({ what: `${path} ${detail}`, todo: null })
      )
    },
    ...adaptersOf(definition).map((adapter) => ({
      name: `adapter ${adapter}`,
      run: Effect.mapError(credentials.forRun(definition, adapter), (error) => one(troubleOf(error)))
    })),
    ...programsOf(definition).map(({ install, program }) => ({
      name: `program ${program}`,
      run: Effect.gen(function* () {
        const { PATH = "" } = yield* hostEnvironment
        const found = yield* findProgram(fs, PATH, program)
        if (found !== null) return
        const what = `${program} is not there on PATH (${PATH})`
        const todo = `install it (${install}), or set acp.command to start it from where it is`
        return yield* Effect.fail(one({ what, todo }))
      }).pipe(Effect.provideContext(ground))
    })),
    {
      name: "handoff",
      run: Effect.mapError(handoff.check(definition), (error) => one(troubleOf(error)))
    }
  ]
  return checks
})

/** Looks at all of it before anything is started. */
export const preflight = Effect.gen(function* () {
  const definition = yield* (yield* Workflow).current
  const checks = [yield* sandboxCheck(definition), ...(yield* checksOf(definition))]
  const results = yield* Effect.forEach(checks, ({ name, run }) =>
    Effect.map(Effect.result(run), (answer) =>
      Result.isFailure(answer) ? answer.failure.map((trouble) => ({ name, ...trouble })) : []
    )
  )
  const missing = results.flat()
  if (missing.length > 0) return yield* new NotReady({ missing })
})

/** Build it before the scheduler: nothing is claimed on a machine that cannot do the work. */
export const layer = Layer.effectDiscard(preflight)

/** Before anything else: without a tracker there is nothing to hold, to read or to say more about. */
export const requireTracker = (root: string) =>
  Effect.mapError(
    checkTrackerRoot(root),
    (trouble) => new NotReady({ missing: [{ name: "tracker", ...trouble }] })
  )

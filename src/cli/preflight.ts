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
import { checkStateRoot } from "./stateRoot.ts"

/** What this machine or project lacks for the workflow to run. One entry a thing, each with what to do. */
export class NotReady extends Schema.TaggedError<NotReady>()("NotReady", {
  missing: Schema.Array(Schema.Struct({ what: Schema.String, todo: Schema.NullOr(Schema.String) }))
}) {
  override get message(): string {
    return this.missing
      .map(({ what, todo }) => (todo === null ? `  ✗ ${what}` : `  ✗ ${what}\n    ${todo}`))
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

export interface Trouble {
  readonly what: string
  readonly todo: string | null
}

export interface Check {
  readonly name: string
  readonly run: Effect.Effect<unknown, Trouble>
}

/** All that a first run would need, one check a thing. None of them changes anything. */
export const checksOf = Effect.fnUntraced(function* (definition: WorkflowDefinition) {
  const sandboxes = yield* Sandboxes
  const credentials = yield* Credentials
  const handoff = yield* Handoff
  const files = yield* SafeFiles
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path

  const root = definition.config.tracker.root
  const tracker = fs.readDirectory(root).pipe(
    Effect.mapError(() => ({
      what: `the tracker folder ${root} cannot be read`,
      todo: `make it (mkdir -p ${JSON.stringify(root)}) or name another one as tracker.root`
    }))
  )
  const stateFolder = checkStateRoot(definition.config.state.root).pipe(
    Effect.provideService(SafeFiles, files),
    Effect.provideService(FileSystem.FileSystem, fs),
    Effect.mapError((error) => ({
      what: error.message,
      todo: error._tag === "StateRootExposed" ? error.todo : null
    }))
  )
  const checks: ReadonlyArray<Check> = [
    { name: "tracker", run: tracker },
    { name: "state folder", run: stateFolder },
    {
      name: `sandbox ${definition.config.sandbox.kind}`,
      run: sandboxes
        .check(definition)
        .pipe(
          Effect.mapError((error) => ({ what: `sandbox ${error.kind}: ${error.detail}`, todo: error.hint }))
        )
    },
    ...adaptersOf(definition).map((adapter) => ({
      name: `adapter ${adapter}`,
      run: credentials
        .forRun(definition, adapter)
        .pipe(Effect.mapError((error) => ({ what: `adapter ${adapter}: ${error.detail}`, todo: error.hint })))
    })),
    ...programsOf(definition).map(({ install, program }) => ({
      name: `program ${program}`,
      run: Effect.gen(function* () {
        const { PATH = "" } = yield* hostEnvironment
        const found = yield* findProgram(fs, PATH, program)
        if (found !== null) return
        const what = `${program} is not there on PATH (${PATH})`
        const todo = `install it (${install}), or set acp.command to start it from where it is`
        return yield* Effect.fail({ what, todo })
      }).pipe(Effect.provideService(Path.Path, path))
    })),
    {
      name: "handoff",
      run: handoff
        .check(definition)
        .pipe(Effect.mapError((error) => ({ what: `handoff: ${error.detail}`, todo: error.hint })))
    }
  ]
  return checks
})

/** Looks at all of it before anything is started. */
export const preflight = Effect.gen(function* () {
  const definition = yield* (yield* Workflow).current
  const checks = yield* checksOf(definition)
  const results = yield* Effect.forEach(checks, ({ run }) => Effect.result(run))
  const missing = results.filter(Result.isFailure).map((result) => result.failure)
  if (missing.length > 0) return yield* new NotReady({ missing })
})

/** Build it before the scheduler: nothing is claimed on a machine that cannot do the work. */
export const layer = Layer.effectDiscard(preflight)

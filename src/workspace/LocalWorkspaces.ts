import { Effect, FileSystem, Layer, Schema } from "effect"
import { ChildProcessSpawner } from "effect/process"
import { join } from "node:path"
import { Identifier } from "../domain/ids.ts"
import { workspaceKey } from "../domain/workspaceKey.ts"
import { ProcessTable } from "../processes/ProcessTable.ts"
import { SafeFiles } from "../files/SafeFiles.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { makeFolderLocks } from "./folderLocks.ts"
import { runHookScript } from "./runHookScript.ts"
import { checkRoot, claimRoot, ofFile, problem } from "./workspaceRoot.ts"
import { HookError, type HookContext, type HookOrder, type Workspace, Workspaces } from "./Workspaces.ts"

const RECORD_BYTES = 16 * 1024

/**
 * How far the making of a workspace got, kept in the state root where no agent reaches it: a folder that is
 * `creating` was cut off before its `after_create` succeeded, or in the midst of its removal, and is made anew.
 * A folder without a record was there before us and is used as it is.
 */
const Creation = Schema.fromJsonString(
  Schema.Struct({
    identifier: Identifier,
    path: Schema.String,
    status: Schema.Literals(["creating", "ready"])
  })
)
type Creation = typeof Creation.Type
const decodeCreation = Schema.decodeUnknownEffect(Creation)
const encodeCreation = Schema.encodeEffect(Creation)

const recordPath = (key: string) => `workspaces/${key}.json`

export const locate = (identifier: Identifier, workflow: WorkflowDefinition): Workspace => {
  const key = workspaceKey(identifier)
  return { identifier, key, path: join(workflow.config.workspace.root, key) }
}

export const layer = Layer.effect(
  Workspaces,
  Effect.gen(function* () {
    const files = yield* SafeFiles
    const fs = yield* FileSystem.FileSystem
    const machine = {
      files,
      fs,
      table: yield* ProcessTable,
      spawner: yield* ChildProcessSpawner.ChildProcessSpawner
    }
    const exclusively = yield* makeFolderLocks

    const stateOf = ({ config }: WorkflowDefinition) => ({ root: config.state.root })
    const rootOf = ({ config }: WorkflowDefinition) => ({ root: config.workspace.root })

    const readCreation = Effect.fnUntraced(function* (workflow: WorkflowDefinition, key: string) {
      return yield* files.readText(stateOf(workflow), recordPath(key), RECORD_BYTES).pipe(
        Effect.flatMap(({ text }) => decodeCreation(text)),
        Effect.catchTag("SchemaError", (error) =>
          Effect.fail(
            problem("io", `${workflow.config.state.root}/${recordPath(key)}`, `is broken: ${error.message}`)
          )
        ),
        Effect.catchTag("FileError", (error) =>
          error.reason === "missing" ? Effect.succeed(null) : Effect.fail(ofFile(error))
        )
      )
    })

    const writeCreation = (workflow: WorkflowDefinition, workspace: Workspace, status: Creation["status"]) =>
      encodeCreation({ identifier: workspace.identifier, path: workspace.path, status }).pipe(
        Effect.orDie,
        Effect.flatMap((text) => files.writeAtomic(stateOf(workflow), recordPath(workspace.key), text)),
        Effect.mapError(ofFile)
      )

    /** Whether the folder is there; anything else in its place is refused. */
    const isThere = Effect.fnUntraced(function* (workspace: Workspace, workflow: WorkflowDefinition) {
      const stat = yield* Effect.mapError(files.stat(rootOf(workflow), workspace.key), ofFile)
      if (stat === null) return false
      if (stat.kind === "directory") return true
      return yield* problem(
        stat.kind === "symlink" ? "symlink" : "not_a_directory",
        workspace.path,
        stat.kind === "symlink"
          ? "is a symbolic link, and links are not followed"
          : `is a ${stat.kind}, not a folder`
      )
    })

    /** What is removed half-way is no workspace any more: until it is gone, it counts as not completed. */
    const discard = (workspace: Workspace, workflow: WorkflowDefinition) =>
      writeCreation(workflow, workspace, "creating").pipe(
        Effect.andThen(Effect.mapError(files.removeTree(rootOf(workflow), workspace.key), ofFile)),
        Effect.andThen(Effect.mapError(files.unlink(stateOf(workflow), recordPath(workspace.key)), ofFile))
      )

    const populate = (workspace: Workspace, workflow: WorkflowDefinition, order: HookOrder) =>
      Effect.gen(function* () {
        yield* writeCreation(workflow, workspace, "creating")
        yield* Effect.mapError(files.makeDirectory(rootOf(workflow), workspace.key), ofFile)
        yield* runHook("after_create", { ...order, workspace, workflow })
        yield* writeCreation(workflow, workspace, "ready")
      }).pipe(
        Effect.onError(() =>
          Effect.catchTag(discard(workspace, workflow), "WorkspaceError", (error) =>
            Effect.logWarning("a workspace that was not completed stays until the next attempt", error)
          )
        )
      )

    const ensure = Effect.fn("Workspaces.ensure")(function* (
      identifier: Identifier,
      workflow: WorkflowDefinition,
      order: HookOrder
    ) {
      const located = locate(identifier, workflow)
      return yield* Effect.gen(function* () {
        const root = yield* claimRoot(files, fs, workflow.config)
        const workspace = { ...located, path: join(root, located.key) }
        if (yield* isThere(workspace, workflow)) {
          const creation = yield* readCreation(workflow, workspace.key)
          if (creation?.status !== "creating") return { ...workspace, created: false }
          yield* Effect.logInfo("a workspace that was not completed is made anew").pipe(
            Effect.annotateLogs({ workspace: workspace.path })
          )
          yield* discard(workspace, workflow)
        }
        yield* populate(workspace, workflow, order)
        return { ...workspace, created: true }
      }).pipe(exclusively(located.path))
    })

    const runHook = Effect.fnUntraced(function* (
      hook: HookError["hook"],
      { workspace, workflow, env, runId }: HookContext
    ) {
      const { hooks, state } = workflow.config
      const script = hooks[hook]
      if (script === null) return
      const there = yield* Effect.mapError(
        isThere(workspace, workflow),
        (error) => new HookError({ hook, reason: "spawn", code: null, detail: error.message, output: "" })
      )
      if (!there) {
        return yield* new HookError({
          hook,
          reason: "spawn",
          code: null,
          detail: `could not be started: ${workspace.path} is not there`,
          output: ""
        })
      }
      yield* runHookScript(machine, {
        hook,
        script,
        runId,
        stateRoot: state.root,
        cwd: workspace.path,
        env,
        timeoutMs: hooks.timeoutMs
      })
    })

    const remove = Effect.fn("Workspaces.remove")(function* (context: HookContext) {
      const { workflow, workspace } = context
      const { path } = locate(workspace.identifier, workflow)
      yield* Effect.gen(function* () {
        if (yield* isThere(workspace, workflow)) {
          yield* claimRoot(files, fs, workflow.config)
          yield* Effect.ignore(runHook("before_remove", context))
        }
        yield* discard(workspace, workflow)
      }).pipe(exclusively(path))
    })

    const made = Effect.fn("Workspaces.made")(function* (workflow: WorkflowDefinition) {
      const records = yield* files.list(stateOf(workflow), "workspaces").pipe(
        Effect.catchIf(
          (error) => error.reason === "missing",
          () => Effect.succeed([])
        ),
        Effect.mapError(ofFile)
      )
      const found = yield* Effect.forEach(
        records.filter(({ name }) => name.endsWith(".json")),
        Effect.fnUntraced(
          function* ({ name }) {
            const creation = yield* readCreation(workflow, name.slice(0, -".json".length))
            if (creation === null) return []
            const { identifier, key, path } = locate(creation.identifier, workflow)
            return (yield* isThere({ identifier, key, path }, workflow))
              ? [{ identifier, path: creation.path }]
              : []
          },
          Effect.catchTag("WorkspaceError", (error) =>
            Effect.as(Effect.logWarning("the record of a workspace is left out", error), [])
          )
        )
      )
      return found.flat()
    })

    return Workspaces.of({
      made,
      ensure,
      check: ({ config }) => checkRoot(files, fs, config),
      locate,
      exists: (workspace, workflow) => isThere(workspace, workflow),
      runHook,
      remove
    })
  })
).pipe(Layer.provide(ProcessTable.layer))

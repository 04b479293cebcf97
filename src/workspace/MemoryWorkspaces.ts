import { Effect, Layer, Ref } from "effect"
import { Identifier } from "../domain/ids.ts"
import type { HookName } from "../workflow/WorkflowConfig.ts"
import { makeFolderLocks } from "./folderLocks.ts"
import { locate } from "./LocalWorkspaces.ts"
import {
  type HookContext,
  type HookError,
  type Workspace,
  type WorkspaceError,
  Workspaces
} from "./Workspaces.ts"

export interface MemoryWorkspacesOptions {
  /** Runs in the place of a hook that is configured. */
  readonly hook?: (hook: HookName, context: HookContext) => Effect.Effect<void, HookError>
  /** Fails where a disk could. */
  readonly disk?: (
    operation: "ensure" | "remove",
    workspace: Workspace
  ) => Effect.Effect<void, WorkspaceError>
  /** The folders that exist, by path: a disk that outlives this layer. */
  readonly folders?: Ref.Ref<ReadonlySet<string>>
}

/** Workspaces that are names in a set; hooks are Effects. */
export const layerMemory = (options: MemoryWorkspacesOptions = {}): Layer.Layer<Workspaces> =>
  Layer.effect(
    Workspaces,
    Effect.gen(function* () {
      const folders = options.folders ?? (yield* Ref.make<ReadonlySet<string>>(new Set()))
      const exclusively = yield* makeFolderLocks

      const without = (path: string) => (all: ReadonlySet<string>) => {
        const rest = new Set(all)
        rest.delete(path)
        return rest
      }
      const plus = (path: string) => (all: ReadonlySet<string>) => new Set([...all, path])

      const runHook: Workspaces["Service"]["runHook"] = (hook, context) =>
        context.workflow.config.hooks[hook] === null
          ? Effect.void
          : (options.hook?.(hook, context) ?? Effect.void)

      const disk = (operation: "ensure" | "remove", workspace: Workspace) =>
        options.disk?.(operation, workspace) ?? Effect.void

      return Workspaces.of({
        ensure: Effect.fn("MemoryWorkspaces.ensure")(function* (identifier, workflow, order) {
          const workspace = locate(identifier, workflow)
          return yield* Effect.gen(function* () {
            yield* disk("ensure", workspace)
            if ((yield* Ref.get(folders)).has(workspace.path)) return { ...workspace, created: false }
            yield* runHook("after_create", { ...order, workspace, workflow })
            yield* Ref.update(folders, plus(workspace.path))
            return { ...workspace, created: true }
          }).pipe(exclusively(workspace.path))
        }),
        check: () => Effect.void,
        locate,
        exists: (workspace) => Effect.map(Ref.get(folders), (all) => all.has(workspace.path)),
        made: ({ config: { workspace } }) =>
          Effect.map(Ref.get(folders), (all) =>
            [...all].flatMap((path) =>
              path.startsWith(`${workspace.root}/`)
                ? [{ identifier: Identifier.make(path.slice(workspace.root.length + 1)), path }]
                : []
            )
          ),
        runHook,
        remove: Effect.fn("MemoryWorkspaces.remove")(function* (context) {
          const { path } = context.workspace
          yield* Effect.gen(function* () {
            if (!(yield* Ref.get(folders)).has(path)) return
            yield* Effect.ignore(runHook("before_remove", context))
            yield* disk("remove", context.workspace)
            yield* Ref.update(folders, without(path))
          }).pipe(exclusively(path))
        })
      })
    })
  )

import { Context, type Effect, Schema } from "effect"
import type { Identifier, RunId } from "../domain/ids.ts"
import { printableTail } from "../domain/printable.ts"
import type { HookName, WorkflowDefinition } from "../workflow/WorkflowConfig.ts"

/** How much of a hook's output belongs into a message. */
const SHOWN_CHARACTERS = 400

export interface Workspace {
  readonly identifier: Identifier
  readonly key: string
  /** Absolute, without links. */
  readonly path: string
}

export class WorkspaceError extends Schema.TaggedError<WorkspaceError>()("WorkspaceError", {
  /** `exhausted`: the machine has no space, or no open files, left. */
  reason: Schema.Literals([
    "symlink",
    "not_a_directory",
    "outside_root",
    "foreign_root",
    "not_empty",
    "exhausted",
    "io"
  ]),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `workspace ${this.path}: ${this.detail}`
  }
}

export class HookError extends Schema.TaggedError<HookError>()("HookError", {
  hook: Schema.Literals(["after_create", "before_run", "after_run", "before_remove"]),
  /** `spawn`: it could not be started; `exhausted`: because the machine has no more to give. */
  reason: Schema.Literals(["exit", "signal", "timeout", "spawn", "exhausted"]),
  /** Exit code where there is one. */
  code: Schema.NullOr(Schema.Int),
  detail: Schema.String,
  /** The end of what it printed, at most 64 KiB. Untrusted: show it as `printable`. */
  output: Schema.String
}) {
  override get message(): string {
    const output = printableTail(this.output.trim(), SHOWN_CHARACTERS)
    return `hook ${this.hook} ${this.detail}${output === "" ? "" : `: ${output}`}`
  }
}

/** `SYMPHONY_…` variables of a run, complete; one that is undefined is taken out of the operator's environment. */
export type HookEnvironment = Readonly<Record<string, string | undefined>>

/** Whose hook it is, and what it is told beside the operator's own environment. */
export interface HookOrder {
  /** Under whose marker and record its processes are found. */
  readonly runId: RunId
  readonly env: HookEnvironment
}

export interface HookContext extends HookOrder {
  readonly workspace: Workspace
  readonly workflow: WorkflowDefinition
}

/**
 * The folder that an issue's agent works in, `<workspace.root>/<key>`. The root carries the name of its
 * tracker and a foreign root is refused; no path is followed through a symbolic link.
 */
export class Workspaces extends Context.Service<
  Workspaces,
  {
    /**
     * Makes the folder and runs `after_create` when it is not there, reuses it otherwise. A folder whose
     * `after_create` did not succeed is removed, so that the next attempt starts anew.
     */
    readonly ensure: (
      identifier: Identifier,
      workflow: WorkflowDefinition,
      order: HookOrder
    ) => Effect.Effect<Workspace & { readonly created: boolean }, WorkspaceError | HookError>
    /** Whether the root is, or can become, this tracker's. Only looks. */
    readonly check: (workflow: WorkflowDefinition) => Effect.Effect<void, WorkspaceError>
    /** The folder where it would be; no I/O. */
    readonly locate: (identifier: Identifier, workflow: WorkflowDefinition) => Workspace
    readonly exists: (
      workspace: Workspace,
      workflow: WorkflowDefinition
    ) => Effect.Effect<boolean, WorkspaceError>
    /**
     * The workspaces that were made here and are still there, whoever remembers them; not those that people made. One
     * whose record cannot be used is left out, with a warning.
     */
    readonly made: (
      workflow: WorkflowDefinition
    ) => Effect.Effect<ReadonlyArray<Pick<Workspace, "identifier" | "path">>, WorkspaceError>
    /** Runs a hook with a time limit; a hook that is not configured succeeds. Output is logged, capped and escaped. */
    readonly runHook: (hook: HookName, context: HookContext) => Effect.Effect<void, HookError>
    /** Runs `before_remove` (a failure is logged and ignored), then removes the folder. Nothing there is a success. */
    readonly remove: (context: HookContext) => Effect.Effect<void, WorkspaceError>
  }
>()("symphony/workspace/Workspaces") {}

import { Context, Effect, Layer } from "effect"
import { agentBranch } from "../domain/workspaceKey.ts"
import type { RunId } from "../domain/ids.ts"
import { Operator, placesOf } from "../workflow/Operator.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import type { HookEnvironment } from "./Workspaces.ts"

/** What hooks are told that is the same for every run of this process. */
export class HookVariables extends Context.Service<
  HookVariables,
  {
    /** Absolute path of the running command. */
    readonly bin: string
    readonly operator: Operator["Service"]
    /** The top of the repository that agents work on. */
    readonly source: string
  }
>()("symphony/workspace/HookVariables") {
  static readonly layer = <E, R>(bin: string, source: Effect.Effect<string, E, R>) =>
    Layer.effect(HookVariables, Effect.all({ bin: Effect.succeed(bin), operator: Operator, source }))
}

export interface HookFacts {
  readonly workflow: WorkflowDefinition
  readonly identifier: string
  /** Where the issue is when the hook starts. */
  readonly state: string
  readonly title: string
  /** Runs of the issue so far, this one included. */
  readonly attempt: number
  readonly runId: RunId
  /** How the run ended; null before that. */
  readonly outcome: string | null
  /** Absolute. */
  readonly workspace: string
  /** Absolute path of the running command. */
  readonly bin: string
  /** Absolute path of the host's copy of `mark_done.md`; null while there is none. */
  readonly markDone: string | null
  /** Absolute path of the patch that was handed off; null while there is none. */
  readonly patch: string | null
  readonly operator: Operator["Service"]
  /** The top of the repository that agents work on. */
  readonly source: string
}

/**
 * What every hook is told, beside the operator's own environment. What is not known is taken away: it would be
 * about something else, such as the run whose hook started us.
 */
export const hookEnvironment = (facts: HookFacts): HookEnvironment => {
  const { operator, source, workflow } = facts
  const places = placesOf(operator, workflow)
  const known: Record<string, string | null> = {
    SYMPHONY_ISSUE_ID: facts.identifier,
    SYMPHONY_ISSUE_STATE: facts.state,
    SYMPHONY_ISSUE_TITLE: facts.title,
    SYMPHONY_ATTEMPT: String(facts.attempt),
    SYMPHONY_RUN_ID: facts.runId,
    SYMPHONY_RUN_OUTCOME: facts.outcome,
    SYMPHONY_WORKFLOW: workflow.path,
    SYMPHONY_WORKSPACE: facts.workspace,
    SYMPHONY_BIN: facts.bin,
    SYMPHONY_MARK_DONE: facts.markDone,
    SYMPHONY_BRANCH: agentBranch(facts.identifier),
    SYMPHONY_PATCH: facts.patch,
    SYMPHONY_QUARANTINE: places.quarantine,
    SYMPHONY_REPO: operator.repository,
    SYMPHONY_BASE_BRANCH: operator.baseBranch,
    SYMPHONY_SOURCE_REPO: source,
    SYMPHONY_TRACKER_ROOT: places.tracker,
    SYMPHONY_PATCHES_DIR: places.patches
  }
  return Object.fromEntries(
    Object.entries(known).map(([name, value]) =>
      // A NUL cannot be in an environment; an issue's title is untrusted and may hold one.
      [name, value?.replaceAll("\0", "\uFFFD")]
    )
  )
}

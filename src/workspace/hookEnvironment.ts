import { Config, Context, Effect, Layer, Option } from "effect"
import { dirname, join } from "node:path"
import { agentBranch } from "../domain/workspaceKey.ts"
import type { RunId } from "../domain/ids.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"

/** Variables that an operator may set for symphony and its hooks; what is set wins over what we would say. */
export const OPERATOR_VARIABLES = [
  "SYMPHONY_REPO",
  "SYMPHONY_BASE_BRANCH",
  "SYMPHONY_SOURCE_REPO",
  "SYMPHONY_PATCHES_DIR"
] as const

export type OperatorVariables = Readonly<Partial<Record<(typeof OPERATOR_VARIABLES)[number], string>>>

/** What hooks are told that is the same for every run of this process. */
export class HookVariables extends Context.Service<
  HookVariables,
  {
    /** Absolute path of the running command. */
    readonly bin: string
    readonly operator: OperatorVariables
  }
>()("symphony/workspace/HookVariables") {
  static readonly layer = (bin: string): Layer.Layer<HookVariables> =>
    Layer.effect(
      HookVariables,
      Effect.gen(function* () {
        const operator: { -readonly [Name in keyof OperatorVariables]: OperatorVariables[Name] } = {}
        for (const name of OPERATOR_VARIABLES) {
          const value = yield* Effect.orDie(Config.option(Config.String(name)))
          if (Option.isSome(value) && value.value !== "") operator[name] = value.value
        }
        return { bin, operator }
      })
    )
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
  readonly operator: OperatorVariables
}

/** What every hook is told, beside the operator's own environment. What is not known is not set. */
export const hookEnvironment = (facts: HookFacts): Readonly<Record<string, string>> => {
  const { config, path } = facts.workflow
  const known: Record<string, string | null | undefined> = {
    SYMPHONY_ISSUE_ID: facts.identifier,
    SYMPHONY_ISSUE_STATE: facts.state,
    SYMPHONY_ISSUE_TITLE: facts.title,
    SYMPHONY_ATTEMPT: String(facts.attempt),
    SYMPHONY_RUN_ID: facts.runId,
    SYMPHONY_RUN_OUTCOME: facts.outcome,
    SYMPHONY_WORKFLOW: path,
    SYMPHONY_WORKSPACE: facts.workspace,
    SYMPHONY_BIN: facts.bin,
    SYMPHONY_MARK_DONE: facts.markDone,
    SYMPHONY_BRANCH: agentBranch(facts.identifier),
    SYMPHONY_TRACKER_ROOT: config.tracker.root,
    SYMPHONY_PATCH: facts.patch,
    SYMPHONY_REPO: facts.operator.SYMPHONY_REPO,
    SYMPHONY_BASE_BRANCH: facts.operator.SYMPHONY_BASE_BRANCH ?? "main",
    SYMPHONY_SOURCE_REPO: facts.operator.SYMPHONY_SOURCE_REPO ?? dirname(path),
    SYMPHONY_PATCHES_DIR: facts.operator.SYMPHONY_PATCHES_DIR ?? join(dirname(path), ".symphony", "patches")
  }
  return Object.fromEntries(
    Object.entries(known).flatMap(([name, value]) =>
      // A NUL cannot be in an environment; an issue's title is untrusted and may hold one.
      value === null || value === undefined ? [] : [[name, value.replaceAll("\0", "\uFFFD")]]
    )
  )
}

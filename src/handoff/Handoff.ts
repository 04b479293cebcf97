import { Context, type Effect, Schema } from "effect"
import type { Identifier, RunId } from "../domain/ids.ts"
import { Tokens } from "../domain/Tokens.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"

export class HandoffError extends Schema.TaggedError<HandoffError>()("HandoffError", {
  /**
   * `source`: the operator's repository or base branch is not as needed (configuration); `hostile`: the agent's
   * repository is refused; `unverified`: the work is not what it must be, and the agent may mend it;
   * `push`, `forge`: the remote said no; `io`: ours.
   */
  reason: Schema.Literals(["source", "hostile", "unverified", "push", "forge", "io"]),
  /** Stable, for programs: `no_repository`, `fsck`, `base_not_ancestor`, `roundtrip`, `dirty`, … */
  code: Schema.String,
  detail: Schema.String,
  hint: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    return `handoff: ${this.detail}${this.hint === null ? "" : ` - ${this.hint}`}`
  }
}

export interface HandoffRequest {
  readonly runId: RunId
  readonly identifier: Identifier
  readonly branch: string
  readonly workflow: WorkflowDefinition
  /** Absolute. */
  readonly workspace: string
  readonly title: string
  readonly summary: string
  readonly tokens: typeof Tokens.Type
  readonly startedAt: number
}

export const ChangedFile = Schema.Struct({
  path: Schema.String,
  added: Schema.NullOr(Schema.Int),
  removed: Schema.NullOr(Schema.Int)
})

/** Something a reviewer must look at first: a protected path, a link, a rewritten message, uncommitted rest. */
export const HandoffFlag = Schema.Struct({ kind: Schema.String, detail: Schema.String })

/** What was taken out of the workspace and proven. */
export const Exported = Schema.Struct({
  /**
   * `verified`: commits over the base whose patch series, applied to a clean base, gives the same tree, authors and
   * count; `analysis`: no commit, the summary is the result.
   */
  verdict: Schema.Literals(["verified", "analysis"]),
  base: Schema.String,
  head: Schema.NullOr(Schema.String),
  tree: Schema.NullOr(Schema.String),
  commits: Schema.Int,
  files: Schema.Array(ChangedFile),
  flags: Schema.Array(HandoffFlag),
  /** Absolute paths of what was written; null for `analysis` and for `handoff.mode: none`. */
  patch: Schema.NullOr(Schema.String),
  bundle: Schema.NullOr(Schema.String),
  report: Schema.String
})
export type Exported = typeof Exported.Type

export const Published = Schema.Struct({ url: Schema.NullOr(Schema.String), head: Schema.String })
export type Published = typeof Published.Type

/** One commit of a change. What its author wrote is untrusted. */
export const ChangeCommit = Schema.Struct({
  id: Schema.String,
  subject: Schema.String,
  author: Schema.String
})

/** A change as it is read: as a whole, or one of its commits. */
export interface Change {
  /** Over the base, oldest first. */
  readonly commits: ReadonlyArray<typeof ChangeCommit.Type>
  /** The one that `patch` is of; null: of all of them. */
  readonly commit: string | null
  /** Unified diff, untrusted; null when it is too large to show. */
  readonly patch: string | null
}

/** What a reviewer looks at: taken from the quarantine, never from the workspace. */
export interface HandoffDiff extends Change {
  readonly runId: RunId
  /** As the agent put it. Untrusted. */
  readonly title: string
  readonly summary: string
  readonly exported: Exported
}

/** Which work is meant. */
export type WorkPlace = Pick<HandoffRequest, "identifier" | "branch" | "workflow" | "workspace">

/** What a workspace held at one moment. Nothing of it is kept or handed over. Names are the agent's, untrusted. */
export interface WorkPreview extends Change {
  /** Epoch milliseconds. */
  readonly takenAt: number
  readonly base: string
  /** The commit that would be delivered; null: there is none over the base. */
  readonly head: string | null
  readonly files: ReadonlyArray<typeof ChangedFile.Type>
  readonly flags: ReadonlyArray<typeof HandoffFlag.Type>
  /** Files that are changed, gone or new since the last commit. */
  readonly uncommitted: ReadonlyArray<string>
  /** Of those that are in no commit, what an export could not keep beside the commits either. */
  readonly leftOut: ReadonlyArray<string>
  /** Work beside the branch that is handed over, in words: other branches, a stash. */
  readonly elsewhere: ReadonlyArray<string>
  /** What an agent would be told if it were done with it now; null: it would be taken. */
  readonly refusal: string | null
}

/**
 * Turns an agent's commits into something a person can trust. Host git never has the agent's repository as
 * its git dir; each step is idempotent under the run's name, so that it may be asked for again after a crash.
 */
export class Handoff extends Context.Service<
  Handoff,
  {
    /** Whether source repository and base branch are as needed, once before the first dispatch. */
    readonly check: (workflow: WorkflowDefinition) => Effect.Effect<void, HandoffError>
    /**
     * Takes over the base branch as it is now, before each run: one whose base is gone ends before its agent
     * costs anything.
     */
    readonly fetchBase: (workflow: WorkflowDefinition) => Effect.Effect<void, HandoffError>
    /**
     * Whether the workspace could be handed off now, for the answer to `mark_done`: what is `unverified` the
     * agent can still mend. Writes nothing a reader would see.
     */
    readonly verify: (request: HandoffRequest) => Effect.Effect<"verified" | "analysis", HandoffError>
    /** Imports to `refs/runs/<run>` of the quarantine, verifies, writes patch, bundle and report. */
    readonly exportRun: (request: HandoffRequest) => Effect.Effect<Exported, HandoffError>
    /**
     * What was exported for a run, whole or one of its commits; an id that is none of them shows the whole. Null
     * when nothing was exported yet. Reads only.
     */
    readonly diff: (
      workflow: WorkflowDefinition,
      run: RunId,
      commit: string | null
    ) => Effect.Effect<HandoffDiff | null, HandoffError>
    /**
     * What is in a workspace now, by the way of `verify`, whole or one of its commits as in `diff`. Fails where the
     * commits could not be handed over at all. Writes nothing a reader would see.
     */
    readonly preview: (work: WorkPlace, commit: string | null) => Effect.Effect<WorkPreview, HandoffError>
    /** Pull request mode: pushes from the quarantine and opens or updates the pull request of the branch. */
    readonly publish: (request: HandoffRequest, exported: Exported) => Effect.Effect<Published, HandoffError>
  }
>()("symphony/handoff/Handoff") {}

import type { Effect, Scope } from "effect"
import type { RunId } from "../domain/ids.ts"
import type { SandboxKind, WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import type { Sandbox, SandboxError, SandboxRequest, SandboxUnavailable } from "./Sandboxes.ts"

/** Whether what a run left behind is dead now. */
export interface Reaped {
  readonly runId: RunId
  readonly status: "dead" | "unknown"
}

/** One kind of sandbox. `Sandboxes` picks by `sandbox.kind`; each kind answers only for what it made itself. */
export interface SandboxDriver {
  readonly kind: SandboxKind
  /** Whether this machine can offer the kind. */
  readonly check: (workflow: WorkflowDefinition) => Effect.Effect<void, SandboxUnavailable>
  readonly acquire: (request: SandboxRequest) => Effect.Effect<Sandbox, SandboxError, Scope.Scope>
  /** An answer for every run asked about; a run that this kind left nothing of is `dead`. */
  readonly reap: (
    workflow: WorkflowDefinition,
    leftover: ReadonlyArray<RunId>
  ) => Effect.Effect<ReadonlyArray<Reaped>>
}

import { Context, Effect } from "effect"
import type { WorkflowConfig } from "../workflow/WorkflowConfig.ts"

/** Counts how many more sandboxes the memory of the host allows. */
export interface MemoryAdmission {
  /** `running` sandboxes hold a slot now. Null when nobody counts, or when the host does not say. */
  readonly slots: (config: WorkflowConfig, running: number) => Effect.Effect<number | null>
}

/** The contract belongs to the scheduler, its layer to `run/`. By default nobody counts. */
export const MemoryAdmission = Context.Reference<MemoryAdmission>("symphony/scheduler/MemoryAdmission", {
  defaultValue: () => ({ slots: () => Effect.succeed(null) })
})

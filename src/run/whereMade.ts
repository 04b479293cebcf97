import { dirname } from "node:path"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"

/** The settings with the root that a workspace on record was made in: a person may have changed it since. */
export const whereMade = (workspace: string | null, workflow: WorkflowDefinition): WorkflowDefinition =>
  workspace === null
    ? workflow
    : { ...workflow, config: { ...workflow.config, workspace: { root: dirname(workspace) } } }

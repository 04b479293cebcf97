import { basename } from "node:path"
import type { Problem } from "../domain/Problem.ts"
import type { WorkflowConfig, WorkflowDefinition } from "./WorkflowConfig.ts"

const fixedKeys = (config: WorkflowConfig): ReadonlyArray<readonly [string, unknown]> => [
  ["tracker.root", config.tracker.root],
  ["state.root", config.state.root],
  ["server.port", config.server.port],
  ["server.host", config.server.host],
  ["server.auth", config.server.auth],
  ["server.allowed_hosts", config.server.allowedHosts]
]

/**
 * What of an edited definition can be applied while symphony runs: all but the listener and the folders that
 * are bound to the lock and the journal. Those keep the value of the start, and a warning says so.
 */
export const afterStart = (
  atStart: WorkflowDefinition,
  edited: WorkflowDefinition
): { readonly definition: WorkflowDefinition; readonly warnings: ReadonlyArray<Problem> } => {
  const started = new Map(fixedKeys(atStart.config))
  const warnings = fixedKeys(edited.config)
    .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(started.get(key)))
    .map(([key]): Problem => ({
      source: "workflow",
      severity: "warning",
      where: basename(edited.path),
      message: `${key}: changed, but the value of the start stays in force`,
      hint: "restart symphony to apply it"
    }))
  const { state, server, tracker } = atStart.config
  const config = {
    ...edited.config,
    tracker: { ...edited.config.tracker, root: tracker.root },
    state,
    server
  }
  return { definition: { ...edited, config }, warnings }
}

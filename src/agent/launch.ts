import type { AdapterName } from "../domain/AdapterName.ts"
import type { WorkflowConfig } from "../workflow/WorkflowConfig.ts"
import { type Adapter, adapterOf } from "./adapters.ts"

/** An adapter as one run starts it. */
export interface Launch extends Adapter {
  /**
   * Its line is the operator's (`acp.command`), so the program may be another than the adapter's: modes, usage and
   * a credential's place are what it says of itself, and what it does not say is not held against it.
   */
  readonly own: boolean
  /** How it comes by its credential. */
  readonly credentials: WorkflowConfig["acp"]["credentials"]
}

export const launchOf = (
  name: AdapterName,
  acp: Pick<WorkflowConfig["acp"], "command" | "credentials" | "readTimeoutMs">
): Launch => {
  const adapter = adapterOf(name)
  return {
    ...adapter,
    command: acp.command ?? adapter.command,
    own: acp.command !== null,
    // Whose running total it would be, nobody knows.
    cost: acp.command === null ? adapter.cost : null,
    credentials: acp.credentials,
    readTimeoutMs: acp.readTimeoutMs ?? adapter.readTimeoutMs
  }
}

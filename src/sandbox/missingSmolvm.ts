import { Effect } from "effect"
import type { SandboxDriver } from "./SandboxDriver.ts"
import { SandboxError } from "./Sandboxes.ts"

const unavailable = new SandboxError({
  kind: "smolvm",
  reason: "unavailable",
  detail: "this build does not drive smolvm microVMs",
  hint:
    "set `sandbox.kind: bubblewrap` (Linux, `apt-get install bubblewrap`) or `host` (no isolation) in WORKFLOW.md; " +
    "`npm run demo` shows the product without a VM"
})

/** Refuses, so that a workflow which asks for a microVM never runs in less. */
export const missingSmolvm: SandboxDriver = {
  kind: "smolvm",
  check: () => Effect.fail(unavailable),
  acquire: () => Effect.fail(unavailable),
  reap: (_workflow, leftover) => Effect.succeed(leftover.map((runId) => ({ runId, status: "dead" as const })))
}

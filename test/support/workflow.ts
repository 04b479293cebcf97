import type { StatePolicy } from "../../src/domain/State.ts"
import type { WorkflowConfig, WorkflowDefinition } from "../../src/workflow/WorkflowConfig.ts"

/** Any section may be left out, and within a section any key; `states` are replaced as a whole. */
export type ConfigOverrides = {
  readonly [Section in Exclude<keyof WorkflowConfig, "states">]?: Partial<WorkflowConfig[Section]>
} & { readonly states?: ReadonlyArray<StatePolicy> }

export interface WorkflowOverrides {
  readonly path?: string
  readonly prompt?: string
  readonly config?: ConfigOverrides
}

/** A declared state with nothing special about it. */
export const testState = (
  name: string,
  role: StatePolicy["role"],
  overrides: Partial<StatePolicy> = {}
): StatePolicy => ({
  name,
  role,
  adapter: null,
  model: null,
  maxTurns: null,
  maxConcurrent: null,
  transitions: null,
  onStart: null,
  ...overrides
})

const defaults: WorkflowConfig = {
  tracker: { root: "/project/issues", requiredLabels: [], provider: {} },
  states: [
    testState("Todo", "active"),
    testState("In Progress", "active"),
    testState("Closed", "terminal"),
    testState("Cancelled", "terminal"),
    testState("Canceled", "terminal"),
    testState("Duplicate", "terminal"),
    testState("Done", "terminal")
  ],
  polling: { intervalMs: 30_000 },
  workspace: { root: "/project/.symphony/workspaces" },
  state: { root: "/project/.symphony" },
  hooks: { after_create: null, before_run: null, after_run: null, before_remove: null, timeoutMs: 60_000 },
  agent: {
    maxConcurrentAgents: 10,
    maxTurns: 20,
    maxSessionsPerIssue: 20,
    maxRetryBackoffMs: 300_000,
    circuitBreakerThreshold: 5,
    steeringHoldMs: 300_000,
    memoryAdmission: false
  },
  acp: {
    adapter: "demo",
    command: null,
    shell: "bash",
    model: null,
    transport: "auto",
    credentials: "staged",
    promptTimeoutMs: 3_600_000,
    readTimeoutMs: 30_000,
    stallTimeoutMs: 300_000
  },
  sandbox: { kind: "host", net: true, forwardEnv: ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"] },
  smolvm: { image: null, from: null, cpus: 2, memMib: 2048, binPath: null, volumes: [], endpoint: null },
  handoff: { mode: "auto" },
  server: {
    port: null,
    host: "127.0.0.1",
    auth: "token",
    allowedHosts: ["localhost", "127.0.0.1", "[::1]"]
  },
  mcp: { host: "127.0.0.1", hostUrl: null }
}

/**
 * A definition as symphony would hold it: the defaults of WORKFLOW.md, except that agents are the scripted
 * `demo` ones in the `host` sandbox and that everything lies below `/project`.
 */
export const testWorkflow = (overrides: WorkflowOverrides = {}): WorkflowDefinition => {
  const config = overrides.config ?? {}
  return {
    path: overrides.path ?? "/project/WORKFLOW.md",
    prompt: overrides.prompt ?? "Work on {{ issue.identifier }}: {{ issue.title }}",
    config: {
      tracker: { ...defaults.tracker, ...config.tracker },
      states: config.states ?? defaults.states,
      polling: { ...defaults.polling, ...config.polling },
      workspace: { ...defaults.workspace, ...config.workspace },
      state: { ...defaults.state, ...config.state },
      hooks: { ...defaults.hooks, ...config.hooks },
      agent: { ...defaults.agent, ...config.agent },
      acp: { ...defaults.acp, ...config.acp },
      sandbox: { ...defaults.sandbox, ...config.sandbox },
      smolvm: { ...defaults.smolvm, ...config.smolvm },
      handoff: { ...defaults.handoff, ...config.handoff },
      server: { ...defaults.server, ...config.server },
      mcp: { ...defaults.mcp, ...config.mcp }
    }
  }
}

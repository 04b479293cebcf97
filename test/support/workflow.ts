import { Result } from "effect"
import type { StatePolicy } from "../../src/domain/State.ts"
import { decodeWorkflow } from "../../src/workflow/decodeWorkflow.ts"
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

const { config: defaults } = Result.getOrThrow(
  decodeWorkflow(
    "/project/WORKFLOW.md",
    `---
tracker: { kind: local }
workspace: { root: ./.symphony/workspaces }
acp: { adapter: demo }
sandbox: { kind: host }
---
`,
    {}
  )
).definition

/**
 * A definition as symphony would hold it: the defaults of WORKFLOW.md, except that agents are the scripted
 * `demo` ones in the `host` sandbox and that everything lies below `/project`.
 */
export const testWorkflow = (overrides: WorkflowOverrides = {}): WorkflowDefinition => {
  const config = overrides.config ?? {}
  return {
    path: overrides.path ?? "/project/WORKFLOW.md",
    promptLine: 1,
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

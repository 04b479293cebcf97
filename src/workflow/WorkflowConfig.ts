import type { Endpoint } from "../domain/Endpoint.ts"
import type { AdapterName } from "../domain/AdapterName.ts"
import type { StatePolicies } from "../domain/State.ts"

export type SandboxKind = "smolvm" | "bubblewrap" | "host"
export type HookName = "after_create" | "before_run" | "after_run" | "before_remove"

export interface VolumeMount {
  /** Absolute host path. */
  readonly host: string
  readonly guest: string
  readonly readonly: boolean
}

/**
 * The front matter of WORKFLOW.md, decoded: every key has a value, every path is absolute, every state is
 * declared. Durations are milliseconds.
 */
export interface WorkflowConfig {
  readonly tracker: {
    readonly root: string
    readonly requiredLabels: ReadonlyArray<string>
    /** Kept as written, for adapters other than the local one. */
    readonly provider: Readonly<Record<string, unknown>>
  }
  /** From `states`, else from `tracker.active_states` and `tracker.terminal_states`, in declared order. */
  readonly states: StatePolicies
  readonly polling: { readonly intervalMs: number }
  readonly workspace: { readonly root: string }
  readonly state: { readonly root: string }
  readonly hooks: Readonly<Record<HookName, string | null>> & { readonly timeoutMs: number }
  readonly agent: {
    readonly maxConcurrentAgents: number
    readonly maxTurns: number
    readonly maxSessionsPerIssue: number
    readonly maxRetryBackoffMs: number
    /** 0 turns the breaker off. */
    readonly circuitBreakerThreshold: number
    readonly steeringHoldMs: number
    readonly memoryAdmission: boolean
  }
  readonly acp: {
    readonly adapter: AdapterName
    /** Replaces the adapter's own launch line; run as `<shell> -lc <command>`. */
    readonly command: string | null
    readonly shell: string
    readonly model: string | null
    readonly transport: "auto" | "stdio" | "bridge"
    readonly credentials: "staged" | "proxy"
    /** Total cap of one prompt. */
    readonly promptTimeoutMs: number
    /** Each of `initialize` and `session/new`; null: what the adapter needs. */
    readonly readTimeoutMs: number | null
    /** Silence that ends a turn; 0 turns it off. */
    readonly stallTimeoutMs: number
  }
  readonly sandbox: {
    readonly kind: SandboxKind
    /** false: the guest reaches symphony's listener and nothing else. */
    readonly net: boolean
    readonly forwardEnv: ReadonlyArray<string>
  }
  readonly smolvm: {
    readonly image: string | null
    readonly from: string | null
    readonly cpus: number
    readonly memMib: number
    readonly binPath: string | null
    readonly volumes: ReadonlyArray<VolumeMount>
    /** Of `smolvm serve`; null: the command. */
    readonly endpoint: Endpoint | null
  }
  readonly handoff: { readonly mode: "auto" | "patch" | "pull_request" | "none" }
  readonly server: {
    /** `null`: an ephemeral port. */
    readonly port: number | null
    readonly host: string
    readonly auth: "token" | "none"
    readonly allowedHosts: ReadonlyArray<string>
  }
  readonly mcp: {
    readonly host: string
    /** Without a trailing slash. */
    readonly hostUrl: string | null
  }
}

/** One good reading of WORKFLOW.md. A run keeps the one it started with. */
export interface WorkflowDefinition {
  /** Absolute path of the file. */
  readonly path: string
  readonly config: WorkflowConfig
  /** The Liquid prompt, trimmed; the default prompt where the body is empty. */
  readonly prompt: string
  /** The line of the file that the prompt begins on, from 1. */
  readonly promptLine: number
}

import { stateKey, type StatePolicies, policyOf } from "../domain/State.ts"
import type { WorkflowConfig } from "../workflow/WorkflowConfig.ts"

/** What of the workflow the scheduler's rules look at. Durations are milliseconds. */
export interface Policy {
  readonly states: StatePolicies
  readonly maxConcurrent: number
  readonly maxSessions: number
  readonly maxRetryBackoffMs: number
  /** 0: no breaker. */
  readonly breakerThreshold: number
  readonly requiredLabels: ReadonlyArray<string>
  readonly adapter: string
  /** Whether finished work is handed over; where it is not, it stays in its workspace. */
  readonly handsOver: boolean
}

export const policyFrom = (config: WorkflowConfig): Policy => ({
  states: config.states,
  maxConcurrent: config.agent.maxConcurrentAgents,
  maxSessions: config.agent.maxSessionsPerIssue,
  maxRetryBackoffMs: config.agent.maxRetryBackoffMs,
  breakerThreshold: config.agent.circuitBreakerThreshold,
  requiredLabels: config.tracker.requiredLabels.map(stateKey),
  adapter: config.acp.adapter,
  handsOver: config.handoff.mode !== "none"
})

export const adapterFor = (policy: Policy, state: string): string =>
  policyOf(policy.states, state)?.adapter ?? policy.adapter

/** The state that an issue of this state is worked on in: where `on_start` moves it, or the same. */
export const workingState = (policy: Policy, state: string): string =>
  policyOf(policy.states, state)?.onStart ?? state

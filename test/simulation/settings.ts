import type { Dice } from "../support/Machine.ts"
import { type ConfigOverrides, testState } from "../support/workflow.ts"

/** What the operator writes into WORKFLOW.md. */
export interface Settings {
  readonly cap: number
  readonly reviewCap: number | null
  readonly threshold: number
  readonly maxSessions: number
  readonly maxTurns: number
  readonly backoffCap: number
  readonly holdMs: number
}

export const drawSettings = (dice: Dice): Settings => ({
  cap: dice.between(1, 6),
  reviewCap: dice.chance(0.5) ? dice.between(1, 3) : null,
  threshold: dice.between(2, 5),
  maxSessions: dice.between(3, 8),
  maxTurns: dice.between(1, 5),
  backoffCap: dice.pick([60_000, 120_000, 300_000]),
  holdMs: dice.pick([30_000, 300_000, 1_800_000])
})

export type Mode = "patch" | "none" | "pull_request"

export const configOf = (settings: Settings, mode: Mode, root: string): ConfigOverrides => ({
  tracker: { root },
  states: [
    testState("Todo", "active", { onStart: "In Progress" }),
    testState("In Progress", "active"),
    testState("Review", "active", { adapter: "codex", maxConcurrent: settings.reviewCap }),
    testState("Triage", "holding"),
    testState("Done", "terminal"),
    testState("Cancelled", "terminal")
  ],
  polling: { intervalMs: 30_000 },
  agent: {
    maxConcurrentAgents: settings.cap,
    circuitBreakerThreshold: settings.threshold,
    maxSessionsPerIssue: settings.maxSessions,
    maxTurns: settings.maxTurns,
    maxRetryBackoffMs: settings.backoffCap,
    steeringHoldMs: settings.holdMs
  },
  acp: { readTimeoutMs: 30_000, stallTimeoutMs: 300_000, promptTimeoutMs: 3_600_000 },
  hooks: { after_create: ":", before_run: ":", after_run: ":", before_remove: ":", timeoutMs: 60_000 },
  handoff: { mode }
})

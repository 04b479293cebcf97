import { roleOf, type StatePolicies } from "../../src/domain/State.ts"
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
  /** Whether agents work in `Review`, or issues wait there for people. */
  readonly reviewRole: "active" | "holding"
  readonly reviewAdapter: "codex" | "claude"
  /** Whether issues of `Todo` are worked on in `In Progress`, or where they lie. */
  readonly movesOnStart: boolean
}

export const drawSettings = (dice: Dice): Settings => ({
  cap: dice.between(1, 6),
  reviewCap: dice.chance(0.5) ? dice.between(1, 3) : null,
  threshold: dice.between(2, 5),
  maxSessions: dice.between(3, 8),
  maxTurns: dice.between(1, 5),
  backoffCap: dice.pick([60_000, 120_000, 300_000]),
  holdMs: dice.pick([30_000, 300_000, 1_800_000]),
  reviewRole: dice.pick(["active", "active", "active", "holding"]),
  reviewAdapter: dice.pick(["codex", "claude"]),
  movesOnStart: dice.chance(0.8)
})

const statesOf = ({ movesOnStart, reviewAdapter, reviewCap, reviewRole }: Settings): StatePolicies => [
  testState("Todo", "active", { onStart: movesOnStart ? "In Progress" : null }),
  testState("In Progress", "active"),
  // The first that holds issues is where they are parked: not this one.
  testState("Triage", "holding"),
  testState("Review", reviewRole, { adapter: reviewAdapter, maxConcurrent: reviewCap }),
  testState("Done", "terminal"),
  testState("Cancelled", "terminal")
]

/** Whether issues are started from there. */
export const isActive = (settings: Settings, state: string): boolean =>
  roleOf(statesOf(settings), state) === "active"

export type Mode = "patch" | "none" | "pull_request"

export const configOf = (settings: Settings, mode: Mode, root: string): ConfigOverrides => ({
  tracker: { root },
  states: [...statesOf(settings)],
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

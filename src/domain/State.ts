import { Schema } from "effect"
import type { AdapterName } from "./AdapterName.ts"

/**
 * What a state means to the scheduler: issues in an `active` state are dispatched, in a `holding` one they
 * wait for a person, in a `terminal` one they are finished.
 */
export const StateRole = Schema.Literals(["active", "holding", "terminal"])
export type StateRole = typeof StateRole.Type

/** States are compared trimmed and without regard to case. */
export const stateKey = (name: string): string => name.trim().toLowerCase()

export const sameState = (left: string, right: string): boolean => stateKey(left) === stateKey(right)

/** Behaviour about a state, as the workflow declares it. `null` means "as the workflow says elsewhere". */
export interface StatePolicy {
  readonly name: string
  readonly role: StateRole
  readonly adapter: AdapterName | null
  readonly model: string | null
  readonly maxTurns: number | null
  readonly maxConcurrent: number | null
  /** States that an agent may move the issue to; `null` allows every declared state. */
  readonly transitions: ReadonlyArray<string> | null
  /** State that the orchestrator moves an issue to when it starts a run on it. */
  readonly onStart: string | null
}

export type StatePolicies = ReadonlyArray<StatePolicy>

export const policyOf = (policies: StatePolicies, state: string): StatePolicy | undefined => {
  const key = stateKey(state)
  return policies.find((policy) => stateKey(policy.name) === key)
}

/** Undeclared states are holding: nothing is dispatched from, or cleaned up in, a folder nobody declared. */
export const roleOf = (policies: StatePolicies, state: string): StateRole =>
  policyOf(policies, state)?.role ?? "holding"

export const statesWithRole = (policies: StatePolicies, role: StateRole): ReadonlyArray<string> =>
  policies.filter((policy) => policy.role === role).map((policy) => policy.name)

/** Where `mark_done` moves an issue: the terminal state called `Done`, else the first terminal state. */
export const doneState = (policies: StatePolicies): string | undefined => {
  const terminal = statesWithRole(policies, "terminal")
  return terminal.find((name) => sameState(name, "done")) ?? terminal[0]
}

/** Where an issue is parked: the first declared holding state, else `Parked`, which is then made when needed. */
export const parkingState = (policies: StatePolicies): string =>
  statesWithRole(policies, "holding")[0] ?? "Parked"

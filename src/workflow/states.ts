import { sameState, stateKey, statesWithRole, type StatePolicies, type StatePolicy } from "../domain/State.ts"
import { describe, refuse, warn, type Finding } from "./findings.ts"
import { nearest } from "./keys.ts"
import { isStateName, STATE_NAME, type FrontMatterKeys, type WrittenState } from "./schema.ts"

const plain = (name: string, role: StatePolicy["role"]): StatePolicy => ({
  name: name.trim(),
  role,
  adapter: null,
  model: null,
  maxTurns: null,
  maxConcurrent: null,
  transitions: null,
  onStart: null
})

const blankAsNull = (text: string | null): string | null =>
  text === null || text.trim() === "" ? null : text.trim()

const policy = (name: string, state: WrittenState): StatePolicy => ({
  name: name.trim(),
  role: state.role,
  adapter: state.adapter,
  model: blankAsNull(state.model),
  maxTurns: state.max_turns,
  maxConcurrent: state.max_concurrent,
  transitions: state.transitions?.map((target) => target.trim()) ?? null,
  onStart: state.on_start?.trim() ?? null
})

export interface DecodedStates {
  readonly states: StatePolicies
  readonly findings: ReadonlyArray<Finding>
}

interface Written {
  readonly keys: FrontMatterKeys
  /** Names under `states` in the order of the file, also of those that did not decode. */
  readonly declared: ReadonlyArray<string>
  /** Whether the file itself has this key of `tracker`. */
  readonly hasList: (key: "active_states" | "terminal_states") => boolean
  /** Whether some value of the states was refused already, so that what depends on all of them is unknown. */
  readonly incomplete: boolean
}

const unknownState = (path: Finding["path"], name: string, known: ReadonlyArray<string>): Finding => {
  const meant = nearest(name, known)
  return refuse(
    path,
    `expected a declared state, got "${name}"`,
    meant === undefined ? `declared are ${known.join(", ")}` : `did you mean "${meant}"?`
  )
}

const fromMap = (map: Readonly<Record<string, WrittenState>>, written: Written): DecodedStates => {
  const { declared } = written
  const all = new Set(declared.map(stateKey))
  const inactive = new Set(
    Object.entries(map)
      .filter(([, state]) => state.role !== "active")
      .map(([name]) => stateKey(name))
  )
  const seen = new Set<string>()
  const states: Array<StatePolicy> = []
  const findings: Array<Finding> = []
  for (const name of declared) {
    const path = ["states", name]
    if (!isStateName(name)) findings.push(refuse(path, `expected ${STATE_NAME}, got ${describe(name)}`))
    if (seen.has(stateKey(name))) {
      findings.push(
        refuse(path, "expected each state once (upper and lower case are the same), got it twice")
      )
    }
    seen.add(stateKey(name))
    const state = Object.hasOwn(map, name) ? map[name] : undefined
    if (state === undefined) continue
    states.push(policy(name, state))
    for (const [at, target] of (state.transitions ?? []).entries()) {
      if (!all.has(stateKey(target)))
        findings.push(unknownState([...path, "transitions", at], target, declared))
    }
    if (state.on_start === null) continue
    if (!all.has(stateKey(state.on_start))) {
      findings.push(unknownState([...path, "on_start"], state.on_start, declared))
    } else if (inactive.has(stateKey(state.on_start))) {
      findings.push(
        refuse(
          [...path, "on_start"],
          `expected an active state, got "${state.on_start}"`,
          "a run stops when its issue leaves the active states"
        )
      )
    }
  }
  for (const role of ["active", "terminal"] as const) {
    const list = `${role}_states` as const
    const names = statesWithRole(states, role).map(stateKey)
    const listed = written.keys.tracker[list].map(stateKey)
    const agree = names.length === listed.length && names.every((name) => listed.includes(name))
    if (agree || written.incomplete || !written.hasList(list)) continue
    findings.push(warn(["tracker", list], "not used, because `states` says otherwise", "remove it"))
  }
  return { states, findings }
}

const fromLists = (keys: FrontMatterKeys): DecodedStates => {
  const findings: Array<Finding> = []
  const states: Array<StatePolicy> = []
  for (const role of ["active", "terminal"] as const) {
    for (const [index, name] of keys.tracker[`${role}_states`].entries()) {
      if (states.some((state) => sameState(state.name, name))) {
        findings.push(
          refuse(["tracker", `${role}_states`, index], `expected each state once, got "${name}" again`)
        )
      } else {
        states.push(plain(name, role))
      }
    }
  }
  return { states, findings }
}

const missingRoles = (states: StatePolicies, fromMap: boolean): ReadonlyArray<Finding> =>
  (["active", "terminal"] as const)
    .filter((role) => states.every((state) => state.role !== role))
    .map((role) =>
      refuse(
        fromMap ? ["states"] : ["tracker", `${role}_states`],
        `expected at least one ${role} state, got none`
      )
    )

/** The old map of caps, folded into the states; what a state says itself wins. */
const withCaps = (states: StatePolicies, keys: FrontMatterKeys, incomplete: boolean): DecodedStates => {
  const caps = Object.entries(keys.agent.max_concurrent_agents_by_state)
  const path = ["agent", "max_concurrent_agents_by_state"]
  const findings: Array<Finding> = []
  for (const [name] of caps) {
    const state = states.find((candidate) => sameState(candidate.name, name))
    if (state === undefined && !incomplete) {
      const meant = nearest(
        name,
        states.map((candidate) => candidate.name)
      )
      findings.push(
        warn(
          [...path, name],
          "not used, because there is no such state",
          meant === undefined ? null : `did you mean "${meant}"?`
        )
      )
    } else if (state !== undefined && state.maxConcurrent !== null) {
      findings.push(warn([...path, name], "not used, because the state has its own max_concurrent"))
    }
  }
  const byState = new Map(caps.map(([name, cap]) => [stateKey(name), cap]))
  return {
    states: states.map((state) => ({
      ...state,
      maxConcurrent: state.maxConcurrent ?? byState.get(stateKey(state.name)) ?? null
    })),
    findings
  }
}

const tooMany = (states: StatePolicies, keys: FrontMatterKeys): ReadonlyArray<Finding> => {
  const limit = keys.agent.max_concurrent_agents
  const sum = states
    .filter((state) => state.role === "active")
    .reduce((total, state) => total + (state.maxConcurrent ?? 0), 0)
  if (sum <= limit) return []
  const map = Object.keys(keys.agent.max_concurrent_agents_by_state).length > 0
  return [
    warn(
      map ? ["agent", "max_concurrent_agents_by_state"] : ["states"],
      `the caps of the active states add up to ${sum}, of which agent.max_concurrent_agents lets ${limit} run`
    )
  ]
}

/** The states of `states`, else of the two lists of `tracker`, with every rule about them checked. */
export const decodeStates = (written: Written): DecodedStates => {
  const { keys, incomplete } = written
  const declared = keys.states === null ? fromLists(keys) : fromMap(keys.states, written)
  const capped = withCaps(declared.states, keys, incomplete)
  const whole = incomplete
    ? []
    : [...missingRoles(capped.states, keys.states !== null), ...tooMany(capped.states, keys)]
  return { states: capped.states, findings: [...declared.findings, ...capped.findings, ...whole] }
}

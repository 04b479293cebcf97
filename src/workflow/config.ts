import { Result } from "effect"
import { endpointIn } from "../domain/Endpoint.ts"
import type { StatePolicies } from "../domain/State.ts"
import { describe, refuse, warn, type Finding } from "./findings.ts"
import { nearest, type KeyPath } from "./keys.ts"
import { defaultWorkspaces, expandPath, literalPart, type Environment } from "./paths.ts"
import { ADAPTERS, DEFAULT_FORWARD_ENV, type FrontMatterKeys } from "./schema.ts"
import type { AdapterName } from "../domain/AdapterName.ts"
import type { WorkflowConfig } from "./WorkflowConfig.ts"

const isAdapter = (name: string): name is AdapterName => ADAPTERS.includes(name)

const blankAsNull = (text: string | null): string | null =>
  text === null || text.trim() === "" ? null : text.trim()

/** One setting under two names: the value, and a finding where they contradict each other. */
const oneOf = <A>(
  current: A | null,
  former: A | null,
  fallback: A,
  name: string,
  same: (left: A, right: A) => boolean
): { readonly value: A; readonly findings: ReadonlyArray<Finding> } => ({
  value: current ?? former ?? fallback,
  findings:
    current !== null && former !== null && !same(current, former)
      ? [
          refuse(
            ["smolvm", name],
            `expected the same as sandbox.${name}, got another value`,
            "keep one of the two"
          )
        ]
      : []
})

const sameNames = (left: ReadonlyArray<string>, right: ReadonlyArray<string>): boolean =>
  left.length === right.length && left.every((name) => right.includes(name))

const adapterOf = (
  keys: FrontMatterKeys
): { readonly adapter: AdapterName; readonly findings: ReadonlyArray<Finding> } => {
  const { adapter, command } = keys.acp
  if (isAdapter(adapter)) return { adapter, findings: [] }
  const meant = nearest(adapter, ADAPTERS)
  const message = `expected ${ADAPTERS.slice(0, -1).join(", ")} or ${ADAPTERS.at(-1)}, got ${describe(adapter)}`
  const path = ["acp", "adapter"]
  return {
    adapter: "claude",
    findings:
      command === null
        ? [refuse(path, message, meant === undefined ? null : `did you mean "${meant}"?`)]
        : [warn(path, message, "acp.command is launched, and treated as claude where adapters differ")]
  }
}

/** Tracker, state and workspaces never share a folder; a path that was refused is `null`. */
const sharedFolders = (
  tracker: string | null,
  state: string | null,
  workspaces: string | null
): ReadonlyArray<Finding> => {
  const shared = (section: string, root: string | null, name: string, other: string | null) =>
    root === null || root !== other
      ? []
      : [refuse([section, "root"], `expected a folder of its own, got that of ${name}`)]
  const inTracker =
    state !== null && tracker !== null && state.startsWith(`${tracker}/`) && state[tracker.length + 1] !== "."
  return [
    ...(inTracker
      ? [
          refuse(
            ["state", "root"],
            "expected a folder outside of tracker.root, got one in it",
            "every folder there is a state"
          )
        ]
      : []),
    ...shared("state", state, "tracker.root", tracker),
    ...shared("workspace", workspaces, "tracker.root", tracker),
    ...shared("workspace", workspaces, "state.root", state)
  ]
}

/**
 * Every key with its value, and what is wrong between keys. The config is whole also where there are
 * findings, so that all of them are found at once; it may be used only when none is an error.
 */
export const toConfig = (
  keys: FrontMatterKeys,
  states: StatePolicies,
  folder: string,
  environment: Environment
): { readonly config: WorkflowConfig; readonly findings: ReadonlyArray<Finding> } => {
  const findings: Array<Finding> = []
  const pathAt = (at: KeyPath, written: string | null): string | null => {
    if (written === null) return null
    const literal = literalPart(written)
    if (literal !== undefined) {
      findings.push(warn(at, `a folder of exactly this name, since ${literal}`, "write it in full"))
    }
    const expanded = expandPath(written, folder, environment)
    if (Result.isSuccess(expanded)) return expanded.success
    findings.push(refuse(at, `expected a path, got ${expanded.failure}`))
    return null
  }

  const net = oneOf(keys.sandbox.net, keys.smolvm.net, true, "net", (left, right) => left === right)
  const forwardEnv = oneOf(
    keys.sandbox.forward_env,
    keys.smolvm.forward_env,
    DEFAULT_FORWARD_ENV,
    "forward_env",
    sameNames
  )
  findings.push(...net.findings, ...forwardEnv.findings)
  if (keys.smolvm.image !== null && keys.smolvm.from !== null) {
    findings.push(
      warn(["smolvm", "image"], "not used, because smolvm.from goes before it", "remove one of the two")
    )
  }
  if (keys.server.auth === "none" && !["127.0.0.1", "::1", "localhost"].includes(keys.server.host)) {
    findings.push(
      warn(["server", "auth"], "anyone who reaches this machine can read and steer", "use server.auth: token")
    )
  }
  const { adapter, findings: adapterFindings } = adapterOf(keys)
  findings.push(...adapterFindings)

  const trackerRoot = pathAt(["tracker", "root"], keys.tracker.root)
  const stateRoot = pathAt(["state", "root"], keys.state.root)
  const workspaceRoot =
    keys.workspace.root === null
      ? defaultWorkspaces(folder, environment)
      : pathAt(["workspace", "root"], keys.workspace.root)
  findings.push(...sharedFolders(trackerRoot, stateRoot, workspaceRoot))

  const config: WorkflowConfig = {
    tracker: {
      root: trackerRoot ?? folder,
      requiredLabels: keys.tracker.required_labels.map((label) => label.trim().toLowerCase()),
      provider: keys.tracker.provider
    },
    states,
    polling: { intervalMs: keys.polling.interval_ms },
    workspace: { root: workspaceRoot ?? folder },
    state: { root: stateRoot ?? folder },
    hooks: {
      after_create: keys.hooks.after_create,
      before_run: keys.hooks.before_run,
      after_run: keys.hooks.after_run,
      before_remove: keys.hooks.before_remove,
      timeoutMs: keys.hooks.timeout_ms
    },
    agent: {
      maxConcurrentAgents: keys.agent.max_concurrent_agents,
      maxTurns: keys.agent.max_turns,
      maxSessionsPerIssue: keys.agent.max_sessions_per_issue,
      maxRetryBackoffMs: keys.agent.max_retry_backoff_ms,
      circuitBreakerThreshold: keys.agent.circuit_breaker_threshold,
      steeringHoldMs: keys.agent.steering_hold_ms,
      memoryAdmission: keys.agent.memory_admission
    },
    acp: {
      adapter,
      command: keys.acp.command,
      shell: keys.acp.shell,
      model: blankAsNull(keys.acp.model),
      transport: keys.acp.transport,
      credentials: keys.acp.credentials,
      promptTimeoutMs: keys.acp.prompt_timeout_ms,
      readTimeoutMs: keys.acp.read_timeout_ms,
      stallTimeoutMs: Math.max(0, keys.acp.stall_timeout_ms)
    },
    sandbox: { kind: keys.sandbox.kind, net: net.value, forwardEnv: forwardEnv.value },
    smolvm: {
      image: keys.smolvm.from === null ? keys.smolvm.image : null,
      from: pathAt(["smolvm", "from"], keys.smolvm.from),
      cpus: keys.smolvm.cpus,
      memMib: keys.smolvm.mem_mib,
      binPath: pathAt(["smolvm", "bin_path"], keys.smolvm.bin_path),
      volumes: keys.smolvm.volumes.map(({ host, guest, readonly }, index) => ({
        host: pathAt(["smolvm", "volumes", index, "host"], host) ?? folder,
        guest,
        readonly
      })),
      endpoint: keys.smolvm.endpoint === null ? null : endpointIn(keys.smolvm.endpoint)
    },
    handoff: { mode: keys.handoff.mode },
    server: {
      port: keys.server.port,
      host: keys.server.host,
      auth: keys.server.auth,
      allowedHosts: keys.server.allowed_hosts
    },
    mcp: { host: keys.mcp.host, hostUrl: keys.mcp.host_url?.replace(/\/+$/, "") ?? null }
  }
  return { config, findings }
}

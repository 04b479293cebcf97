import { createHash } from "node:crypto"
import { Context, Effect, Exit, Option, Path, Ref, Result, Schema, Scope, Semaphore, Stream } from "effect"
import { SecureRandom } from "effect/crypto"
import type { WorkflowConfig, WorkflowDefinition } from "../../workflow/WorkflowConfig.ts"
import { printableLine, printableTail } from "../../domain/printable.ts"
import type { RunId } from "../../domain/ids.ts"
import { type LocalMachine, localMachine } from "../LocalRun.ts"
import type { SandboxDriver } from "../SandboxDriver.ts"
import { type Sandbox, SandboxError, type SandboxRequest, SandboxUnavailable } from "../Sandboxes.ts"
import { type Bridge, makeBridge } from "./Bridge.ts"
import { type CommandLine, makeCommandLine } from "./commandLine.ts"
import { guestCommand } from "./guestProgram.ts"
import { type Link, type Order, runOver } from "./guestLink.ts"
import { makeServer } from "./server.ts"
import { GATEWAY, LOOPBACK } from "./hosts.ts"
import { checkImage } from "./image.ts"
import type { Limits } from "./limits.ts"
import type { Machines, MachineSpec } from "./Machines.ts"
import { BIN_TARGET, configuredMounts, mountProblem } from "./mounts.ts"
import { makeShare, type Share } from "./share.ts"
import { sandboxError } from "./SmolvmError.ts"
import { makeVmPool, realStateRoot, type VmPool } from "./VmPool.ts"

const WILDCARD = new Set(["0.0.0.0", "::", "[::]", ""])

/** `exec -i` holds back what exceeds 4096 bytes of a burst; some of that is left for signals. */
const STDIO_WINDOW = 4000

const decodeProbe = Schema.decodeUnknownEffect(
  Schema.fromJsonString(
    Schema.Struct({ host: Schema.NullOr(Schema.String), home: Schema.NonEmptyString, node: Schema.String })
  )
)

const fail = (reason: SandboxError["reason"], detail: string, hint: string | null) =>
  new SandboxError({ kind: "smolvm", reason, detail, hint })

const hostsFor = ({ mcp }: WorkflowConfig): ReadonlyArray<string> => {
  const named = mcp.hostUrl !== null && URL.canParse(mcp.hostUrl) ? [new URL(mcp.hostUrl).hostname] : []
  const host = WILDCARD.has(mcp.host) ? [] : [mcp.host]
  return [...new Set([LOOPBACK, GATEWAY, ...host, ...named])]
}

export interface SmolvmOptions {
  readonly limits: Limits
}

/** One microVM an issue, from a pool; the agent's stdio comes back over the bridge or through `exec -i`. */
export const makeSmolvmSandbox = Effect.fnUntraced(function* ({ limits }: SmolvmOptions) {
  const machine: LocalMachine = yield* localMachine
  const path = yield* Path.Path
  const { fs } = machine
  const scope = yield* Effect.scope
  const context = Context.make(SecureRandom.SecureRandom, yield* SecureRandom.SecureRandom)
  const commandLine: CommandLine = yield* makeCommandLine(machine, limits)
  const opening = yield* Semaphore.make(1)
  const pools = new Map<string, VmPool>()
  const shares = new Map<string, Share>()
  const warned = yield* Ref.make(false)
  /** Setups whose machines have been of use. What keeps another one of them from it is no matter of configuration. */
  const proven = new Set<string>()
  const bridges: Array<Bridge> = []
  /** Opened with the first machine: who uses no microVM opens no port. One that could not be is tried again. */
  const bridge: Effect.Effect<Bridge, SandboxError> = opening.withPermit(
    Effect.gen(function* () {
      const [open] = bridges
      if (open !== undefined) return open
      const made = yield* makeBridge.pipe(Effect.provideContext(context), Scope.provide(scope))
      bridges.push(made)
      return made
    })
  )

  const machinesOf = ({ smolvm }: WorkflowConfig): Machines =>
    smolvm.endpoint === null ? commandLine : makeServer(smolvm.endpoint, limits)

  const poolOf = Effect.fnUntraced(function* (config: WorkflowConfig) {
    const machines = machinesOf(config)
    const root = yield* realStateRoot(fs, config.state.root)
    const pool = yield* opening.withPermit(
      Effect.gen(function* () {
        const open = pools.get(root)
        if (open !== undefined) return open
        const made = yield* Scope.provide(makeVmPool(machine, root, machines, limits), scope)
        pools.set(root, made)
        return made
      })
    )
    return { pool, machines, root }
  })

  const shareOf = Effect.fnUntraced(function* (root: string, paths: ReadonlyArray<string>) {
    if (paths.length === 0) return null
    const key = [root, ...paths].join("\0")
    return yield* opening.withPermit(
      Effect.gen(function* () {
        const made = shares.get(key)
        if (made !== undefined) return made
        const share = yield* makeShare(fs, path, { stateRoot: root, node: process.execPath, paths })
        shares.set(key, share)
        return share
      })
    )
  })

  const check = Effect.fn("SmolvmSandbox.check")(function* ({ config }: WorkflowDefinition) {
    const machine = Effect.mapError(machinesOf(config).version, sandboxError)
    // Its attached stdio exists on the command line only.
    const attached =
      config.acp.transport === "stdio" && config.smolvm.endpoint !== null
        ? Effect.mapError(commandLine.version, sandboxError)
        : Effect.void
    const version = yield* Effect.option(machine)
    const image = checkImage(fs, config, Option.getOrNull(version))
    const mounts = Effect.suspend(() => {
      const workspaces = config.workspace.root
      const problem = mountProblem([
        { source: workspaces, target: workspaces, readonly: false },
        ...configuredMounts(config)
      ])
      return problem === null ? Effect.void : Effect.fail(problem)
    })
    const answers = yield* Effect.forEach([machine, attached, image, mounts], (one) =>
      Effect.result(Effect.asVoid(one))
    )
    const missing = answers
      .filter(Result.isFailure)
      .map(({ failure: { detail, hint } }) => ({ detail, hint }))
    if (missing.length > 0) return yield* new SandboxUnavailable({ kind: "smolvm", missing })
  })

  const specOf = Effect.fnUntraced(function* (request: SandboxRequest, share: Share | null) {
    const { config } = request.workflow
    const { cpus, from, image, memMib } = config.smolvm
    const workspace = yield* Effect.orElseSucceed(fs.realPath(request.workspace), () => request.workspace)
    const mounts = [
      { source: workspace, target: request.workspace, readonly: false },
      ...(share === null ? [] : [share.mount]),
      ...configuredMounts(config)
    ]
    const problem = mountProblem(mounts)
    if (problem !== null) return yield* problem
    const spec: Omit<MachineSpec, "name"> = { from, image, cpus, memMib, mounts, net: config.sandbox.net }
    // A pack that was built anew under the same name is another pack.
    const pack = from === null ? null : yield* Effect.orElseSucceed(fs.stat(from), () => null)
    const facts = [spec, pack === null ? null : [String(pack.size), String(pack.mtime)]]
    return { spec, fingerprint: createHash("sha256").update(JSON.stringify(facts)).digest("hex") }
  })

  /** Which of the names the guest reaches us by, and whether it has what we need. */
  const probe = Effect.fnUntraced(function* (machines: Machines, name: string, config: WorkflowConfig) {
    const { greet, port } = yield* bridge
    const token = yield* greet
    const { from, image } = config.smolvm
    const setup = JSON.stringify([machines.description, from, image, config.sandbox.net, hostsFor(config)])
    const useless = (detail: string, hint: string) =>
      fail(proven.has(setup) ? "lost" : "unavailable", detail, hint)
    const answer = yield* machines
      .execute(name, guestCommand(["probe", String(port), ...hostsFor(config)]), token)
      .pipe(Effect.mapError(sandboxError))
    const found = yield* decodeProbe(answer.stdout.trim()).pipe(
      Effect.mapError(() =>
        useless(
          `the guest cannot run Node: ${printableTail(answer.stderr.trim(), 300) || `exit code ${answer.code}`}`,
          "set `smolvm.from` to an image of scripts/build-vm.sh, or `smolvm.image` to one with Node 22 or later"
        )
      )
    )
    if (found.host === null) {
      return yield* useless(
        `the guest reaches symphony at none of ${hostsFor(config).join(", ")}`,
        config.smolvm.endpoint === null
          ? "name the host as the guest sees it as `mcp.host`"
          : "`smolvm serve` keeps its guests from the host: start it with SMOLVM_EGRESS_FLOOR=metadata, or leave `smolvm.endpoint` out"
      )
    }
    proven.add(setup)
    return { host: printableLine(found.host, 200), home: found.home }
  }, Effect.scoped)

  const dialBack = Effect.fnUntraced(function* (machines: Machines, name: string, host: string) {
    const { expect, port } = yield* bridge
    const { link, token } = yield* expect
    const launched = yield* machines.launch(name, guestCommand(["bridge", String(port), host]), token)
    const words = Effect.timeoutOrElse(launched.ended, {
      duration: "1 second",
      orElse: () => Effect.succeed("")
    })
    return yield* link.pipe(
      Effect.map((arrived): Link => ({ ...arrived, lastWords: words })),
      Effect.raceFirst(
        Effect.flatMap(launched.ended, (detail) =>
          Effect.fail(fail("lost", `the guest did not dial back: ${detail}`, null))
        )
      ),
      Effect.timeoutOrElse({
        duration: limits.execute,
        orElse: () => Effect.fail(fail("lost", "the guest did not dial back in time", null))
      })
    )
  })

  const throughStdio = Effect.fnUntraced(function* (name: string) {
    const { isRunning, process } = yield* commandLine.attach(name, guestCommand(["stdio"]))
    let said = ""
    yield* process.stderr.pipe(
      Stream.decodeText,
      Stream.runForEach((text) => Effect.sync(() => void (said = (said + text).slice(-2000)))),
      Effect.catch((error) => Effect.logDebug("a pipe of smolvm broke", error)),
      Effect.forkScoped
    )
    // Nobody dials in: the token line is empty.
    yield* process.write(Buffer.from("\n"))
    const link: Link = {
      incoming: process.stdout,
      send: process.write,
      cut: Effect.asVoid(Effect.when(process.closeStdin, isRunning)),
      lastWords: Effect.map(process.exit, ({ detail }) => printableTail(said.trim(), 400) || detail),
      window: STDIO_WINDOW
    }
    return link
  })

  const warnOnce = Effect.flatMap(Ref.getAndSet(warned, true), (before) =>
    before
      ? Effect.void
      : Effect.logWarning(
          "sandbox.net is false: a microVM is kept from the network, but not from the services of this machine's loopback"
        )
  )

  const acquire: SandboxDriver["acquire"] = Effect.fn("SmolvmSandbox.acquire")(function* (request) {
    const { config } = request.workflow
    if (!config.sandbox.net) yield* warnOnce
    const { machines, pool, root } = yield* poolOf(config)
    const share = yield* shareOf(root, request.readonlyPaths)
    const { fingerprint, spec } = yield* specOf(request, share)
    const lease = {
      identifier: request.identifier,
      runId: request.runId,
      spec,
      fingerprint,
      bound: config.agent.maxConcurrentAgents
    }
    const { name, proof } = yield* pool.lease(machines, lease, (name) => probe(machines, name, config))
    const { home, host } = proof
    const order: Omit<Order, "shell" | "line"> = {
      cwd: request.workspace,
      env: request.env,
      path: config.smolvm.binPath === null ? [] : [BIN_TARGET],
      homeFiles: request.homeFiles,
      secretPaths: request.secretPaths,
      links: share?.links ?? []
    }
    const connect = config.acp.transport === "stdio" ? throughStdio(name) : dialBack(machines, name, host)
    return {
      kind: "smolvm",
      listenerUrl: `http://${host}:${request.listener.port}`,
      home,
      name,
      start: (command) => Effect.flatMap(connect, (link) => runOver(link, { ...order, ...command })),
      stop: pool.stop(machines, name)
    } satisfies Sandbox
  })

  const reap = Effect.fn("SmolvmSandbox.reap")(function* (
    { config }: WorkflowDefinition,
    leftover: ReadonlyArray<RunId>
  ) {
    const open = yield* Effect.exit(poolOf(config))
    if (Exit.isFailure(open)) {
      yield* Effect.logWarning("the records of VMs cannot be read", open.cause)
      return leftover.map((runId) => ({ runId, status: "unknown" as const }))
    }
    return yield* open.value.pool.reap(open.value.machines, leftover)
  })

  return { kind: "smolvm", check, acquire, reap } satisfies SandboxDriver
})

import { Config, Effect, Option, Path, type Redacted, Ref, Result, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { printableTail } from "../../domain/printable.ts"
import type { WorkflowConfig } from "../../workflow/WorkflowConfig.ts"
import { belongingTo } from "../../processes/endProcesses.ts"
import { ofFile } from "../fileProblem.ts"
import { hostEnvironment } from "../hostEnvironment.ts"
import { listenerUrl } from "../listenerHost.ts"
import { acquireLocalRun, type LocalRun, localMachine } from "../LocalRun.ts"
import { MARKER_VARIABLE } from "../../processes/ProcessTable.ts"
import { reapRuns } from "../reapRuns.ts"
import type { SandboxDriver } from "../SandboxDriver.ts"
import { type Sandbox, SandboxError, type SandboxRequest, SandboxUnavailable } from "../Sandboxes.ts"
import { entryArguments, GUEST_SOCKET } from "./entry.ts"
import { bubblewrapArguments, GUEST_HOME, guestGroup, guestPasswd, layOut, type Mount } from "./mounts.ts"
import { programMounts } from "./programMounts.ts"
import { openRelay } from "./relay.ts"
import { nodeMounts, readOnlyMount, systemMounts } from "./systemMounts.ts"

const CHECK_LIMIT = "10 seconds"

const unavailable = (detail: string, hint: string) =>
  new SandboxUnavailable({ kind: "bubblewrap", missing: [{ detail, hint }] })

/**
 * Linux namespaces through `bwrap`: the guest sees its workspace, a read-only system and a private HOME, and
 * no other process, folder or (with `sandbox.net: false`) network. Refuses where the machine cannot do that.
 */
export const makeBubblewrapSandbox = Effect.gen(function* () {
  const machine = yield* localMachine
  const { files, fs, spawner, table } = machine
  const path = yield* Path.Path
  const inherited = yield* hostEnvironment
  const operatorHome = yield* Effect.orDie(Config.option(Config.NonEmptyString("HOME")))
  const node = process.execPath
  const warned = yield* Ref.make(false)

  const warnOnce = Effect.flatMap(Ref.getAndSet(warned, true), (before) =>
    before
      ? Effect.void
      : Effect.logWarning(
          "sandbox.net is true: agents share this machine's network, its loopback included; " +
            "`sandbox.net: false` leaves them symphony's listener alone"
        )
  )

  const check = Effect.fn("BubblewrapSandbox.check")(function* () {
    const mounts = yield* systemMounts(fs)
    const command = ChildProcess.make(
      "bwrap",
      [...bubblewrapArguments({ mounts: layOut(mounts, []), net: false, cwd: "/" }), "true"],
      { env: inherited, extendEnv: false, stdin: "ignore", stdout: "ignore", forceKillAfter: "100 millis" }
    )
    const outcome = yield* Effect.gen(function* () {
      const handle = yield* spawner.spawn(command)
      const complaint = yield* Stream.mkString(Stream.decodeText(handle.stderr))
      return { code: yield* handle.exitCode, complaint }
    }).pipe(Effect.scoped, Effect.timeoutOption(CHECK_LIMIT), Effect.result)
    if (Result.isFailure(outcome)) {
      return yield* unavailable(
        "`bwrap` could not be started",
        "on Linux: `apt-get install bubblewrap`; elsewhere set another `sandbox.kind`; " +
          "`npm run demo` shows the product without it"
      )
    }
    const answer = Option.getOrElse(outcome.success, () => ({ code: 1, complaint: "no answer in time" }))
    if (answer.code !== 0) {
      return yield* unavailable(
        `\`bwrap\` cannot make a sandbox on this machine: ${printableTail(answer.complaint.trim(), 400)}`,
        "user namespaces must be on: `sysctl kernel.unprivileged_userns_clone=1`, on Ubuntu also " +
          "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`, in a container a seccomp profile that allows them"
      )
    }
  })

  /** What no guest may see, by its real name, as far as it is there. */
  const protectedFolders = Effect.fnUntraced(function* (config: WorkflowConfig) {
    const candidates = [
      config.tracker.root,
      config.state.root,
      config.workspace.root,
      ...Option.toArray(operatorHome)
    ]
    const real = yield* Effect.forEach(candidates, (folder) => Effect.result(fs.realPath(folder)))
    return real.filter(Result.isSuccess).map((found) => found.success)
  })

  const writeIdentity = Effect.fnUntraced(function* (request: SandboxRequest, folder: string) {
    const place = { root: request.workflow.config.state.root }
    yield* files.writeAtomic(place, `${folder}/passwd`, guestPasswd)
    yield* files.writeAtomic(place, `${folder}/group`, guestGroup)
  })

  const guestMounts = Effect.fnUntraced(function* (
    request: SandboxRequest,
    run: Pick<LocalRun, "home" | "kept">,
    identity: string,
    socket: string | null
  ) {
    const asked = yield* Effect.forEach(request.readonlyPaths, (path) =>
      Effect.flatMap(readOnlyMount(fs, path), (mount) =>
        mount === null
          ? Effect.fail(
              new SandboxError({
                kind: "bubblewrap",
                reason: "mount",
                detail: `${path} is not there`,
                hint: null
              })
            )
          : Effect.succeed(mount)
      )
    )
    const programs = yield* Effect.forEach(request.programs, (program) =>
      Effect.provideService(programMounts(fs, inherited["PATH"] ?? "", program), Path.Path, path)
    )
    const mounts: ReadonlyArray<Mount> = [
      ...(yield* systemMounts(fs)),
      ...(yield* Effect.provideService(nodeMounts(fs, node), Path.Path, path)),
      ...asked,
      ...programs.flat(),
      { _tag: "ReadOnly", source: `${identity}/passwd`, at: "/etc/passwd" },
      { _tag: "ReadOnly", source: `${identity}/group`, at: "/etc/group" },
      { _tag: "ReadWrite", source: run.home, at: GUEST_HOME },
      ...run.kept.map(({ path: below, source }): Mount => ({
        _tag: "ReadWrite",
        source,
        at: `${GUEST_HOME}/${below}`
      })),
      { _tag: "ReadWrite", source: request.workspace, at: request.workspace },
      ...(socket === null ? [] : [{ _tag: "ReadWrite", source: socket, at: GUEST_SOCKET } as const])
    ]
    return layOut(mounts, yield* protectedFolders(request.workflow.config))
  })

  const acquire: SandboxDriver["acquire"] = Effect.fn("BubblewrapSandbox.acquire")(function* (request) {
    const { config } = request.workflow
    if (config.sandbox.net) yield* warnOnce
    const run = yield* acquireLocalRun(machine, "bubblewrap", request, (leader) => askGuest(leader))
    yield* Effect.mapError(writeIdentity(request, run.identity), (error) => ofFile("bubblewrap", error))
    const socket = config.sandbox.net ? null : yield* openRelay(fs, request.listener)
    const mounts = yield* guestMounts(request, run, path.join(config.state.root, run.identity), socket)
    const before = bubblewrapArguments({ mounts, net: config.sandbox.net, cwd: request.workspace })
    const env: Record<string, string | Redacted.Redacted> = {
      ...inherited,
      ...request.env,
      HOME: GUEST_HOME,
      [MARKER_VARIABLE]: run.marker
    }
    return {
      kind: "bubblewrap",
      // Without network the guest has a loopback of its own, from which the relay leads out.
      listenerUrl: config.sandbox.net
        ? listenerUrl(request.listener, config.mcp.host)
        : `http://127.0.0.1:${request.listener.port}`,
      home: GUEST_HOME,
      name: `bubblewrap ${request.runId}`,
      start: Effect.fnUntraced(function* ({ shell, line }) {
        yield* requireShell(shell)
        return yield* run.start(
          ChildProcess.make(
            "bwrap",
            [
              ...before,
              ...(config.sandbox.net
                ? [shell, "-lc", line]
                : entryArguments({ node, port: request.listener.port, shell, line }))
            ],
            { env, extendEnv: false, forceKillAfter: "100 millis" }
          )
        )
      }),
      stop: run.stop
    } satisfies Sandbox
  })

  /** `bwrap` starts whatever it is to run; a shell that is missing should fail as it does on the host. */
  const requireShell = Effect.fnUntraced(function* (shell: string) {
    const folders = shell.includes("/") ? [""] : (inherited["PATH"] ?? "").split(":")
    for (const folder of folders) {
      if (yield* Effect.orElseSucceed(fs.exists(path.join(folder, shell)), () => false)) return
    }
    return yield* new SandboxError({
      kind: "bubblewrap",
      reason: "spawn",
      detail: `cannot start ${shell}: ENOENT`,
      hint: `is ${shell} installed and on PATH?`
    })
  })

  /** SIGTERM for those inside: `bwrap` itself would die of it at once and take them along. */
  const askGuest = Effect.fnUntraced(function* (leader: number) {
    const entries = (yield* table.list(null)) ?? []
    const inside = belongingTo(entries, { marker: null, leaders: [leader], since: null })
    yield* Effect.forEach(
      inside.filter((entry) => entry.pid !== leader),
      (entry) => table.signal(entry.pid, "SIGTERM"),
      { discard: true }
    )
  })

  return {
    kind: "bubblewrap",
    check,
    acquire,
    reap: (workflow, leftover) => reapRuns(machine, workflow, leftover)
  } satisfies SandboxDriver
})

import { Effect, type FileSystem, Ref, type Redacted } from "effect"
import { ChildProcess } from "effect/process"
import { hostEnvironment } from "./hostEnvironment.ts"
import { listenerUrl } from "./listenerHost.ts"
import { acquireLocalRun, localMachine } from "./LocalRun.ts"
import { MARKER_VARIABLE } from "../processes/ProcessTable.ts"
import { reapRuns } from "./reapRuns.ts"
import type { SandboxDriver } from "./SandboxDriver.ts"
import { type Sandbox, type SandboxCommand, SandboxError } from "./Sandboxes.ts"

/**
 * No isolation: the agent is a child process of ours, with a HOME and an environment of its own, and can do
 * whatever the operator's account can. Says so once.
 */
export const makeHostSandbox = Effect.gen(function* () {
  const machine = yield* localMachine
  const inherited = yield* hostEnvironment
  const warned = yield* Ref.make(false)

  const warnOnce = Effect.flatMap(Ref.getAndSet(warned, true), (before) =>
    before
      ? Effect.void
      : Effect.logWarning(
          "sandbox.kind is host: agents run WITHOUT ISOLATION, with the rights of your account"
        )
  )

  const acquire: SandboxDriver["acquire"] = Effect.fn("HostSandbox.acquire")(function* (request) {
    yield* warnOnce
    const run = yield* acquireLocalRun(machine, "host", request, (leader) =>
      machine.table.signal(-leader, "SIGTERM")
    )
    // The HOME is new and nobody has been in it yet, so its paths are what they seem.
    yield* Effect.forEach(
      run.kept,
      ({ path, source }) => linkKept(machine.fs, `${run.home}/${path}`, source),
      {
        discard: true
      }
    )
    const env: Record<string, string | Redacted.Redacted> = {
      ...inherited,
      ...request.env,
      HOME: run.home,
      [MARKER_VARIABLE]: run.marker
    }
    return {
      kind: "host",
      listenerUrl: listenerUrl(request.listener, request.workflow.config.mcp.host),
      home: run.home,
      name: `host ${request.runId}`,
      start: (command) => run.start(loginShell(command, request.workspace, env)),
      stop: run.stop
    } satisfies Sandbox
  })

  return {
    kind: "host",
    check: () => Effect.void,
    acquire,
    reap: (workflow, leftover) => reapRuns(machine, workflow, leftover)
  } satisfies SandboxDriver
})

const linkKept = (fs: FileSystem.FileSystem, at: string, source: string) =>
  fs.makeDirectory(at.slice(0, at.lastIndexOf("/")), { recursive: true }).pipe(
    Effect.andThen(fs.symlink(source, at)),
    Effect.mapError(
      (error) => new SandboxError({ kind: "host", reason: "io", detail: error.message, hint: null })
    )
  )

/**
 * `<shell> -lc <line>` in the workspace. The profile of a login shell sets a PATH of its own on most systems;
 * the guest gets the one that we wrote.
 */
const loginShell = (
  command: SandboxCommand,
  workspace: string,
  env: Readonly<Record<string, string | Redacted.Redacted>>
) =>
  ChildProcess.make(command.shell, ["-lc", `PATH=$SYMPHONY_PATH; unset SYMPHONY_PATH; ${command.line}`], {
    cwd: workspace,
    env: { ...env, SYMPHONY_PATH: env["PATH"] },
    extendEnv: false,
    forceKillAfter: "100 millis"
  })

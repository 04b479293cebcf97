import { type Cause, Effect, Fiber, type PlatformError, Queue, type Scope, Stream } from "effect"
import type { ChildProcess, ChildProcessSpawner } from "effect/process"
import type { SandboxKind } from "../workflow/WorkflowConfig.ts"
import { isExhausted } from "../processes/exhausted.ts"
import { SandboxError, type SandboxProcess } from "./Sandboxes.ts"

/** A child process of ours that runs a guest's command; it leads its own process group. */
export interface GuestProcess {
  readonly pid: number
  readonly process: SandboxProcess
  readonly isRunning: Effect.Effect<boolean>
  /** Closes the pipe at once, whether or not the guest has read what was written. */
  readonly dropStdin: Effect.Effect<void>
}

/**
 * Starts `command` without a way of ending it: whoever calls must. (The spawner's own ending waits for the
 * exit without a limit, and an exit that never comes must not hold a scope.)
 */
export const spawnGuest = Effect.fnUntraced(function* (
  spawner: ChildProcessSpawner.ChildProcessSpawner["Service"],
  kind: SandboxKind,
  command: ChildProcess.StandardCommand
): Effect.fn.Return<GuestProcess, SandboxError, Scope.Scope> {
  const ioError = (error: PlatformError.PlatformError) =>
    new SandboxError({ kind, reason: "io", detail: describe(error), hint: null })

  const handle = yield* Effect.mapError(
    spawner.spawn(command),
    (error) =>
      new SandboxError({
        kind,
        reason: isExhausted(error) ? "exhausted" : "spawn",
        detail: `cannot start ${command.command}: ${describe(error)}`,
        hint: error.reason._tag === "NotFound" ? `is ${command.command} installed and on PATH?` : null
      })
  )
  yield* Effect.orDie(handle.unref)

  const outbox = yield* Queue.bounded<Uint8Array, Cause.Done>(1)
  const pump = yield* Stream.fromQueue(outbox).pipe(
    Stream.run(handle.stdin),
    Effect.catchTag("PlatformError", (error) => Effect.logDebug("the guest's stdin is closed", error)),
    Effect.ensuring(Queue.shutdown(outbox)),
    Effect.forkScoped
  )

  const write = Effect.fnUntraced(function* (bytes: Uint8Array) {
    if (bytes.length === 0 || (yield* Queue.offer(outbox, bytes))) return
    return yield* new SandboxError({ kind, reason: "io", detail: "the guest's stdin is closed", hint: null })
  })

  return {
    pid: handle.pid,
    isRunning: Effect.orElseSucceed(handle.isRunning, () => false),
    dropStdin: Fiber.interrupt(pump),
    process: {
      pid: handle.pid,
      stdout: Stream.mapError(handle.stdout, ioError),
      stderr: Stream.mapError(handle.stderr, ioError),
      write,
      closeStdin: Effect.asVoid(Queue.end(outbox)),
      exit: Effect.matchEffect(handle.exitCode, {
        onSuccess: (code) => Effect.succeed({ code, detail: `exit code ${code}`, lost: false }),
        onFailure: (error) =>
          Effect.succeed({
            code: null,
            detail: `ended by ${signalIn(error) ?? describe(error)}`,
            lost: false
          })
      })
    }
  }
})

const signalIn = (error: PlatformError.PlatformError): string | undefined =>
  /'(SIG[A-Z0-9]+)'/.exec(describe(error))?.[1]

/** Without the command line, which the spawner puts in its message and which may hold what must not be shown. */
const describe = (error: PlatformError.PlatformError): string => {
  const cause = error.reason.cause
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") return cause.code
  return cause instanceof Error ? cause.message : (error.reason.description ?? error.reason._tag)
}

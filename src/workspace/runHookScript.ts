import { Duration, Effect, Fiber, Option, type PlatformError, Stream } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import { endGroup } from "../processes/endProcesses.ts"
import type { ProcessTable } from "../processes/ProcessTable.ts"
import { printableTail } from "../domain/printable.ts"
import type { HookName } from "../workflow/WorkflowConfig.ts"
import { HookError } from "./Workspaces.ts"

/** How much of the end of a hook's output is kept. */
const OUTPUT_BYTES = 64 * 1024
/** How much of that goes into a log line. */
const LOGGED_CHARACTERS = 2000
/** How long a hook's shell has to end between SIGTERM and SIGKILL. */
const KILL_AFTER = Duration.seconds(2)
/** How long output is waited for after the shell ended, since a process that it left may hold the pipe. */
const OUTPUT_GRACE = "250 millis"

export interface HookScript {
  readonly hook: HookName
  readonly script: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

/**
 * Runs `sh -lc <script>` on the host in a process group of its own, which is gone when this returns: hooks
 * that are over, timed out or interrupted leave nothing behind.
 */
export const runHookScript = Effect.fn("Workspaces.runHook")(
  function* (
    spawner: ChildProcessSpawner.ChildProcessSpawner["Service"],
    table: ProcessTable["Service"],
    { hook, script, cwd, env, timeoutMs }: HookScript
  ) {
    const output = makeTail(OUTPUT_BYTES)
    const fail = (reason: HookError["reason"], detail: string, code: number | null = null) =>
      new HookError({ hook, reason, code, detail, output: output.text() })

    yield* Effect.logInfo("hook started")
    const once = Effect.gen(function* () {
      const handle = yield* Effect.acquireRelease(
        Effect.tap(
          spawner.spawn(
            // One pipe for both, so that the end of the output is what was printed last.
            ChildProcess.make("sh", ["-lc", `exec 2>&1; ${script}`], {
              cwd,
              env,
              extendEnv: true,
              stdin: "ignore",
              forceKillAfter: "100 millis"
            })
          ),
          // The spawner's own ending would wait for zombies, and for an exit that never comes.
          (handle) => handle.unref
        ),
        (handle) => endGroup(table, handle.pid, KILL_AFTER)
      )
      const reading = yield* handle.stdout.pipe(
        Stream.runForEach((bytes) => Effect.sync(() => output.add(bytes))),
        Effect.catchTag("PlatformError", (error) => Effect.logDebug("hook output broke off", error)),
        Effect.forkScoped
      )
      const end = yield* Effect.result(handle.exitCode)
      yield* Effect.timeoutOption(Fiber.await(reading), OUTPUT_GRACE)
      return end
    })
    const ended = yield* once.pipe(
      Effect.scoped,
      Effect.mapError((error) => fail("spawn", `could not be started: ${reasonOf(error)}`)),
      Effect.timeoutOption(Duration.millis(timeoutMs))
    )
    if (Option.isNone(ended)) return yield* fail("timeout", `did not end within ${timeoutMs} ms`)
    const end = ended.value
    if (end._tag === "Failure")
      return yield* fail("signal", `was ended by a signal (${reasonOf(end.failure)})`)
    if (end.success !== 0) return yield* fail("exit", `ended with exit code ${end.success}`, end.success)
    yield* Effect.logInfo("hook ended").pipe(
      Effect.annotateLogs({ output: printableTail(output.text(), LOGGED_CHARACTERS) })
    )
  },
  (effect, _spawner, _table, { hook, cwd }) =>
    effect.pipe(
      Effect.tapErrorTag("HookError", (error) =>
        Effect.logWarning(error.reason === "timeout" ? "hook timed out" : "hook failed").pipe(
          Effect.annotateLogs({
            detail: error.detail,
            output: printableTail(error.output, LOGGED_CHARACTERS)
          })
        )
      ),
      Effect.annotateLogs({ hook, workspace: cwd })
    )
)

const reasonOf = (error: PlatformError.PlatformError): string =>
  error.reason.cause instanceof Error ? error.reason.cause.message : error.reason._tag

/** Keeps the last `limit` bytes of what is added. */
const makeTail = (limit: number) => {
  let chunks: Array<Uint8Array> = []
  let size = 0
  let dropped = false
  return {
    add: (bytes: Uint8Array) => {
      chunks.push(bytes)
      size += bytes.length
      if (size <= 2 * limit) return
      const whole = Buffer.concat(chunks).subarray(-limit)
      chunks = [whole]
      size = whole.length
      dropped = true
    },
    text: () => {
      const whole = Buffer.concat(chunks)
      const tail = whole.subarray(-limit).toString("utf8")
      return dropped || whole.length > limit ? `…${tail}` : tail
    }
  }
}

import { Duration, Effect, Fiber, type FileSystem, Option, type PlatformError, Ref, Stream } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import type { RunId } from "../domain/ids.ts"
import { printableTail } from "../domain/printable.ts"
import type { SafeFiles } from "../files/SafeFiles.ts"
import { isExhausted } from "../processes/exhausted.ts"
import { endMarked } from "../processes/endProcesses.ts"
import { MARKER_VARIABLE, type ProcessTable } from "../processes/ProcessTable.ts"
import { removeRunRecord, runFolder, runMarker, writeRunRecord } from "../processes/RunRecord.ts"
import type { HookName } from "../workflow/WorkflowConfig.ts"
import { HookError, type HookEnvironment } from "./Workspaces.ts"

/** How much of the end of a hook's output is kept. */
const OUTPUT_BYTES = 64 * 1024
/** How much of that goes into a log line. */
const LOGGED_CHARACTERS = 2000
/** How long a hook's shell has to end between SIGTERM and SIGKILL. */
const KILL_AFTER = Duration.seconds(2)
/** How long output is waited for after the shell ended, since a process that it left may hold the pipe. */
const OUTPUT_GRACE = "250 millis"

/** What running a hook needs of this machine. */
export interface HookMachine {
  readonly spawner: ChildProcessSpawner.ChildProcessSpawner["Service"]
  readonly table: ProcessTable["Service"]
  readonly files: SafeFiles["Service"]
  readonly fs: FileSystem.FileSystem
}

export interface HookScript {
  readonly hook: HookName
  readonly runId: RunId
  readonly stateRoot: string
  readonly script: string
  readonly cwd: string
  readonly env: HookEnvironment
  readonly timeoutMs: number
}

/** The shell waits for our word, or ends when we do before we could give it. */
const GATE = "IFS= read -r _ || exit 1; exec </dev/null 2>&1"
const WORD = new TextEncoder().encode("\n")

/**
 * Runs `sh -lc <script>` on the host in a process group of its own. All that it starts carries the marker of the
 * run and is gone when this returns: hooks that are over, timed out or interrupted leave nothing behind. The process
 * is on record before the script begins, so that the next orchestrator finds it after a `kill -9`.
 */
export const runHookScript = Effect.fn("Workspaces.runHook")(
  function* (
    { files, fs, spawner, table }: HookMachine,
    { hook, script, cwd, env, runId, stateRoot, timeoutMs }: HookScript
  ) {
    const output = makeTail(OUTPUT_BYTES)
    const fail = (reason: HookError["reason"], detail: string, code: number | null = null) =>
      new HookError({ hook, reason, code, detail, output: output.text() })

    yield* Effect.logInfo("hook started")
    const once = Effect.gen(function* () {
      // Makes the state root too, whose real path the marker is made of.
      yield* files.makeDirectory({ root: stateRoot }, runFolder(runId))
      const marker = yield* runMarker(fs, stateRoot, runId)
      const bootId = yield* table.bootId
      const since = yield* Ref.make<string | null>(null)
      const handle = yield* Effect.acquireRelease(
        Effect.tap(
          spawner.spawn(
            // One pipe for both, so that the end of the output is what was printed last.
            ChildProcess.make("sh", ["-lc", `${GATE}; ${script}`], {
              cwd,
              env: { ...env, [MARKER_VARIABLE]: marker },
              extendEnv: true,
              forceKillAfter: "100 millis"
            })
          ),
          // The spawner's own ending would wait for zombies, and for an exit that never comes.
          (handle) => handle.unref
        ),
        ({ pid }) =>
          Effect.gen(function* () {
            const verdict = yield* endMarked(table, pid, KILL_AFTER, { marker, since: yield* Ref.get(since) })
            if (verdict === "unknown") return yield* Effect.logError("processes of the hook outlive SIGKILL")
            yield* Effect.catch(removeRunRecord(files, stateRoot, runId), (error) =>
              Effect.logWarning("could not clear up after the hook", error)
            )
          })
      )
      const startTime = (yield* table.find(handle.pid))?.startTime ?? null
      yield* Ref.set(since, startTime)
      yield* writeRunRecord(files, stateRoot, {
        version: 1,
        runId,
        marker,
        bootId,
        processes: [{ pid: handle.pid, startTime }]
      })
      yield* Effect.ignore(Stream.run(Stream.make(WORD), handle.stdin))
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
      Effect.mapError((error) =>
        error._tag === "FileError"
          ? fail(
              error.reason === "full" || error.reason === "descriptors" ? "exhausted" : "spawn",
              `could not be put on record: ${error.message}`
            )
          : fail(isExhausted(error) ? "exhausted" : "spawn", `could not be started: ${reasonOf(error)}`)
      ),
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
  (effect, _machine, { hook, cwd }) =>
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

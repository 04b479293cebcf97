import { Duration, Effect, Exit, Schema, Scope, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { printableTail } from "../domain/printable.ts"
import { endGroup } from "../processes/endProcesses.ts"
import { ProcessTable } from "../processes/ProcessTable.ts"

export class CommandError extends Schema.TaggedError<CommandError>()("CommandError", {
  /** Program and subcommand. */
  command: Schema.String,
  /** `exit`: it said no; `too_large`: it said more than was asked for. */
  reason: Schema.Literals(["spawn", "exit", "timeout", "too_large"]),
  /** Exit code where there is one. */
  code: Schema.NullOr(Schema.Int),
  /** The end of what it printed, safe for a terminal. */
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.command}: ${this.detail}`
  }
}

export interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether the operator's environment lies under `env`. */
  readonly extendEnv: boolean
  readonly stdin: string | Uint8Array | undefined
  /** Bytes on stdout. */
  readonly maxOutput: number
  /** Milliseconds. */
  readonly timeoutMs: number
  /** KiB of address space, where the system can limit it; default is no limit. */
  readonly memory?: number | undefined
}

/** Starts a program with a limit on its memory, or as it is where a shell knows no such limit. */
const LIMITED = 'ulimit -v "$0" 2>/dev/null; exec "$@"'
/** What a shell says that finds no such program. */
const NOT_FOUND = 127

const wordsOf = ({ program, args, memory }: Command): readonly [string, ReadonlyArray<string>] =>
  memory === undefined ? [program, args] : ["/bin/sh", ["-c", LIMITED, String(memory), program, ...args]]

const STDERR_KEPT = 4096
/** Between SIGTERM and SIGKILL. */
const KILL_AFTER = Duration.millis(300)

const collect = (
  stream: Stream.Stream<Uint8Array, unknown>,
  command: string,
  limit: number
): Effect.Effect<Uint8Array, CommandError> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    return stream.pipe(
      Stream.mapError(
        (cause) => new CommandError({ command, reason: "spawn", code: null, detail: String(cause) })
      ),
      Stream.runForEach((chunk) => {
        size += chunk.byteLength
        chunks.push(chunk)
        return size > limit
          ? Effect.fail(
              new CommandError({
                command,
                reason: "too_large",
                code: null,
                detail: `more than ${limit} bytes`
              })
            )
          : Effect.void
      }),
      Effect.map(() => Buffer.concat(chunks))
    )
  })

/** The end of a stream, however long it is. */
const tail = (stream: Stream.Stream<Uint8Array, unknown>): Effect.Effect<string> =>
  Effect.suspend(() => {
    let kept = Buffer.alloc(0)
    return stream.pipe(
      Stream.runForEach((chunk) =>
        Effect.sync(() => {
          kept = Buffer.concat([kept, chunk]).subarray(-STDERR_KEPT)
        })
      ),
      // What was read until then is what there is to tell; the exit code says whether git succeeded.
      Effect.ignore,
      Effect.map(() => printableTail(kept.toString("utf8").trim()))
    )
  })

/**
 * Starts a process whose group is dead when the scope closes. The spawner's own ending waits more than a second
 * for zombies, which nobody collects in a container without an init (git leaves one whenever a local fetch
 * fails): it is given `background` to do that in, after everything that lives is dead.
 */
const spawn = Effect.fnUntraced(function* (command: ChildProcess.Command, background: Scope.Scope) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const table = yield* ProcessTable
  const own = yield* Scope.fork(background)
  return yield* Effect.acquireRelease(spawner.spawn(command).pipe(Scope.provide(own)), (handle) =>
    endGroup(table, handle.pid, KILL_AFTER).pipe(
      Effect.andThen(Effect.forkIn(Scope.close(own, Exit.void), background))
    )
  ).pipe(Effect.onError(() => Scope.close(own, Exit.void)))
})

const attempt = Effect.fnUntraced(function* (name: string, command: Command, background: Scope.Scope) {
  const { stdin } = command
  const [program, args] = wordsOf(command)
  const handle = yield* spawn(
    ChildProcess.make(program, args, {
      cwd: command.cwd,
      env: command.env,
      extendEnv: command.extendEnv,
      stdin: stdin === undefined ? "ignore" : Stream.make(toBytes(stdin)),
      killSignal: "SIGTERM",
      forceKillAfter: KILL_AFTER
    }),
    background
  ).pipe(
    Effect.mapError(
      (cause) => new CommandError({ command: name, reason: "spawn", code: null, detail: cause.message })
    )
  )
  const [stdout, stderr] = yield* Effect.all(
    [collect(handle.stdout, name, command.maxOutput), tail(handle.stderr)],
    { concurrency: 2 }
  )
  const code = yield* handle.exitCode.pipe(
    Effect.mapError(
      (cause) => new CommandError({ command: name, reason: "exit", code: null, detail: cause.message })
    )
  )
  if (code === 0) return stdout
  const detail = stderr === "" ? `exit code ${code}` : stderr
  if (code === NOT_FOUND && command.memory !== undefined) {
    return yield* new CommandError({ command: name, reason: "spawn", code: null, detail })
  }
  return yield* new CommandError({ command: name, reason: "exit", code, detail })
})

/**
 * What runs a program to its end and tells what it printed; fails with `exit` unless it exits with 0. Nothing of
 * it outlives the scope.
 */
export const makeRunCommand = Effect.gen(function* () {
  const background = yield* Effect.scope
  const services = yield* Effect.context<ChildProcessSpawner.ChildProcessSpawner | ProcessTable>()

  return Effect.fn("runCommand")(function* (command: Command) {
    const name = [command.program, command.args.find((word) => /^[a-z][a-z-]*$/.test(word))].join(" ")
    return yield* Effect.scoped(attempt(name, command, background)).pipe(
      Effect.timeoutOrElse({
        duration: command.timeoutMs,
        orElse: () =>
          Effect.fail(
            new CommandError({
              command: name,
              reason: "timeout",
              code: null,
              detail: `no answer within ${command.timeoutMs} ms`
            })
          )
      })
    )
  }, Effect.provide(services))
})

const toBytes = (text: string | Uint8Array): Uint8Array =>
  typeof text === "string" ? Buffer.from(text) : text

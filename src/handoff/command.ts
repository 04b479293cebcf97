import { Effect, Schema, type Scope, Stream } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import { printableTail } from "../domain/printable.ts"

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
}

const STDERR_KEPT = 4096

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

const attempt = Effect.fnUntraced(function* (
  spawner: ChildProcessSpawner.ChildProcessSpawner["Service"],
  name: string,
  command: Command
): Effect.fn.Return<Uint8Array, CommandError, Scope.Scope> {
  const { stdin } = command
  const handle = yield* spawner
    .spawn(
      ChildProcess.make(command.program, command.args, {
        cwd: command.cwd,
        env: command.env,
        extendEnv: command.extendEnv,
        stdin: stdin === undefined ? "ignore" : Stream.make(toBytes(stdin)),
        killSignal: "SIGTERM",
        forceKillAfter: "300 millis"
      })
    )
    .pipe(
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
  return yield* new CommandError({ command: name, reason: "exit", code, detail })
})

/** Runs a program to its end and tells what it printed; fails with `exit` unless it exits with 0. */
export const runCommand = Effect.fn("runCommand")(function* (
  spawner: ChildProcessSpawner.ChildProcessSpawner["Service"],
  command: Command
) {
  const name = [command.program, command.args.find((word) => /^[a-z][a-z-]*$/.test(word))].join(" ")
  return yield* Effect.scoped(attempt(spawner, name, command)).pipe(
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
})

const toBytes = (text: string | Uint8Array): Uint8Array =>
  typeof text === "string" ? Buffer.from(text) : text

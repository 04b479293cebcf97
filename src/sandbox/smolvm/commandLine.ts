import { Duration, Effect, Fiber, Redacted, Ref, Schema, Stream } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import { printableTail } from "../../domain/printable.ts"
import { spawnGuest } from "../guestProcess.ts"
import type { LocalMachine } from "../LocalRun.ts"
import type { Limits } from "./limits.ts"
import type { Answer, Attach, Machines } from "./Machines.ts"
import { reasonIn, SmolvmError } from "./SmolvmError.ts"
import * as syntax from "./syntax.ts"

/** Of what a command prints, more than any of its answers has. */
const MAX_OUTPUT = 4 * 1024 * 1024
/** A machine may hold the pipes of the command that started it. */
const PIPE_GRACE = Duration.seconds(1)

const Listed = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({
      name: Schema.String,
      state: Schema.String,
      pid: Schema.NullOr(Schema.Int).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))
    })
  )
)
const decodeList = Schema.decodeUnknownEffect(Listed)

/** The first two words, which say what was done and hold no value. */
const operationOf = (args: ReadonlyArray<string>): string =>
  args
    .slice(0, 2)
    .filter((word) => /^[a-z]+$/.test(word))
    .join(" ") || "--version"

/** A bounded collector: what exceeds is dropped, and the pipe still read to its end. */
const collect = (stream: Stream.Stream<Uint8Array, unknown>) =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    let size = 0
    const reading = yield* stream.pipe(
      Stream.runForEach((chunk) =>
        Effect.sync(() => {
          if (size < MAX_OUTPUT) chunks.push(chunk)
          size += chunk.length
        })
      ),
      Effect.catch((error) => Effect.logDebug("a pipe of smolvm broke", error)),
      Effect.forkScoped
    )
    return Effect.as(Effect.timeoutOption(Fiber.await(reading), PIPE_GRACE), undefined).pipe(
      Effect.map(() => Buffer.concat(chunks).toString("utf8"))
    )
  })

/** Runs `smolvm` with its operator's environment, which is where it finds its own files. */
const runner =
  (spawner: ChildProcessSpawner.ChildProcessSpawner["Service"]) =>
  (args: ReadonlyArray<string>, limit: Duration.Duration, input: string | null = null) => {
    const operation = operationOf(args)
    const fail = (reason: SmolvmError["reason"], detail: string) =>
      new SmolvmError({ reason, operation, detail })
    return Effect.gen(function* () {
      const handle = yield* spawner
        .spawn(
          ChildProcess.make("smolvm", args, {
            stdin: input === null ? "ignore" : Stream.make(Buffer.from(input)),
            forceKillAfter: "500 millis"
          })
        )
        .pipe(
          Effect.mapError((error) =>
            error.reason._tag === "NotFound"
              ? fail("missing", "there is no `smolvm` on PATH")
              : fail("failed", `cannot be started: ${error.reason._tag}`)
          )
        )
      const stdout = yield* collect(handle.stdout)
      const stderr = yield* collect(handle.stderr)
      const code = yield* Effect.mapError(handle.exitCode, () => fail("failed", "was ended by a signal"))
      const answer: Answer = { code, stdout: yield* stdout, stderr: yield* stderr }
      return answer
    }).pipe(
      Effect.scoped,
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail(fail("timeout", `no answer within ${Duration.format(limit)}`))
      })
    )
  }

export interface CommandLine extends Machines {
  readonly attach: Attach
}

/** smolvm over its command line, in whichever of its two syntaxes it speaks. */
export const makeCommandLine = Effect.fnUntraced(function* (
  { spawner, table }: LocalMachine,
  limits: Limits
) {
  const run = runner(spawner)
  const known = yield* Ref.make<string | null>(null)

  const asked = run(["--version"], limits.version).pipe(
    Effect.flatMap(({ stdout }) => {
      const version = syntax.versionIn(stdout)
      return version === null
        ? Effect.fail(
            new SmolvmError({ reason: "malformed", operation: "--version", detail: "it says no version" })
          )
        : Effect.succeed(version)
    }),
    Effect.tap((version) => Ref.set(known, version))
  )
  const version = Effect.flatMap(Ref.get(known), (found) => (found === null ? asked : Effect.succeed(found)))
  const dialect = Effect.map(version, syntax.syntaxOf)

  const failure = (args: ReadonlyArray<string>, { code, stderr }: Answer) => {
    const said = /^Error: (.*)/ms.exec(stderr)?.[1] ?? stderr
    return new SmolvmError({
      reason: code === 2 ? "usage" : reasonIn(said),
      operation: operationOf(args),
      detail: printableTail(said.trim(), 400) || `exit code ${code}`
    })
  }

  const succeed = Effect.fnUntraced(function* (args: ReadonlyArray<string>, limit: Duration.Duration) {
    const answer = yield* run(args, limit)
    if (answer.code === 0) return answer.stdout
    // Replaced by another release, perhaps: ask for its version again.
    if (answer.code === 2) yield* Ref.set(known, null)
    return yield* failure(args, answer)
  })

  const attach: Attach = (name, command) =>
    Effect.acquireRelease(
      spawnGuest(
        spawner,
        "smolvm",
        ChildProcess.make("smolvm", syntax.executeArguments(name, command), { forceKillAfter: "100 millis" })
      ),
      (guest) => Effect.when(table.signal(-guest.pid, "SIGKILL"), guest.isRunning)
    )

  const commandLine: CommandLine = {
    description: "the smolvm command",
    outlivesCaller: false,
    version,
    list: Effect.flatMap(succeed(syntax.listArguments, limits.list), (text) =>
      Effect.mapError(
        decodeList(text),
        () =>
          new SmolvmError({ reason: "malformed", operation: "machine ls", detail: "its list cannot be read" })
      )
    ),
    create: (spec) =>
      Effect.flatMap(dialect, (words) =>
        Effect.asVoid(succeed(syntax.createArguments(words, spec), limits.create))
      ),
    start: (name, limit) => Effect.asVoid(succeed(syntax.startArguments(name), limit)),
    stop: (name) => Effect.asVoid(succeed(syntax.stopArguments(name), limits.stop)),
    remove: (name) =>
      Effect.flatMap(dialect, (words) =>
        Effect.asVoid(succeed(syntax.removeArguments(words, name), limits.remove))
      ),
    execute: (name, command, secret) =>
      Effect.flatMap(
        run(syntax.executeArguments(name, command), limits.execute, `${Redacted.value(secret)}\n`),
        (answer) =>
          answer.code !== 0 && /^Error: /m.test(answer.stderr)
            ? Effect.fail(failure(["machine", "exec"], answer))
            : Effect.succeed(answer)
      ),
    launch: Effect.fnUntraced(function* (name, command, secret) {
      const { process } = yield* attach(name, command)
      let said = ""
      for (const stream of [process.stdout, process.stderr]) {
        yield* stream.pipe(
          Stream.decodeText,
          Stream.runForEach((text) => Effect.sync(() => void (said = (said + text).slice(-2000)))),
          Effect.catch((error) => Effect.logDebug("a pipe of smolvm broke", error)),
          Effect.forkScoped
        )
      }
      // One short line, of which the reader's buffer cannot hold anything back.
      yield* process.write(Buffer.from(`${Redacted.value(secret)}\n`))
      return {
        ended: Effect.map(process.exit, ({ detail }) => printableTail(said.trim(), 400) || detail)
      }
    }),
    attach
  }
  return commandLine
})

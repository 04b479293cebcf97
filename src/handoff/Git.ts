import { Config, Context, Effect, FileSystem, Layer, Schema, type Scope, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { printableTail } from "../domain/printable.ts"

export class GitError extends Schema.TaggedError<GitError>()("GitError", {
  /** The subcommand. */
  operation: Schema.String,
  /** `exit`: git said no; `too_large`: it said more than was asked for. */
  reason: Schema.Literals(["spawn", "exit", "timeout", "too_large"]),
  /** Exit code where there is one. */
  code: Schema.NullOr(Schema.Int),
  /** The end of what git printed, safe for a terminal. */
  detail: Schema.String
}) {
  override get message(): string {
    return `git ${this.operation}: ${this.detail}`
  }
}

export interface GitOptions {
  /** Where git runs: a folder of ours or of the operator, never one that an agent writes to. */
  readonly cwd: string
  readonly stdin?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  /** Bytes on stdout; default 64 MiB. */
  readonly maxOutput?: number
  /** Milliseconds; default 2 minutes. */
  readonly timeoutMs?: number
  /**
   * Beside `file`, what git may talk to. Only then does it see the operator's environment (the forge's tool
   * keeps its login there); its configuration stays ours.
   */
  readonly network?: ReadonlyArray<string>
}

/** The identity of commits that git makes for us; authors always stay who they are. */
export const committer = { name: "smol-symphony", email: "symphony@localhost" } as const

const DEFAULT_OUTPUT = 64 * 1024 * 1024
const DEFAULT_TIMEOUT = 120_000
const STDERR_KEPT = 4096

/**
 * Everything a repository could otherwise decide for itself. It is a file and not a list of `-c`, because git
 * does not hand those down to the process at the other end of a local fetch.
 */
const CONFIGURATION = `[user]
	name = ${committer.name}
	email = ${committer.email}
	useConfigOnly = true
[safe]
	directory = *
[core]
	hooksPath = /dev/null
	fsmonitor = false
	untrackedCache = false
	autocrlf = false
	attributesFile = /dev/null
	excludesFile = /dev/null
	filesRefLockTimeout = 10000
	protectNTFS = true
	protectHFS = true
[protocol]
	allow = never
[protocol "file"]
	allow = always
[gc]
	auto = 0
[maintenance]
	auto = false
[pack]
	threads = 1
[transfer]
	unpackLimit = 1
[fetch]
	recurseSubmodules = false
[submodule]
	recurse = false
[diff]
	ignoreSubmodules = all
	noprefix = false
	mnemonicPrefix = false
[commit]
	gpgSign = false
[advice]
	detachedHead = false
`

const isolation = (home: string, path: string): Readonly<Record<string, string>> => ({
  PATH: path,
  HOME: home,
  XDG_CONFIG_HOME: home,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: `${home}/gitconfig`,
  GIT_ATTR_NOSYSTEM: "1",
  GIT_NO_LAZY_FETCH: "1",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_ALLOW_PROTOCOL: "file",
  GIT_TERMINAL_PROMPT: "0",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_EDITOR: "false",
  GIT_PAGER: "cat",
  LC_ALL: "C",
  TZ: "UTC"
})

/** What an operator's environment could turn git with. */
const STEERING = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
  "GIT_CONFIG_COUNT",
  "GIT_CONFIG_PARAMETERS",
  "GIT_EXEC_PATH",
  "GIT_TEMPLATE_DIR",
  "GIT_TRACE"
]

const collect = (
  stream: Stream.Stream<Uint8Array, unknown>,
  operation: string,
  limit: number
): Effect.Effect<Uint8Array, GitError> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    return stream.pipe(
      Stream.mapError(
        (cause) => new GitError({ operation, reason: "spawn", code: null, detail: String(cause) })
      ),
      Stream.runForEach((chunk) => {
        size += chunk.byteLength
        chunks.push(chunk)
        return size > limit
          ? Effect.fail(
              new GitError({ operation, reason: "too_large", code: null, detail: `more than ${limit} bytes` })
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
 * The only place where git is started. Configuration, home, protocols, hooks and identity are ours, whatever
 * the machine or a repository says. Values go in as arguments of their own, never through a shell.
 */
export class Git extends Context.Service<
  Git,
  {
    /** Fails with `exit` unless git exits with 0. */
    readonly run: (args: ReadonlyArray<string>, options: GitOptions) => Effect.Effect<Uint8Array, GitError>
    /** As `run`, decoded and trimmed. */
    readonly text: (args: ReadonlyArray<string>, options: GitOptions) => Effect.Effect<string, GitError>
    /** For questions: exit code 0 is yes, 1 is no, anything else a failure. */
    readonly ask: (args: ReadonlyArray<string>, options: GitOptions) => Effect.Effect<boolean, GitError>
  }
>()("symphony/handoff/Git") {
  static readonly layer = Layer.effect(
    Git,
    Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const fs = yield* FileSystem.FileSystem
      const path = yield* Config.String("PATH").pipe(Config.withDefault("/usr/local/bin:/usr/bin:/bin"))
      const home = yield* fs.makeTempDirectoryScoped({ prefix: "symphony-git-" })
      yield* fs.writeFileString(`${home}/gitconfig`, CONFIGURATION)
      const isolated = isolation(home, path)

      const attempt = Effect.fnUntraced(function* (
        operation: string,
        args: ReadonlyArray<string>,
        options: GitOptions
      ): Effect.fn.Return<Uint8Array, GitError, Scope.Scope> {
        const handle = yield* spawner
          .spawn(
            ChildProcess.make("git", ["--no-pager", ...args], {
              cwd: options.cwd,
              env: environment(isolated, options),
              extendEnv: options.network !== undefined,
              stdin: options.stdin === undefined ? "ignore" : Stream.make(toBytes(options.stdin)),
              killSignal: "SIGTERM",
              forceKillAfter: "300 millis"
            })
          )
          .pipe(
            Effect.mapError(
              (cause) => new GitError({ operation, reason: "spawn", code: null, detail: cause.message })
            )
          )
        const [stdout, stderr] = yield* Effect.all(
          [collect(handle.stdout, operation, options.maxOutput ?? DEFAULT_OUTPUT), tail(handle.stderr)],
          { concurrency: 2 }
        )
        const code = yield* handle.exitCode.pipe(
          Effect.mapError(
            (cause) => new GitError({ operation, reason: "exit", code: null, detail: cause.message })
          )
        )
        if (code === 0) return stdout
        return yield* new GitError({
          operation,
          reason: "exit",
          code,
          detail: stderr === "" ? `exit code ${code}` : stderr
        })
      })

      const run = Effect.fn("Git.run")(function* (args: ReadonlyArray<string>, options: GitOptions) {
        const operation = args.find((word) => /^[a-z]/.test(word)) ?? "git"
        const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT
        return yield* Effect.scoped(attempt(operation, args, options)).pipe(
          Effect.timeoutOrElse({
            duration: timeoutMs,
            orElse: () =>
              Effect.fail(
                new GitError({
                  operation,
                  reason: "timeout",
                  code: null,
                  detail: `no answer within ${timeoutMs} ms`
                })
              )
          })
        )
      })

      return Git.of({
        run,
        text: (args, options) =>
          Effect.map(run(args, options), (bytes) => Buffer.from(bytes).toString("utf8").trim()),
        ask: (args, options) =>
          run(args, options).pipe(
            Effect.as(true),
            Effect.catchTag("GitError", (error) =>
              error.code === 1 ? Effect.succeed(false) : Effect.fail(error)
            )
          )
      })
    })
  )
}

const toBytes = (text: string | Uint8Array): Uint8Array =>
  typeof text === "string" ? Buffer.from(text) : text

const environment = (
  isolated: Readonly<Record<string, string>>,
  options: GitOptions
): Record<string, string | undefined> => {
  if (options.network === undefined) return { ...isolated, ...options.env }
  const { HOME: _home, XDG_CONFIG_HOME: _xdg, ...ours } = isolated
  return {
    ...Object.fromEntries(STEERING.map((name) => [name, undefined])),
    ...ours,
    GIT_ALLOW_PROTOCOL: ["file", ...options.network].join(":"),
    ...options.env
  }
}

import { Config, Context, Effect, FileSystem, Layer } from "effect"
import { ProcessTable } from "../processes/ProcessTable.ts"
import { type CommandError, makeRunCommand } from "./command.ts"

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
   * Reads only what is the operator's, which may be as large as it is. Everything else may have been made to be
   * larger than the machine.
   */
  readonly trusted?: boolean
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
/** KiB of address space, where the system can limit it. */
const MOST_MEMORY = 2 * 1024 * 1024
/** What git may ask for in one piece: some kilobytes of deltas unfold to gigabytes. */
const LARGEST_ALLOCATION = "600m"

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
	packedGitWindowSize = 32m
	packedGitLimit = 256m
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

/**
 * The only place where git is started. Configuration, home, protocols, hooks and identity are ours, whatever
 * the machine or a repository says. Values go in as arguments of their own, never through a shell.
 */
export class Git extends Context.Service<
  Git,
  {
    /** Fails with `exit` unless git exits with 0. */
    readonly run: (
      args: ReadonlyArray<string>,
      options: GitOptions
    ) => Effect.Effect<Uint8Array, CommandError>
    /** As `run`, decoded and trimmed. */
    readonly text: (args: ReadonlyArray<string>, options: GitOptions) => Effect.Effect<string, CommandError>
    /** For questions: exit code 0 is yes, 1 is no, anything else a failure. */
    readonly ask: (args: ReadonlyArray<string>, options: GitOptions) => Effect.Effect<boolean, CommandError>
  }
>()("symphony/handoff/Git") {
  static readonly layer = Layer.effect(
    Git,
    Effect.gen(function* () {
      const runCommand = yield* makeRunCommand
      const fs = yield* FileSystem.FileSystem
      const path = yield* Config.String("PATH").pipe(Config.withDefault("/usr/local/bin:/usr/bin:/bin"))
      const home = yield* fs.makeTempDirectoryScoped({ prefix: "symphony-git-" })
      yield* fs.writeFileString(`${home}/gitconfig`, CONFIGURATION)
      const isolated = isolation(home, path)

      const run = Effect.fn("Git.run")((args: ReadonlyArray<string>, options: GitOptions) => {
        const isLimited = options.trusted !== true && options.network === undefined
        return runCommand({
          program: "git",
          args: ["--no-pager", ...args],
          cwd: options.cwd,
          env: {
            ...environment(isolated, options),
            ...(isLimited ? { GIT_ALLOC_LIMIT: LARGEST_ALLOCATION } : {})
          },
          extendEnv: options.network !== undefined,
          stdin: options.stdin,
          maxOutput: options.maxOutput ?? DEFAULT_OUTPUT,
          timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT,
          memory: isLimited ? MOST_MEMORY : undefined
        })
      })

      return Git.of({
        run,
        text: (args, options) =>
          Effect.map(run(args, options), (bytes) => Buffer.from(bytes).toString("utf8").trim()),
        ask: (args, options) =>
          run(args, options).pipe(
            Effect.as(true),
            Effect.catchTag("CommandError", (error) =>
              error.code === 1 ? Effect.succeed(false) : Effect.fail(error)
            )
          )
      })
    })
  ).pipe(Layer.provide(ProcessTable.layer))
}

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

import { spawn } from "node:child_process"

const KEPT_OUTPUT = 4000

export interface CommandResult {
  /** `null` when a signal ended it. */
  readonly code: number | null
  /** The end of what it wrote. */
  readonly output: string
}

/** Runs a program to its end, or until the turn is cancelled. */
export const runCommand = (
  command: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly signal: AbortSignal; readonly env?: NodeJS.ProcessEnv }
): Promise<CommandResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let output = ""
    const keep = (chunk: Buffer): void => {
      output = `${output}${chunk.toString("utf8")}`.slice(-KEPT_OUTPUT)
    }
    const stop = (): void => void child.kill("SIGTERM")
    options.signal.addEventListener("abort", stop, { once: true })
    child.stdout.on("data", keep)
    child.stderr.on("data", keep)
    child.on("error", reject)
    child.on("close", (code) => {
      options.signal.removeEventListener("abort", stop)
      resolve({ code, output })
    })
  })

const identity = {
  GIT_AUTHOR_NAME: "Symphony Demo",
  GIT_AUTHOR_EMAIL: "demo@symphony.invalid",
  GIT_COMMITTER_NAME: "Symphony Demo",
  GIT_COMMITTER_EMAIL: "demo@symphony.invalid"
}

/** Commits everything under an identity of its own: the sandbox has no HOME with one. */
export const commitAll = async (cwd: string, message: string, signal: AbortSignal): Promise<string> => {
  const git = async (...args: ReadonlyArray<string>): Promise<CommandResult> =>
    runCommand("git", ["-c", "safe.directory=*", "-c", "commit.gpgsign=false", ...args], {
      cwd,
      signal,
      env: identity
    })
  const demand = (result: CommandResult): void => {
    if (result.code !== 0) throw new Error(`git failed: ${result.output.trim()}`)
  }
  demand(await git("add", "--all"))
  if ((await git("diff", "--cached", "--quiet")).code === 0) return "nothing to commit"
  demand(await git("commit", "--quiet", "--message", message))
  return "committed"
}

import { resolve } from "node:path"
import { Result } from "effect"

/** The host's variables that a workflow names. */
export type Environment = Readonly<Record<string, string | undefined>>

const WHOLE_NAME = /^\$([A-Z_][A-Z0-9_]*)$/

const valueOf = (environment: Environment, name: string): string | undefined => {
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined
  return value === undefined || value === "" ? undefined : value
}

/** Every variable that the paths of `text` could name; what is looked up before it is decoded. */
export const namedVariables = (text: string): ReadonlyArray<string> => [
  ...new Set(["HOME", "TMPDIR", ...[...text.matchAll(/\$([A-Z_][A-Z0-9_]*)/g)].map(([, name = ""]) => name)])
]

/**
 * An absolute path. `~` and `~/…` are the home folder, a value that is `$NAME` as a whole is that variable,
 * anything relative is relative to `folder`. Fails with what was found instead of a usable value.
 */
export const expandPath = (
  written: string,
  folder: string,
  environment: Environment
): Result.Result<string, string> => {
  const name = WHOLE_NAME.exec(written)?.[1]
  if (name !== undefined) {
    const value = valueOf(environment, name)
    return value === undefined
      ? Result.fail(`$${name}, which is not set in the environment`)
      : Result.succeed(resolve(folder, value))
  }
  if (written === "~" || written.startsWith("~/")) {
    const home = valueOf(environment, "HOME")
    return home === undefined
      ? Result.fail("`~`, but HOME is not set in the environment")
      : Result.succeed(resolve(folder, home, written.slice(2)))
  }
  return Result.succeed(resolve(folder, written))
}

/** What in a path looks as if it were expanded and is not; undefined where there is nothing. */
export const literalPart = (written: string): string | undefined => {
  if (/^~[^/]/.test(written)) return "`~` is expanded only where `/` follows"
  return /\$[A-Za-z_{]/.test(written) && !WHOLE_NAME.test(written)
    ? "`$NAME` is expanded only where it is the whole value"
    : undefined
}

/** Where workspaces lie when nobody says. */
export const defaultWorkspaces = (folder: string, environment: Environment): string =>
  resolve(folder, valueOf(environment, "TMPDIR") ?? "/tmp", "symphony_workspaces")

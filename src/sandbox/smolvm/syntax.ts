import type { MachineSpec } from "./Machines.ts"

/** The command line changed in 1.0.2: names became a flag everywhere. */
export type Syntax = "positional" | "flag"

/** `1.9.2` of `smolvm 1.9.2`; null when there is none. */
export const versionIn = (text: string): string | null => /\b(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? null

export const isAtLeast = (version: string, least: string): boolean => {
  const numbers = (text: string) => text.split(".").map(Number)
  const [left, right] = [numbers(version), numbers(least)]
  for (const [index, number] of right.entries()) {
    const own = left[index] ?? 0
    if (own !== number) return own > number
  }
  return true
}

export const syntaxOf = (version: string): Syntax => (isAtLeast(version, "1.0.2") ? "flag" : "positional")

const named = (syntax: Syntax, name: string): ReadonlyArray<string> =>
  syntax === "flag" ? ["--name", name] : [name]

export const createArguments = (syntax: Syntax, spec: MachineSpec): ReadonlyArray<string> => [
  "machine",
  "create",
  ...named(syntax, spec.name),
  ...(spec.from === null ? [] : ["--from", spec.from]),
  ...(spec.from !== null || spec.image === null ? [] : ["--image", spec.image]),
  "--cpus",
  String(spec.cpus),
  "--mem",
  String(spec.memMib),
  "--net",
  ...(spec.net ? [] : ["--outbound-localhost-only"]),
  ...spec.mounts.flatMap((mount) => [
    "--volume",
    `${mount.source}:${mount.target}:${mount.readonly ? "ro" : "rw"}`
  ])
]

export const startArguments = (name: string) => ["machine", "start", "--name", name]
export const stopArguments = (name: string) => ["machine", "stop", "--name", name]
/** Without `-f` it would ask, be told nothing, delete nothing and call that a success. */
export const removeArguments = (syntax: Syntax, name: string) => [
  "machine",
  "delete",
  ...named(syntax, name),
  "-f"
]
export const listArguments = ["machine", "ls", "--json"]
export const executeArguments = (name: string, command: ReadonlyArray<string>) => [
  "machine",
  "exec",
  "--name",
  name,
  "-i",
  "--",
  ...command
]

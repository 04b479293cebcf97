import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { isJson, type Json } from "./models/json.ts"

export interface WireMessage {
  readonly from: "symphony" | "agent"
  readonly message: Json
}

/**
 * Stands between symphony and the agent and writes down every line of both. A program of its own, for it is
 * started by the sandbox: `node shim.mjs <log> <find> <replace> <command> [args]`.
 */
const SHIM = `
import { spawn } from "node:child_process"
import { appendFileSync } from "node:fs"
import { createInterface } from "node:readline"
const [folder, find, replace, command, ...args] = process.argv.slice(2)
const log = folder + "/" + process.pid + ".jsonl"
const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] })
const note = (from, line) => appendFileSync(log, JSON.stringify({ from, line }) + "\\n")
createInterface({ input: process.stdin }).on("line", (line) => {
  note("symphony", line)
  child.stdin.write((find === "" ? line : line.replaceAll(find, replace)) + "\\n")
}).on("close", () => child.stdin.end())
createInterface({ input: child.stdout }).on("line", (line) => {
  note("agent", line)
  process.stdout.write(line + "\\n")
})
child.stdin.on("error", () => {})
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => child.kill(signal))
child.on("exit", (code, signal) => process.exit(signal === null ? code : 143))
`

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

/** Puts a shim named `bin` into a folder to be first on PATH; answers the folder. */
export const writeShim = (
  folder: string,
  bin: string,
  command: string,
  tamper: { readonly find: string; readonly replace: string } | null
): string => {
  const bins = join(folder, "bin")
  mkdirSync(bins, { recursive: true })
  writeFileSync(join(folder, "shim.mjs"), SHIM)
  const words = [
    process.execPath,
    join(folder, "shim.mjs"),
    folder,
    tamper?.find ?? "",
    tamper?.replace ?? "",
    command
  ]
  writeFileSync(join(bins, bin), `#!/bin/sh\nexec ${words.map(quote).join(" ")} "$@"\n`)
  chmodSync(join(bins, bin), 0o755)
  return bins
}

const logsIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => readFileSync(join(folder, name), "utf8"))

/** Keeps what has been said, line by line, each with who said it. */
export const copyWire = (folder: string, file: string): void => {
  if (!existsSync(folder)) return
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, logsIn(folder).join(""))
}

/** What has been said so far, in order within each process. */
export const readWire = (folder: string): ReadonlyArray<WireMessage> =>
  !existsSync(folder)
    ? []
    : logsIn(folder)
        .flatMap((log) => log.split("\n"))
        .filter((line) => line !== "")
        .flatMap((line): ReadonlyArray<WireMessage> => {
          const { from, line: said }: { readonly from: WireMessage["from"]; readonly line: string } =
            JSON.parse(line)
          const message: unknown = said.startsWith("{") ? JSON.parse(said) : null
          return isJson(message) ? [{ from, message }] : []
        })

import { createRequire } from "node:module"
import { dirname, join, sep } from "node:path"
import { fileURLToPath } from "node:url"

/** Two levels up from `src/agent/demo` and from `dist/agent/demo` alike, and one more. */
const packageRoot = fileURLToPath(new URL("../../..", import.meta.url))
const dist = join(packageRoot, "dist")
const program = join(dist, "agent", "demo", "main.js")

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

/** Starts the built demo agent with the Node that runs us. */
export const demoCommand = `exec ${quote(process.execPath)} ${quote(program)}`

/** The folder of a package, found from one of its files. */
const folderOf = (name: string, file: string): string => {
  const marker = `${sep}node_modules${sep}${name.replaceAll("/", sep)}${sep}`
  const at = file.lastIndexOf(marker)
  return at < 0 ? dirname(file) : file.slice(0, at + marker.length - 1)
}

const sdk = createRequire(import.meta.url).resolve("@agentclientprotocol/sdk")
const zod = createRequire(sdk).resolve("zod")

/** What the demo agent reads: its own program and the packages it imports, never the whole checkout. */
export const demoPaths: ReadonlyArray<string> = [
  process.execPath,
  dist,
  join(packageRoot, "package.json"),
  folderOf("@agentclientprotocol/sdk", sdk),
  folderOf("zod", zod)
]

import { join } from "node:path"
import { packageRoot } from "../../package.ts"

const dist = join(packageRoot, "dist")
const program = join(dist, "agent", "demo", "main.js")

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

/** Starts the built demo agent with the Node that runs us. */
export const demoCommand = `exec ${quote(process.execPath)} ${quote(program)}`

/** What the demo agent reads: its own program, never the whole checkout. */
export const demoPaths: ReadonlyArray<string> = [process.execPath, dist, join(packageRoot, "package.json")]

import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const built = path.join(root, "dist", "agent", "demo", "main.js")

const newest = (folder: string): number =>
  fs
    .readdirSync(folder, { withFileTypes: true, recursive: true })
    .reduce(
      (latest, entry) => Math.max(latest, fs.statSync(path.join(entry.parentPath, entry.name)).mtimeMs),
      0
    )

const isFresh = (): boolean =>
  fs.existsSync(built) && fs.statSync(built).mtimeMs > newest(path.join(root, "src"))

/**
 * Vitest's global set-up: what tests start as processes is the built program, so it is built once, before all
 * tests, when a source is newer. Types are the typecheck's business.
 */
export const setup = (): void => {
  if (isFresh()) return
  execFileSync(process.execPath, [path.join(root, "scripts", "build.mjs"), "--no-check"], {
    cwd: root,
    stdio: "inherit"
  })
}

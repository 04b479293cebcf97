// What `npm run demo` and `npm test` need before they can begin, on a machine with nothing but Node and git.
import { spawnSync } from "node:child_process"
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync
} from "node:fs"
import { homedir, tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))

const readLock = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { packages: {} })

/** Why `node_modules` is not what the lock says, or null when it is. npm keeps its own record of what it installed. */
export const whyInstall = (folder = root) => {
  if (!existsSync(join(folder, "node_modules"))) return "nothing is installed yet"
  const wanted = readLock(join(folder, "package-lock.json")).packages
  const present = readLock(join(folder, "node_modules", ".package-lock.json")).packages
  for (const [path, { version, integrity, optional }] of Object.entries(wanted)) {
    if (path === "") continue
    const found = present[path]
    const name = path.slice("node_modules/".length)
    // npm leaves out what is optional and made for another platform.
    if (found === undefined && optional === true) continue
    if (found === undefined) return `${name} is missing`
    if (found.version !== version || found.integrity !== integrity) return `${name} is not ${version}`
  }
  return null
}

/** When the newest file or folder below was changed, in milliseconds; a deleted file changes its folder. */
const newest = (path) => {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

const SOURCES = ["src", "package.json", "tsconfig.json", "scripts/build.mjs", "package-lock.json"]

/** Why `dist` is not what the sources say, or null when it is. */
export const whyBuild = (folder = root) => {
  const built = join(folder, "dist", "main.js")
  if (!existsSync(built)) return "nothing is built yet"
  const sources = SOURCES.map((name) => join(folder, name)).filter((path) => existsSync(path))
  return Math.max(...sources.map(newest)) > statSync(built).mtimeMs ? "the sources have changed" : null
}

const canWrite = (folder) => {
  try {
    accessSync(existsSync(folder) ? folder : dirname(folder), constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** npm keeps its cache in the home folder; where that cannot be written it gets one that is removed afterwards. */
const withCache = (use) => {
  if (canWrite(process.env.npm_config_cache ?? join(homedir() || "/", ".npm"))) return use([])
  const cache = mkdtempSync(join(tmpdir(), "symphony-npm-"))
  try {
    return use(["--cache", cache])
  } finally {
    rmSync(cache, { recursive: true, force: true })
  }
}

/** Installs exactly what the lock says. Its outcome is that of `spawnSync`. */
export const install = () =>
  withCache((cache) => {
    const args = ["ci", "--include=dev", "--no-audit", "--no-fund", ...cache]
    const npm = process.env.npm_execpath
    return npm !== undefined && /npm-cli\.c?js$/.test(npm)
      ? run(process.execPath, [npm, ...args])
      : run("npm", args)
  })

export const build = () => run(process.execPath, [join(root, "scripts", "build.mjs")])

/** Runs a program to its end, in the project's folder, and keeps what it prints. */
export const run = (command, args) =>
  spawnSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })

/** What to show of a program that failed. */
export const outputOf = ({ error, stdout, stderr }) =>
  error === undefined ? `${stdout}${stderr}`.trimEnd() : error.message

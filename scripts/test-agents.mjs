// `npm run test:agents`: the real published agents, installed from npm outside of this package, against scripted
// models. The main job with one agent of each family, and the MCP conformance suite; `-- --all` takes every agent
// and every test, `-- --install` only installs. Other arguments go to vitest and choose the tests: `-- faults`.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { build, outputOf, root, whyBuild } from "./prepare.mjs"

/** Where each agent is installed, and from which package: exact, and as docs/agents.md names them. */
const PACKAGES = {
  claude: "@agentclientprotocol/claude-agent-acp@0.101.0",
  codex: "@zed-industries/codex-acp@0.16.0",
  codex2: "@agentclientprotocol/codex-acp@2.6.0",
  opencode: "opencode-ai@1.18.33",
  conformance: "@modelcontextprotocol/conformance@0.2.0-alpha.12"
}
/** What a run without `--all` does not need. */
const ONLY_ALL = ["codex"]
/** Its install script puts its program in place. */
const NEEDS_SCRIPTS = ["opencode"]

const say = (line) => process.stdout.write(`${line}\n`)
const fail = (message) => {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

const home = process.env.HOME ?? ""
const cache = resolve(
  process.env.SYMPHONY_AGENTS_CACHE ?? join(home === "" ? tmpdir() : join(home, ".cache"), "symphony-agents")
)

/** For agents, and for a conformance suite, that want a newer Node than the one that runs us may be. */
const NODE = { name: `node-${process.platform}-${process.arch}`, version: "24.21.0" }

/** Installs once into a folder of its own; half an installation is never taken for a whole one. */
const install = (name, spec) => {
  const folder = join(cache, `${name}-${spec.slice(spec.lastIndexOf("@") + 1)}`)
  if (existsSync(join(folder, "installed"))) return folder
  const start = performance.now()
  const next = `${folder}.${process.pid}.tmp`
  mkdirSync(next, { recursive: true })
  const npm = [
    "install",
    "--prefix",
    next,
    "--no-save",
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    ...(NEEDS_SCRIPTS.includes(name) ? [] : ["--ignore-scripts"])
  ]
  const result = spawnSync("npm", [...npm, "--cache", join(cache, "npm"), spec], {
    encoding: "utf8",
    cwd: next
  })
  if (result.status !== 0) {
    rmSync(next, { recursive: true, force: true })
    fail(`${spec} could not be installed:\n${outputOf(result)}`)
  }
  writeFileSync(join(next, "installed"), `${spec}\n`)
  rmSync(folder, { recursive: true, force: true })
  renameSync(next, folder)
  say(`ok      ${spec} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
  return folder
}

const all = process.argv.includes("--all")
const chosen = process.argv.slice(2).filter((argument) => argument !== "--all")
const rest = all || chosen.length > 0 ? chosen : ["work", "conformance"]

mkdirSync(cache, { recursive: true })
const nodeFolder = join(install("node", `${NODE.name}@${NODE.version}`), "node_modules", NODE.name, "bin")
const folders = Object.fromEntries(
  Object.entries(PACKAGES)
    .filter(([name]) => all || !ONLY_ALL.includes(name))
    .map(([name, spec]) => [name, install(name, spec)])
)
if (process.argv.includes("--install")) process.exit(0)
if (whyBuild() !== null) {
  const built = build()
  if (built.status !== 0) fail(outputOf(built))
}

const vitest = spawnSync(
  process.execPath,
  [join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", "vitest.agents.config.ts", ...rest],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      SYMPHONY_AGENTS: JSON.stringify({ all, node: nodeFolder, folders, wire: join(cache, "wire") })
    }
  }
)
process.exitCode = vitest.status ?? 1

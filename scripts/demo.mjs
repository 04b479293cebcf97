// `npm run demo`: installs and builds what is missing, then runs `symphony demo` with the same arguments.
import { existsSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { build, install, outputOf, root, whyBuild, whyInstall } from "./prepare.mjs"

const step = (name, why, work) => {
  if (why === null) return
  process.stderr.write(`${name}: ${why} …\n`)
  const result = work()
  if (result.status === 0) return
  process.stderr.write(`${outputOf(result)}\n${name} failed\n`)
  process.exit(1)
}

step("install", whyInstall(), install)
step("build", whyBuild(), build)

// npm runs scripts in the project's folder; a path among the arguments is meant from where the person stands.
const from = process.env.INIT_CWD
if (process.env.npm_lifecycle_event === "demo" && from !== undefined && existsSync(from)) process.chdir(from)

// In this very process, so that signals and the exit code are the program's own.
const main = join(root, "dist", "main.js")
process.argv = [process.execPath, main, "demo", ...process.argv.slice(2)]
await import(pathToFileURL(main).href)

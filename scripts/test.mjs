// `npm test`: everything that must hold, in the order in which it is quickest to know. Arguments go to vitest.
import { spawn } from "node:child_process"
import { constants } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { build, install, outputOf, root, run, whyInstall } from "./prepare.mjs"

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`
const say = (line) => process.stdout.write(`${line}\n`)

const check = (name, work) => {
  const start = performance.now()
  const result = work()
  if (result.status === 0) return say(`ok      ${name} (${seconds(start)})`)
  say(outputOf(result))
  say(`FAILED  ${name} (${seconds(start)})`)
  process.exit(1)
}

/** A development tool, by the name of its package and the path of its program. */
const tool = (name, program, ...args) =>
  run(process.execPath, [join(root, "node_modules", name, program), ...args])

const why = whyInstall()
if (why === null) say("ok      install (as the lock says)")
else check(`install: ${why}`, install)
check("typecheck", () => tool("typescript", "bin/tsc", "--noEmit"))
check("lint", () => tool("oxlint", "bin/oxlint", "--deny-warnings"))
check("format", () => tool("oxfmt", "bin/oxfmt", "--check"))
check("build", build)

const start = performance.now()
const skipped = new Set()
const vitest = spawn(
  process.execPath,
  [join(root, "node_modules", "vitest", "vitest.mjs"), "run", ...process.argv.slice(2)],
  { cwd: root, stdio: ["ignore", "inherit", "pipe"] }
)
createInterface({ input: vitest.stderr }).on("line", (line) => {
  if (line.startsWith("skipped: ")) skipped.add(line)
  else process.stderr.write(`${line}\n`)
})
// A signal reaches vitest by itself from a terminal, and from us when it was sent to this process alone.
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => vitest.kill(signal))
process.on("SIGINT", () => {})
vitest.on("close", (code, signal) => {
  for (const line of skipped) say(line)
  say(`${code === 0 ? "ok     " : "FAILED "} tests (${seconds(start)})`)
  process.exitCode = code ?? 128 + constants.signals[signal]
})

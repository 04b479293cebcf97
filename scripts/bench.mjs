// `npm run bench`: what it costs to have many agents at work and a page open, on this machine. Arguments: how many
// agents (50), for how many seconds (20). Linux, for what /proc says.
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { build, outputOf, root, whyBuild } from "./prepare.mjs"

const [agents = 50, seconds = 20] = process.argv.slice(2).map(Number)
const port = 18_000 + (process.pid % 1000)
const main = join(root, "dist", "main.js")
const say = (name, value) => process.stdout.write(`${name.padEnd(44)}${value}\n`)

if (whyBuild() !== null) {
  const built = build()
  if (built.status !== 0) throw new Error(outputOf(built))
}

const project = mkdtempSync(join(tmpdir(), "symphony-bench-"))
const WORKFLOW = `---
tracker: { kind: local, root: ./issues }
states:
  Todo: { role: active }
  Parked: { role: holding }
  Done: { role: terminal }
workspace: { root: ./.symphony/workspaces }
acp: { adapter: demo }
sandbox: { kind: host }
handoff: { mode: none }
agent: { max_concurrent_agents: ${agents} }
---
{{ issue.description }}
`
/** Each agent says a line a second, as one that works does, and uses a tool now and then. */
const work = Array.from({ length: seconds + 600 }, (_, n) =>
  [`say Step ${n}: looking at the next file`, ...(n % 5 === 4 ? ["run true"] : []), "sleep 1000"].join("\n")
).join("\n")

mkdirSync(join(project, "issues", "Todo"), { recursive: true })
writeFileSync(join(project, "WORKFLOW.md"), WORKFLOW)
for (let n = 1; n <= agents; n++) {
  writeFileSync(
    join(project, "issues", "Todo", `B-${n}.md`),
    `---\ntitle: Benchmark ${n}\n---\n\`\`\`demo\n${work}\n\`\`\`\n`
  )
}

/** Seconds of CPU that a process has used. */
const cpuOf = (pid) => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / 100
}
const memoryOf = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

const startOf = () => {
  const begin = performance.now()
  execFileSync(process.execPath, [main, "--version"])
  return performance.now() - begin
}
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]

say("a command starts in", `${median(Array.from({ length: 5 }, startOf)).toFixed(0)} ms`)

const symphony = spawn(process.execPath, [...process.execArgv, main, "run", "--port", String(port)], {
  cwd: project,
  stdio: ["ignore", "ignore", "pipe"]
})
let stderr = ""
symphony.stderr.on("data", (chunk) => (stderr = `${stderr}${chunk}`.slice(-4000)))
const ended = new Promise((resolve) => symphony.on("exit", resolve))
try {
  const address = `http://127.0.0.1:${port}`
  const token = join(project, ".symphony", "token")
  const ask = async (path) => {
    const response = await fetch(`${address}${path}`, {
      headers: { authorization: `Bearer ${readFileSync(token, "utf8").trim()}` }
    })
    if (!response.ok) throw new Error(`${path}: ${response.status}`)
    return response
  }
  const begin = performance.now()
  for (;;) {
    if (symphony.exitCode !== null) throw new Error(`symphony ended:\n${stderr}`)
    const state = existsSync(token)
      ? await ask("/api/v1/state").then(
          (r) => r.json(),
          () => null
        )
      : null
    if (state?.running.filter((run) => run.turn_count > 0).length === agents) break
    await sleep(100)
  }
  say(`${agents} agents are prompted after`, `${((performance.now() - begin) / 1000).toFixed(1)} s`)

  const measure = async (name) => {
    const before = cpuOf(symphony.pid)
    await sleep(seconds * 1000)
    say(name, `${(((cpuOf(symphony.pid) - before) / seconds) * 100).toFixed(1)} % of a core`)
  }
  await sleep(2000)
  await measure("at work, no page open")
  // As the page does: all its regions anew when it is told that something has changed.
  const regions = [...(await (await ask("/")).text()).matchAll(/hx-get="([^"]+)"/g)].map(([, path]) => path)
  const events = (await ask("/api/v1/events")).body.pipeThrough(new TextDecoderStream()).getReader()
  let told = 0
  let bytes = 0
  const follow = async () => {
    for (let part = await events.read(); !part.done; part = await events.read()) {
      if (!part.value.includes("event: refreshed")) continue
      told += 1
      const texts = await Promise.all(regions.map(async (path) => (await ask(path)).text()))
      bytes += texts.join("").length
    }
  }
  const following = follow()
  await measure("at work, a page open")
  say(
    "the page is told and sent",
    `${(told / seconds).toFixed(1)} times, ${(bytes / 1024 / seconds).toFixed(0)} kB a second`
  )
  await events.cancel()
  await following
  const times = []
  for (let n = 0; n < 20; n++) {
    const start = performance.now()
    const html = await (await ask("/")).text()
    times.push(performance.now() - start)
    if (n === 0) say("the page is", `${(html.length / 1024).toFixed(1)} kB`)
  }
  say("and is there after", `${median(times).toFixed(0)} ms`)
  say("memory", `${memoryOf(symphony.pid).toFixed(0)} MiB`)
} finally {
  const begin = performance.now()
  symphony.kill("SIGTERM")
  const code = await ended
  say(
    "stops with everything after SIGTERM in",
    `${((performance.now() - begin) / 1000).toFixed(1)} s, exit ${code}`
  )
  rmSync(project, { recursive: true, force: true })
}

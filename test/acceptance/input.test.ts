import * as fs from "node:fs"
import { createServer } from "node:net"
import * as path from "node:path"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe } from "vitest"
import type { Project } from "./support/project.ts"
import { BUSY_MACHINE, it } from "./support/workshop.ts"

const CANONICAL = fileURLToPath(new URL("../../WORKFLOW.md", import.meta.url))

const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

describe("a start that cannot work says why, once, and ends", { timeout: BUSY_MACHINE }, () => {
  it("five mistakes in WORKFLOW.md are five messages with their places", async ({ workshop }) => {
    const project = workshop.project({
      settings: [
        "polling: { interval_ms: soon }",
        "agent: { max_turns: 0 }",
        "acp: { adapter: cluade }",
        "server: { port: 80x }",
        "hooks: { timeout_ms: -1 }"
      ]
    })
    const ended = await workshop.run(project)

    assert.strictEqual(ended.code, 2)
    const messages = lines(ended.stderr)
    assert.lengthOf(messages, 5, ended.stderr)
    for (const key of [
      "polling.interval_ms",
      "agent.max_turns",
      "acp.adapter",
      "server.port",
      "hooks.timeout_ms"
    ]) {
      const place = new RegExp(`WORKFLOW\\.md:\\d+:\\d+ ${key.replace(".", "\\.")}: `)
      assert.lengthOf(
        messages.filter((line) => place.test(line)),
        1,
        `${key}\n${ended.stderr}`
      )
    }
    assert.include(ended.stderr, "claude", "the nearest name is suggested")
    assert.isFalse(fs.existsSync(project.state), "nothing was begun")
  })

  it("WORKFLOW.md is missing", async ({ workshop }) => {
    const project = workshop.project()
    fs.rmSync(project.workflow)
    const ended = await workshop.run(project)
    assert.strictEqual(ended.code, 2)
    assert.lengthOf(lines(ended.stderr), 1, ended.stderr)
    assert.include(ended.stderr, "WORKFLOW.md")
  })

  it("a subcommand is mistyped", async ({ workshop }) => {
    for (const [args, told] of [
      [["dmeo"], 'error: Unknown subcommand "dmeo" for "symphony" - did you mean demo?'],
      [["--once", "rnu"], 'error: Unknown subcommand "rnu" for "symphony" - did you mean run?'],
      [["--port", "0", "dcotor"], 'error: Unknown subcommand "dcotor" for "symphony" - did you mean doctor?'],
      [["--log-level", "debug", "rnu"], "error: Unrecognized flag: --log-level in command symphony run"],
      [["--onec"], "error: Unrecognized flag: --onec in command symphony run - did you mean --once?"]
    ] as const) {
      const ended = await workshop.run(workshop.project(), args)
      assert.deepStrictEqual([ended.code, ended.stdout], [2, ""])
      assert.match(ended.stderr, /^error: .*\n  symphony( run)? --help tells how it is used\n$/)
      assert.include(ended.stderr, `${told}\n`)
    }
  })

  it("how it is used is told to who asks", async ({ workshop }) => {
    const ended = await workshop.run(workshop.project(), ["--help"])
    assert.deepStrictEqual([ended.code, ended.stderr], [0, ""])
    assert.include(ended.stdout, "symphony [run] [WORKFLOW.md] [--port N] [--once]\n")
    assert.match(
      ended.stdout,
      /\n {2}0 +done or stopped\n {2}1 +failed\n {2}2 +bad usage .*\n {2}3 +the tracker is held/
    )
    const run = await workshop.run(workshop.project(), ["run", "--help"])
    assert.match(run.stdout, /The workflow file \(default: WORKFLOW\.md\)/)
  })

  it("the port is none", async ({ workshop }) => {
    for (const port of ["80x", "-1", "65536"]) {
      const ended = await workshop.run(workshop.project(), [`--port=${port}`])
      assert.strictEqual(ended.code, 2, port)
      assert.deepStrictEqual(lines(ended.stderr), [
        `error: Invalid value for flag --port: "${port}". Expected: a port from 0 to 65535`,
        "  symphony run --help tells how it is used"
      ])
    }
  })

  it("the port is in use: nothing is started", async ({ workshop }) => {
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve))
    const address = holder.address()
    const port = typeof address === "object" ? (address?.port ?? 0) : 0
    const project = workshop.project()
    project.file("Todo", "A-1", ["done A | A."])
    try {
      const ended = await workshop.run(project, [`--port=${port}`])
      assert.strictEqual(ended.code, 1)
      assert.deepStrictEqual(lines(ended.stderr), [
        `error: cannot listen on 127.0.0.1:${port}: the port is in use - end the program that holds it, or give another with --port or server.port`
      ])
      assert.deepStrictEqual(project.whereIs("A-1"), ["Todo"])
      assert.isFalse(fs.existsSync(path.join(project.state, "workspaces/A-1")))
    } finally {
      holder.close()
    }
  })

  it("the workflow is a folder", async ({ workshop }) => {
    const project = workshop.project()
    const ended = await workshop.run(project, ["./"])
    assert.deepStrictEqual(
      [ended.code, ended.stderr],
      [
        2,
        `error: ${project.root} is a folder; name the workflow file in it, for example ${project.workflow}\n`
      ]
    )
  })

  it("there is no tracker, or it is a file", async ({ workshop }) => {
    const project = workshop.project()
    fs.rmSync(project.tracker, { recursive: true })
    const missing = await workshop.run(project)
    assert.strictEqual(missing.code, 1)
    assert.deepStrictEqual(lines(missing.stderr).slice(0, 3), [
      "symphony cannot start yet. What is missing:",
      `  ✗ tracker: there is no folder ${project.tracker}`,
      `    make it (mkdir -p "${project.tracker}/Todo"), or name another folder as tracker.root`
    ])
    fs.writeFileSync(project.tracker, "a file")
    const file = await workshop.run(project)
    assert.strictEqual(file.code, 1)
    assert.deepStrictEqual(lines(file.stderr).slice(1, 3), [
      `  ✗ tracker: ${project.tracker} is no folder`,
      "    name the folder that has one folder for each state as tracker.root"
    ])
    assert.isFalse(fs.existsSync(project.state), "nothing was begun")
  })

  it("a folder of its own cannot be made", async ({ workshop }) => {
    const project = workshop.project({ settings: ["state: { root: ./WORKFLOW.md/state }"] })
    const state = await workshop.run(project)
    assert.deepStrictEqual(
      [state.code, lines(state.stderr)],
      [
        1,
        [
          `error: state.root ${project.workflow}/state cannot be used: not a directory - let this account make it and write to it, or name another folder as state.root`
        ]
      ]
    )
    const demo = await workshop.run(project, ["demo", "--dir", `${project.workflow}/demo`])
    assert.deepStrictEqual(
      [demo.code, lines(demo.stderr)],
      [
        1,
        [
          `error: ${project.workflow}/demo cannot be made: file already exists; name a folder with --dir, in one that you may write to`
        ]
      ]
    )
  })

  it("the workspaces' folder is another project's", async ({ workshop }) => {
    const [first, second] = [workshop.project(), workshop.project()]
    for (const { workflow } of [first, second]) {
      const text = fs.readFileSync(workflow, "utf8")
      fs.writeFileSync(workflow, text.replace("./.symphony/workspaces", path.join(first.root, "shared")))
    }
    first.file("Todo", "A-1", ["done A | A."])
    assert.strictEqual((await workshop.run(first, ["--once"])).code, 0)
    second.file("Todo", "B-1", ["done B | B."])
    const ended = await workshop.run(second, ["--once"])
    assert.strictEqual(ended.code, 1)
    assert.include(
      ended.stderr,
      `  ✗ workspaces: ${first.root}/shared belongs to the tracker ${first.tracker}, not to ${second.tracker}; set \`workspace.root\` to a folder of its own\n`
    )
    assert.deepStrictEqual(second.whereIs("B-1"), ["Todo"])
  })

  it("smolvm is not installed: one screen with what is missing and how to get it", async ({ workshop }) => {
    const project = workshop.project({ repository: true })
    fs.copyFileSync(CANONICAL, project.workflow)
    const ended = await workshop.run(project)
    assert.strictEqual(ended.code, 1)
    assert.isAtMost(lines(ended.stderr).length, 24, ended.stderr)
    assert.match(ended.stderr, /✗ sandbox smolvm: .*no `smolvm` on PATH\n.*https:\/\/smolmachines\.com\//)
    assert.match(
      ended.stderr,
      /✗ sandbox smolvm: there is no machine image at .*\n.*bash scripts\/build-vm\.sh/
    )
    assert.match(ended.stderr, /✗ adapter claude: no credential/)
    assert.match(ended.stderr, /npm run demo/)
  })
})

describe("the program of an agent that is not installed", { timeout: BUSY_MACHINE }, () => {
  const install = /npm install -g @agentclientprotocol\/claude-agent-acp/

  it("is told with how to get it, by a start and by doctor, before any issue is touched", async ({
    workshop
  }) => {
    const project = workshop.project({ settings: ["acp: { adapter: claude }"] })
    const file = project.file("Todo", "A-1", ["done A | A."])
    const before = fs.readFileSync(file, "utf8")
    const env = { ANTHROPIC_API_KEY: "a key", PATH: "/usr/bin:/bin" }
    const started = await workshop.run(project, ["--once"], { env })
    assert.strictEqual(started.code, 1, started.stderr)
    assert.match(started.stderr, /symphony cannot start yet.*✗ .*claude-agent-acp.*not.*PATH/s)
    assert.match(started.stderr, install)
    assert.strictEqual(fs.readFileSync(file, "utf8"), before)
    const examined = await workshop.run(project, ["doctor"], { env })
    assert.strictEqual(examined.code, 1, examined.stdout)
    assert.match(examined.stdout, /^✗ program claude-agent-acp: /m)
    assert.match(examined.stdout, install)
  })

  it("is no matter where it is found, or where acp.command names another", async ({ workshop }) => {
    const env = { ANTHROPIC_API_KEY: "a key" }
    const there = workshop.project({ settings: ["acp: { adapter: claude }"] })
    fs.writeFileSync(path.join(there.home, "claude-agent-acp"), "#!/bin/sh\n", { mode: 0o755 })
    const PATH = `${there.home}:/usr/bin:/bin`
    assert.match(
      (await workshop.run(there, ["doctor"], { env: { ...env, PATH } })).stdout,
      /^✓ program claude/m
    )
    fs.chmodSync(path.join(there.home, "claude-agent-acp"), 0o644)
    assert.match(
      (await workshop.run(there, ["doctor"], { env: { ...env, PATH } })).stdout,
      /^✗ program claude/m
    )
    const own = workshop.project({ settings: ["acp: { adapter: claude, command: exec my-agent }"] })
    const examined = await workshop.run(own, ["doctor"], { env: { ...env, PATH: "/usr/bin:/bin" } })
    assert.strictEqual(examined.code, 0, examined.stdout)
    assert.notInclude(examined.stdout, "claude-agent-acp")
  })
})

describe("what is wrong while it runs harms nothing else", { timeout: BUSY_MACHINE }, () => {
  /** Four files that are no issues, by name and by what is said of each. */
  const plant = (project: Project): ReadonlyArray<string> => {
    const todo = path.join(project.tracker, "Todo")
    fs.writeFileSync(path.join(todo, "YAML.md"), "---\ntitle: [never closed\n---\nText\n")
    fs.symlinkSync("/etc/passwd", path.join(todo, "LINK.md"))
    assert.strictEqual(spawnSync("mkfifo", [path.join(todo, "FIFO.md")]).status, 0)
    fs.closeSync(fs.openSync(path.join(todo, "HUGE.md"), "w"))
    fs.truncateSync(path.join(todo, "HUGE.md"), 1024 ** 3)
    return ["YAML.md", "LINK.md", "FIFO.md", "HUGE.md"]
  }

  it("broken YAML, a symlink, a fifo and a 1 GB file are each named, and the others run on", async ({
    workshop
  }) => {
    const project = workshop.project({ settings: ["polling: { interval_ms: 50 }"] })
    const broken = plant(project)
    project.file("Todo", "GOOD", ["done Good | Good."])
    const symphony = await workshop.serve(project)
    await symphony.untilDone("GOOD")
    const { problems } = await symphony.state()
    const page = await (await symphony.request("/")).text()
    for (const name of broken) {
      const where = `issues/Todo/${name}`
      assert.lengthOf(
        problems.filter((problem) => problem.where?.startsWith(where)),
        1,
        `${name} in /api/v1/state: ${JSON.stringify(problems)}`
      )
      assert.include(page, where, `${name} on the page`)
      const told = lines(symphony.stderr()).filter((line) => line.includes(where))
      assert.lengthOf(told, 1, `${name} on stderr, once although scanned often:\n${symphony.stderr()}`)
    }
    assert.notMatch(page + JSON.stringify(problems), /root:x:0/, "a link is not followed")

    project.file("Todo", "YAML", ["done Mended | Mended."])
    await symphony.untilDone("YAML")
    assert.lengthOf((await symphony.state()).problems, 3, "what is mended is no problem any more")
  })

  it("a missing agent binary is one clear line, and is no fault of the issue", async ({ workshop }) => {
    const project = workshop.project({
      settings: ["acp: { adapter: demo, command: exec no-such-agent --acp }"]
    })
    const file = project.file("Todo", "A-1", ["done A | A."])
    const before = fs.readFileSync(file, "utf8")
    const symphony = await workshop.serve(project)
    const [problem] = await symphony.until("it is told", async () => {
      const { problems } = await symphony.state()
      return problems.length > 0 && problems
    })
    assert.match(problem?.message ?? "", /no-such-agent/)
    const told = lines(symphony.stderr()).filter((line) => line.includes("no-such-agent"))
    assert.lengthOf(told, 1, symphony.stderr())
    assert.match(
      (await symphony.issue("A-1"))?.reason.text ?? "",
      /the adapter demo cannot work: .*; then retry an issue of it .*\/retry/
    )
    assert.deepStrictEqual(project.whereIs("A-1"), ["Todo"])
    assert.strictEqual(fs.readFileSync(file, "utf8"), before)
  })

  it("a bad edit of WORKFLOW.md changes nothing and is shown; a good one heals it", async ({ workshop }) => {
    const project = workshop.project({ settings: ["agent: { max_concurrent_agents: 3 }"] })
    const good = fs.readFileSync(project.workflow, "utf8")
    const symphony = await workshop.serve(project)

    fs.writeFileSync(project.workflow, good.replace("agents: 3", "agents: many"))
    const problem = await symphony.until("the edit is refused", async () =>
      (await symphony.state()).problems.find(({ source }) => source !== "tracker")
    )
    assert.match(`${problem.where} ${problem.message}`, /WORKFLOW\.md:\d+:\d+.*max_concurrent_agents/)
    assert.match(await (await symphony.request("/")).text(), /max_concurrent_agents/)
    assert.strictEqual((await symphony.state()).slots.limit, 3)
    project.file("Todo", "A-1", ["done A | A."])
    await symphony.untilDone("A-1")

    fs.writeFileSync(project.workflow, good.replace("agents: 3", "agents: 4"))
    await symphony.until("the good edit is taken", async () => {
      const { problems, slots } = await symphony.state()
      return problems.length === 0 && slots.limit === 4
    })
  })

  it("what is left of earlier workspaces cannot be read: a start says so, and goes on", async ({
    workshop
  }) => {
    const project = workshop.project()
    project.file("Todo", "A-1", ["done A | A."])
    assert.strictEqual((await workshop.run(project, ["--once"])).code, 0)
    fs.writeFileSync(path.join(project.state, "workspaces/OLD.json"), "{")
    project.file("Todo", "A-2", ["done A | A."])
    const ended = await workshop.run(project, ["--once"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.match(ended.stderr, /level=warn msg="the record of a workspace is left out" error=.*OLD\.json/)
    assert.deepStrictEqual(project.whereIs("A-2"), ["Done"])
  })

  it("--once with issues left ends with 1 and names them", async ({ workshop }) => {
    const project = workshop.project({ settings: ["agent: { steering_hold_ms: 100 }"] })
    project.file("Todo", "DONE", ["done A | A."])
    project.file("Todo", "ASKS", ["ask Which one?", "done B | B."])
    project.file("Todo", "BLOCKED", ["done C | C."], { frontMatter: ["blocked_by: [ASKS]"] })
    const ended = await workshop.run(project, ["--once"])
    assert.strictEqual(ended.code, 1)
    assert.match(ended.stderr, /not finished:\n {2}ASKS \(Todo\): needs you, Which one\?/)
    assert.match(ended.stderr, /\n {2}BLOCKED \(Todo\): waiting, blocked by ASKS/)
    assert.notMatch(ended.stderr, / DONE \(/)
  })
})

describe("the log", { timeout: BUSY_MACHINE }, () => {
  it("speaks at SYMPHONY_LOG_LEVEL and above, on stderr", async ({ workshop }) => {
    const project = workshop.project()
    project.file("Todo", "A-1", ["done A | A."])
    const quiet = await workshop.run(project, ["--once"], { env: { SYMPHONY_LOG_LEVEL: "error" } })
    assert.deepStrictEqual([quiet.code, quiet.stderr], [0, ""])
    project.file("Todo", "A-2", ["done A | A."])
    const loud = await workshop.run(project, ["--once"], { env: { SYMPHONY_LOG_LEVEL: "debug" } })
    assert.match(loud.stderr, /^ts=\S+ level=info msg="run started".* issue_identifier=A-2/m)
    assert.notMatch(loud.stdout, /level=/)
  })

  it("says so when SYMPHONY_LOG_LEVEL is no level", async ({ workshop }) => {
    const ended = await workshop.run(workshop.project(), ["--version"], {
      env: { SYMPHONY_LOG_LEVEL: "loud" }
    })
    assert.strictEqual(ended.code, 0)
    assert.match(
      ended.stderr,
      /level=warn msg="SYMPHONY_LOG_LEVEL is \\"loud\\", which is none of debug, info, warn, error; /
    )
  })

  it("that cannot be written ends nothing, and is missed once, where it can be told", async ({
    workshop
  }) => {
    const project = workshop.project()
    for (const name of ["A-1", "A-2", "A-3"]) project.file("Todo", name, ["done A | A."])
    const full = fs.openSync("/dev/full", "w")
    try {
      const ended = await workshop.run(project, ["--once"], { stderr: full })
      assert.strictEqual(ended.code, 0, ended.stdout)
      const told = lines(ended.stdout).filter((line) => line.startsWith("warning:"))
      assert.deepStrictEqual(told, [
        "warning: stderr cannot be written, and what is told there is lost: ENOSPC: no space left on device, write"
      ])
    } finally {
      fs.closeSync(full)
    }
    for (const name of ["A-1", "A-2", "A-3"]) assert.deepStrictEqual(project.whereIs(name), ["Done"])
  })
})

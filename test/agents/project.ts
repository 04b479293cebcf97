import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { setTimeout as wait } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"
import { binFolder, installed, type RealAgent } from "./agents.ts"
import { copyWire, type WireMessage, readWire, writeShim } from "./wire.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const program = process.env["SYMPHONY_AGENTS_PROGRAM"] ?? join(root, "dist", "main.js")

export interface ProjectOptions {
  readonly agent: RealAgent
  readonly sandbox: "host" | "bubblewrap"
  readonly modelUrl: string
  /** What the agent is given as its key; null gives it none. */
  readonly key: string | null
  /** Lines of front matter by section, over the defaults of these tests. */
  readonly acp?: Readonly<Record<string, string | number>>
  readonly agentSection?: Readonly<Record<string, string | number>>
  readonly net?: boolean
  /** `acp.credentials: proxy`. */
  readonly proxied?: boolean
  /** More variables of symphony's own environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Writes down what symphony and the agent say to one another; on the host only. */
  readonly wire?: boolean
  /** Rewrites the lines that go to the agent. */
  readonly tamper?: { readonly find: string; readonly replace: string }
}

export interface Ended {
  readonly code: number | null
  /** Standard output and standard error, as they came. */
  readonly output: string
}

export interface Outcome {
  readonly _tag: string
  readonly class?: string
  readonly reason?: string
  readonly state?: string
  readonly message?: string
  readonly resetAt?: number | null
}

export interface Project {
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly start: () => {
    readonly child: ChildProcess
    readonly ended: Promise<Ended>
    readonly output: () => string
  }
  /** Runs the issue with `--once` and waits for the end. */
  readonly run: () => Promise<Ended>
  /** State folder in which the issue lies now. */
  readonly state: () => string | undefined
  readonly issue: () => string
  /** The newest verified patch, as text; undefined where there is none. */
  readonly patch: () => string | undefined
  readonly transcript: () => string
  readonly journal: () => string
  readonly wire: () => ReadonlyArray<WireMessage>
  /** How the first run ended, once it has; symphony goes on. */
  readonly firstOutcome: () => Promise<Outcome>
  /** Processes on this machine that belong to this project's agents. */
  readonly processes: () => ReadonlyArray<{ readonly pid: number; readonly command: string }>
  /** A person moves the issue's file. */
  readonly move: (state: string) => void
  /** A person answers, through the API. */
  readonly answer: (text: string) => Promise<number>
  /** Keeps the wire log of the present test in the cache folder: `wire/<agent>-<scene>.ndjson`. */
  readonly keepWire: () => void
  readonly remove: () => void
}

const git = (folder: string, ...args: ReadonlyArray<string>): void => {
  execFileSync("git", ["-c", "user.name=tester", "-c", "user.email=tester@localhost", ...args], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: folder,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null"
    }
  })
}

/** How runs ended, in the order of the journal: lines of a checksum and a list of events. */
const outcomes = (journal: string): ReadonlyArray<Outcome> =>
  journal
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.includes('"RunEnded"'))
    .flatMap((line) => {
      const events: ReadonlyArray<{ readonly _tag: string; readonly outcome: Outcome }> = JSON.parse(
        line.slice(line.indexOf("["))
      )
      return events.filter((event) => event._tag === "RunEnded").map((event) => event.outcome)
    })

const section = (name: string, values: Readonly<Record<string, string | number | boolean>>): string =>
  `${name}:\n${Object.entries(values)
    .map(([key, value]) => `  ${key}: ${JSON.stringify(value)}\n`)
    .join("")}`

const workflow = (options: ProjectOptions, forwarded: ReadonlyArray<string>): string => {
  const command = options.proxied === true ? null : options.agent.command(options.modelUrl)
  return `---
tracker: { kind: local, root: ./issues }
states:
  Todo: { role: active }
  Parked: { role: holding }
  Done: { role: terminal }
workspace: { root: ./.symphony/workspaces }
polling: { interval_ms: 500 }
${section("agent", { max_turns: 2, max_retry_backoff_ms: 200, circuit_breaker_threshold: 2, max_sessions_per_issue: 3, ...options.agentSection })}${section(
    "acp",
    {
      adapter: options.agent.adapter,
      read_timeout_ms: 60_000,
      ...(command === null ? {} : { command }),
      ...(options.proxied === true ? { credentials: "proxy" } : {}),
      ...options.acp
    }
  )}sandbox:
  kind: ${options.sandbox}
  net: ${options.net ?? true}
  forward_env: [${forwarded.join(", ")}]
handoff: { mode: patch }
hooks:
  after_create: |
    set -eu
    git clone --quiet --local --no-hardlinks --no-tags --template= --branch "$SYMPHONY_BASE_BRANCH" -- "$SYMPHONY_SOURCE_REPO" .
    git checkout --quiet -B "$SYMPHONY_BRANCH"
    git remote remove origin
---
You are working on {{ issue.identifier }}: {{ issue.title }}

{{ issue.description }}

Commit your work to the current branch, then call the mark_done tool.
`
}

const texts = (folder: string, keep: (path: string) => boolean): ReadonlyArray<string> =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter(keep)
        .sort()
        .map((path) => readFileSync(join(folder, path), "utf8"))
    : []

/** A repository with one issue, a workflow for one real agent, and the built program to run it. */
export const makeProject = (options: ProjectOptions): Project => {
  const folder = mkdtempSync(join(tmpdir(), `symphony-${options.agent.name}-`))
  const forwarded = options.agent.env(options.modelUrl, options.key)
  const agentEnv =
    options.proxied === true ? options.agent.proxied?.(options.modelUrl, options.key ?? "") : forwarded
  const home = join(folder, "home")
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  mkdirSync(home)
  write(".gitignore", ".symphony/\nissues/\nWORKFLOW.md\nhome/\nwire/\n")
  write("README.md", "# A project\n")
  git(folder, "init", "--quiet", "--initial-branch=main", ".")
  git(folder, "add", "--all")
  git(folder, "commit", "--quiet", "--message=Begin")
  write("issues/Todo/REAL-1.md", "---\ntitle: Say hello\n---\nWrite hello.txt.\n")
  write("issues/Done/.gitkeep", "")
  write("WORKFLOW.md", workflow(options, Object.keys(forwarded)))

  const wireFolder = join(folder, "wire")
  const first =
    options.wire === true
      ? [
          writeShim(
            wireFolder,
            options.agent.bin,
            join(binFolder(options.agent.name), options.agent.bin),
            options.tamper ?? null
          )
        ]
      : []
  const environment = {
    PATH: [...first, binFolder(options.agent.name), installed.node, process.env["PATH"] ?? ""].join(":"),
    HOME: home,
    LANG: "C.UTF-8",
    TMPDIR: tmpdir(),
    ...agentEnv,
    ...options.env
  }

  let output = ""
  const start: Project["start"] = () => {
    const child = spawn(process.execPath, [program, "run", join(folder, "WORKFLOW.md"), "--once"], {
      cwd: folder,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const take = (chunk: Buffer): void => {
      output += chunk.toString("utf8")
    }
    child.stdout.on("data", take)
    child.stderr.on("data", take)
    const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, output })))
    return { child, ended, output: () => output }
  }

  const states = (): ReadonlyArray<string> => readdirSync(join(folder, "issues"))
  const state = (): string | undefined =>
    states().find((name) => existsSync(join(folder, "issues", name, "REAL-1.md")))
  const inState = (path: string) => join(folder, ".symphony", path)

  const journal = (): string =>
    existsSync(inState("journal.jsonl")) ? readFileSync(inState("journal.jsonl"), "utf8") : ""
  const firstOutcome = async (): Promise<Outcome> => {
    for (;;) {
      const found = outcomes(journal())[0]
      if (found !== undefined) return found
      await wait(50)
    }
  }
  const processes: Project["processes"] = () =>
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          const environ = readFileSync(`/proc/${name}/environ`, "utf8")
          const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ")
          return environ.includes("SYMPHONY_RUN_MARKER=") && environ.includes(`${folder}/`)
            ? [{ pid: Number(name), command }]
            : []
        } catch {
          return []
        }
      })

  return {
    folder,
    environment,
    firstOutcome,
    processes,
    move: (to) => {
      mkdirSync(join(folder, "issues", to), { recursive: true })
      renameSync(
        join(folder, "issues", state() ?? "Todo", "REAL-1.md"),
        join(folder, "issues", to, "REAL-1.md")
      )
    },
    answer: async (reply) => {
      const base = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0] ?? ""
      const response = await fetch(`${base}/api/v1/issues/REAL-1/steering-reply`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${readFileSync(inState("token"), "utf8").trim()}`,
          "content-type": "application/json"
        },
        body: JSON.stringify({ text: reply })
      })
      return response.status
    },
    start,
    run: () => start().ended,
    state,
    issue: () => readFileSync(join(folder, "issues", state() ?? "Todo", "REAL-1.md"), "utf8"),
    patch: () => texts(inState("patches"), (path) => path.endsWith(".patch")).at(-1),
    transcript: () => texts(inState("transcripts"), (path) => path.endsWith(".jsonl")).join(""),
    journal,
    wire: () => readWire(wireFolder),
    keepWire: () => {
      const scene = (expect.getState().currentTestName ?? "").split(" > ").at(-1) ?? ""
      const name = `${options.agent.name}-${scene.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.ndjson`
      copyWire(wireFolder, join(installed.wire, name))
    },
    remove: () => {
      if (process.env["SYMPHONY_AGENTS_KEEP"] !== "1") rmSync(folder, { recursive: true, force: true })
    }
  }
}

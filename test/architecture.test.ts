import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { parseSource, projectRoot, readSources, type Source } from "./support/sources.ts"

/** A folder may import itself and these; a service's contract and its words count as much as its layer. */
const MAY_IMPORT: Readonly<Record<string, ReadonlyArray<string>>> = {
  domain: [],
  files: ["domain"],
  workflow: ["domain", "files"],
  tracker: ["domain", "files", "workflow"],
  processes: ["domain", "files"],
  workspace: ["domain", "files", "workflow", "processes"],
  sandbox: ["domain", "files", "workflow", "processes"],
  agent: ["domain", "files", "workflow", "sandbox"],
  handoff: ["domain", "files", "workflow", "processes"],
  journal: ["domain", "files", "agent"],
  scheduler: ["domain", "workflow", "tracker", "journal"],
  mcp: ["domain", "workflow", "tracker", "scheduler"],
  proxy: ["domain", "agent", "mcp"],
  run: [
    "domain",
    "files",
    "workflow",
    "tracker",
    "processes",
    "workspace",
    "sandbox",
    "agent",
    "handoff",
    "journal",
    "scheduler",
    "mcp",
    "proxy"
  ],
  board: ["domain", "workflow", "tracker", "journal", "scheduler"],
  http: [
    "domain",
    "files",
    "workflow",
    "tracker",
    "handoff",
    "journal",
    "scheduler",
    "mcp",
    "proxy",
    "run",
    "board"
  ]
}

/** Constants: which release this is, and where it lies. */
const EVERYBODYS = "package.ts"

/** Where layers meet; nobody imports them. */
const COMPOSITION = ["", "cli"]

/** Programs of their own, which run in a guest or play an agent, without Effect and without our services. */
const isSeparateProgram = (path: string): boolean =>
  path.startsWith("agent/demo/") ||
  ["sandbox/bubblewrap/entry.ts", "sandbox/bubblewrap/relay.ts", "sandbox/smolvm/guestProgram.ts"].includes(
    path
  )

/** The leaves: the only files that touch the machine without a service between, and what each may use of it. */
const RAW_MODULES: Readonly<Record<string, ReadonlyArray<string>>> = {
  "files/NodeSafeFiles.ts": ["node:fs"],
  "files/nodeFolder.ts": ["node:fs"],
  "files/removeTree.ts": ["node:fs"],
  "files/nodeWatch.ts": ["node:fs"],
  "sandbox/smolvm/Bridge.ts": ["node:net"],
  "sandbox/smolvm/httpCall.ts": ["node:http"],
  "http/HttpServerLive.ts": ["node:http"],
  "http/dashboard/assets.ts": ["node:fs"],
  "package.ts": ["node:fs"],
  "cli/lock.ts": ["node:net"]
}
const RAW =
  /^(node:)?(fs|child_process|net|http|https|http2|tls|dgram|worker_threads|cluster|vm|readline)(\/|$)/

const AMBIENT =
  /\b(Date\.now|new Date\(\)|performance\.now|Math\.random|process\.env|(?<![.\w])(?:setTimeout|setInterval|setImmediate|queueMicrotask)(?=\())/g

const RUNNERS = /\b(?:Effect|Runtime|ManagedRuntime)\.run(?:Promise|Sync|Fork|Callback)\w*/g

const dependencies = (): ReadonlyArray<string> => {
  const manifest: { readonly dependencies: Record<string, string> } = JSON.parse(
    readFileSync(`${projectRoot}/package.json`, "utf8")
  )
  return Object.keys(manifest.dependencies)
}

interface Rule {
  readonly name: string
  /** What is wrong in one file, or nothing. */
  readonly check: (source: Source, all: ReadonlyMap<string, Source>) => ReadonlyArray<string>
  /** A file that breaks the rule, to prove that it would be seen. */
  readonly planted: readonly [path: string, text: string]
}

/** The first way from a file back to itself. */
const cycleFrom = (start: string, all: ReadonlyMap<string, Source>): ReadonlyArray<string> | null => {
  const seen = new Set<string>()
  const walk = (path: string, trail: ReadonlyArray<string>): ReadonlyArray<string> | null => {
    for (const next of all.get(path)?.ours ?? []) {
      if (next === start) return [...trail, next]
      if (seen.has(next)) continue
      seen.add(next)
      const found = walk(next, [...trail, next])
      if (found !== null) return found
    }
    return null
  }
  return walk(start, [start])
}

const RULES: ReadonlyArray<Rule> = [
  {
    name: "a folder imports only what lies below it (design §3)",
    check: ({ folder, ours }) => {
      if (COMPOSITION.includes(folder)) return []
      const allowed = MAY_IMPORT[folder]
      if (allowed === undefined) return [`src/${folder}/ has no line in MAY_IMPORT`]
      return ours
        .filter((path) => path !== EVERYBODYS)
        .filter((path) => {
          const target = path.includes("/") ? (path.split("/")[0] ?? "") : ""
          return target !== folder && !allowed.includes(target)
        })
        .map((path) => `imports ${path}; ${folder}/ may import ${allowed.join(", ") || "nobody of ours"}`)
    },
    planted: ["tracker/planted.ts", 'import type { Scheduler } from "../scheduler/Scheduler.ts"']
  },
  {
    name: "the scheduler speaks no HTTP, no ACP, no MCP and starts nothing",
    check: ({ folder, modules }) =>
      folder === "scheduler"
        ? modules
            .filter((it) =>
              /^(@agentclientprotocol|@modelcontextprotocol|@effect\/platform-node|effect\/(http|process|ai))/.test(
                it
              )
            )
            .map((it) => `imports ${it}`)
        : [],
    planted: ["scheduler/planted.ts", 'import { HttpRouter } from "effect/http"']
  },
  {
    name: "there are no cycles between files",
    check: ({ path }, all) => {
      const cycle = cycleFrom(path, all)
      // Told once, by the first of its files.
      return cycle === null || cycle.some((it) => it < path) ? [] : [`imports itself: ${cycle.join(" → ")}`]
    },
    planted: ["domain/planted.ts", 'export * from "./planted.ts"']
  },
  {
    name: "git is started in handoff/ only",
    check: ({ path, folder, code }) =>
      folder !== "handoff" && !path.startsWith("agent/demo/") && /[([]\s*["'`]git["'`]\s*[,\]]/.test(code)
        ? ["starts git"]
        : [],
    planted: ["run/planted.ts", 'ChildProcess.make("git", ["push"])']
  },
  {
    name: "files, processes and sockets are reached through services, except in the named leaves",
    check: ({ path, modules }) =>
      isSeparateProgram(path)
        ? []
        : modules
            .filter((it) => RAW.test(it) && !(RAW_MODULES[path] ?? []).includes(it))
            .map((it) => `imports ${it}`),
    planted: ["tracker/planted.ts", 'import { readFileSync } from "node:fs"']
  },
  {
    name: "time, chance and environment come from services",
    check: ({ path, words }) =>
      isSeparateProgram(path) ? [] : [...words.matchAll(AMBIENT)].map(([word]) => `uses ${word}`),
    planted: ["scheduler/planted.ts", "const now = () => Date.now() // a comment"]
  },
  {
    name: "effects are run in main.ts only",
    check: ({ path, words }) =>
      path === "main.ts" || isSeparateProgram(path)
        ? []
        : [...words.matchAll(RUNNERS)].map(([word]) => `uses ${word}`),
    planted: ["http/planted.ts", "await Effect.runPromise(program)"]
  },
  {
    name: "only declared dependencies are imported",
    check: ({ modules }) =>
      modules
        .filter((it) => !it.startsWith("node:"))
        .map((it) =>
          it
            .split("/")
            .slice(0, it.startsWith("@") ? 2 : 1)
            .join("/")
        )
        .filter((it) => !dependencies().includes(it))
        .map((it) => `imports ${it}, which package.json does not list among its dependencies`),
    planted: ["http/planted.ts", 'import { z } from "zod"']
  }
]

const violations = (rule: Rule, sources: ReadonlyArray<Source>): ReadonlyArray<string> => {
  const all = new Map(sources.map((source) => [source.path, source]))
  return sources.flatMap((source) => rule.check(source, all).map((it) => `src/${source.path} ${it}`))
}

describe("architecture", () => {
  const sources = readSources()

  it("finds the files it speaks about", () => {
    assert.isAbove(sources.length, 50)
    assert.isAbove(sources.flatMap(({ ours }) => ours).length, 100)
    const paths = new Set(sources.map(({ path }) => path))
    assert.deepStrictEqual(
      sources.flatMap(({ path, ours }) =>
        ours.filter((it) => !paths.has(it)).map((it) => `${path} imports ${it}`)
      ),
      []
    )
  })

  for (const rule of RULES) {
    it(rule.name, () => assert.deepStrictEqual(violations(rule, sources), []))

    it(`would see when not: ${rule.name}`, () => {
      const planted = parseSource(...rule.planted)
      const found = violations(rule, [...sources.filter(({ path }) => path !== planted.path), planted])
      assert.deepStrictEqual(
        found.filter((it) => it.startsWith(`src/${planted.path} `)).length,
        1,
        "the planted violation"
      )
    })
  }

  it("no leaf is named that does not need it", () => {
    const unused = Object.entries(RAW_MODULES).flatMap(([path, allowed]) => {
      const used = sources.find((source) => source.path === path)?.modules ?? []
      return allowed.filter((it) => !used.includes(it)).map((it) => `${path} does not import ${it}`)
    })
    assert.deepStrictEqual(unused, [])
  })

  it("does not mistake what a comment or a text says for code", () => {
    const source = parseSource(
      "domain/it.ts",
      [
        'const program = `\nimport "node:net"\n`',
        '/* import "node:fs" */',
        "// Date.now()",
        'const a = "Math.random()"',
        'import "./a.ts" // b'
      ].join("\n")
    )
    assert.deepStrictEqual(
      { ours: source.ours, modules: source.modules },
      { ours: ["domain/a.ts"], modules: [] }
    )
    assert.notMatch(source.words, /Date|Math/)
  })
})

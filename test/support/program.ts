import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { commit, makeSource, temporaryFolder, type Files } from "./repository.ts"

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

/** An operator's project for the built program, with an operator's home beside it. */
export interface Project {
  /** Of all that follows; removed with the test. */
  readonly root: string
  readonly home: string
  /** The operator's repository, which holds WORKFLOW.md and the tracker. */
  readonly source: string
  readonly stateRoot: string
}

export interface ProjectOptions {
  /** File name without `.md` → front matter lines and script of the demo agent. */
  readonly issues: Readonly<Record<string, { readonly front?: string; readonly script: string }>>
  /** Further lines of WORKFLOW.md's front matter. */
  readonly workflow: string
  readonly afterRun?: string
  readonly files?: Files
}

const indented = (text: string): string => text.replaceAll(/^/gm, "    ")

const workflowOf = ({ afterRun, workflow }: ProjectOptions): string => `---
tracker: { kind: local, root: ./issues }
states:
  Todo: { role: active }
  Parked: { role: holding }
  Done: { role: terminal }
workspace: { root: ./.symphony/workspaces }
agent: { circuit_breaker_threshold: 2, max_retry_backoff_ms: 1000, max_turns: 2, max_sessions_per_issue: 2 }
acp: { adapter: demo }
${workflow}
hooks:
  after_create: |
    set -eu
    git clone --quiet --no-hardlinks --template= --branch main -- "$SYMPHONY_SOURCE_REPO" .
    git checkout --quiet -B "$SYMPHONY_BRANCH"
    git remote remove origin
${afterRun === undefined ? "" : `  after_run: |\n${indented(afterRun)}\n`}---
{{ issue.title }}

{{ issue.description }}
`

export const makeProject = (options: ProjectOptions): Project => {
  const root = temporaryFolder("symphony-program-")
  const home = path.join(root, "home")
  const source = makeSource(path.join(root, "project"))
  if (options.files !== undefined) commit(source, "More\n", options.files)
  fs.mkdirSync(home)
  fs.writeFileSync(path.join(source, ".git/info/exclude"), ".symphony/\nissues/\nWORKFLOW.md\n")
  fs.writeFileSync(path.join(source, "WORKFLOW.md"), workflowOf(options))
  for (const state of ["Todo", "Parked", "Done"])
    fs.mkdirSync(path.join(source, "issues", state), { recursive: true })
  for (const [name, { front = "", script }] of Object.entries(options.issues)) {
    const text = `---\n${front === "" ? `title: ${name}` : front}\n---\n\n\`\`\`demo\n${script.trim()}\n\`\`\`\n`
    fs.writeFileSync(path.join(source, `issues/Todo/${name}.md`), text)
  }
  return { root, home, source, stateRoot: path.join(source, ".symphony") }
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the built program to its end. The environment is this one and nothing else. */
export const symphony = (
  { home, source }: Project,
  args: ReadonlyArray<string> = ["WORKFLOW.md", "--once"],
  env: Readonly<Record<string, string>> = {}
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: source,
      env: { PATH: process.env["PATH"], HOME: home, SYMPHONY_LOG_LEVEL: "debug", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      // A program that does not end by itself is not left behind.
      timeout: 100_000
    })
    const output = { stdout: "", stderr: "" }
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8")
      child[name].on("data", (text: string) => (output[name] += text))
    }
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, ...output }))
  })

/** Every file below a folder, with its content as bytes in latin1; links are named, not followed. */
export const everyFile = (folder: string): ReadonlyArray<readonly [string, string]> =>
  fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => [path.relative(folder, file), fs.readFileSync(file, "latin1")])

export const stateOf = ({ source }: Project, name: string): string | undefined =>
  ["Todo", "Parked", "Done"].find((state) => fs.existsSync(path.join(source, `issues/${state}/${name}.md`)))

export const patchOf = ({ stateRoot }: Project, name: string): string =>
  fs.readFileSync(path.join(stateRoot, `patches/agent_${name}.patch`), "utf8")

export const reportOf = ({ stateRoot }: Project, name: string): string =>
  fs.readFileSync(path.join(stateRoot, `patches/agent_${name}/HANDOFF.md`), "utf8")

/** A project that is gone with the test. */
export const withProject = async <A>(
  options: ProjectOptions,
  use: (project: Project) => Promise<A>
): Promise<A> => {
  const project = makeProject(options)
  try {
    return await use(project)
  } finally {
    fs.rmSync(project.root, { recursive: true, force: true })
  }
}

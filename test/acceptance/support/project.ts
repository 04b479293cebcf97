import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { git, writeFiles } from "../../support/repository.ts"

/** A project of one test, with a tracker and a workflow of its own. */
export interface Project {
  readonly root: string
  /** An empty HOME. */
  readonly home: string
  readonly workflow: string
  readonly state: string
  readonly tracker: string
  /** Writes an issue as a person's editor does: aside, then renamed into its state folder. Answers its path. */
  readonly file: (state: string, identifier: string, script: Lines, more?: IssueExtras) => string
  /** Where the issue's file lies now. */
  readonly whereIs: (identifier: string) => ReadonlyArray<string>
}

export type Lines = ReadonlyArray<string>

export interface IssueExtras {
  readonly frontMatter?: Lines
  readonly body?: string
}

export interface ProjectOptions {
  /** Lines of the front matter beside tracker, states and workspace. */
  readonly settings?: Lines
  /** Makes the project a repository that agents clone; without it a workspace is an empty folder. */
  readonly repository?: boolean
  readonly sandbox?: "host" | "bubblewrap"
  readonly prompt?: string
}

/** Below `hooks:`: makes a workspace a clone of the project. */
export const CLONE = [
  "  after_create: |",
  "    set -eu",
  '    git clone --quiet --local --no-hardlinks --no-tags --template= --branch "$SYMPHONY_BASE_BRANCH" -- "$SYMPHONY_SOURCE_REPO" .',
  '    git checkout --quiet -B "$SYMPHONY_BRANCH"',
  "    git remote remove origin"
]

const PROMPT = "{{ issue.identifier }}: {{ issue.title }}\n\n{{ issue.description }}\n"

/** A workflow with the demo agent. A setting given goes before ours of the same name. */
const workflowText = ({
  settings = [],
  repository = false,
  sandbox = "host",
  prompt = PROMPT
}: ProjectOptions) => {
  const given = new Set(settings.map((line) => /^([a-z]+):/.exec(line)?.[1]))
  const ours: ReadonlyArray<readonly [key: string, lines: Lines]> = [
    ["tracker", ["tracker: { kind: local, root: ./issues }"]],
    [
      "states",
      ["states:", "  Todo: { role: active }", "  Parked: { role: holding }", "  Done: { role: terminal }"]
    ],
    ["workspace", ["workspace: { root: ./.symphony/workspaces }"]],
    ["acp", ["acp: { adapter: demo }"]],
    ["sandbox", [`sandbox: { kind: ${sandbox} }`]],
    ["handoff", [`handoff: { mode: ${repository ? "patch" : "none"} }`]],
    ["hooks", repository ? ["hooks:", ...CLONE] : []]
  ]
  return [
    "---",
    ...ours.flatMap(([key, lines]) => (given.has(key) ? [] : lines)),
    ...settings,
    "---",
    prompt
  ].join("\n")
}

export const makeProject = (options: ProjectOptions = {}): Project => {
  const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "symphony-acceptance-")))
  const root = path.join(base, "project")
  const home = path.join(base, "home")
  const tracker = path.join(root, "issues")
  fs.mkdirSync(home)
  for (const state of ["Todo", "Parked", "Done"]) fs.mkdirSync(path.join(tracker, state), { recursive: true })
  fs.writeFileSync(path.join(root, "WORKFLOW.md"), workflowText(options))
  if (options.repository === true) {
    writeFiles(root, { ".gitignore": ".symphony/\nissues/\nWORKFLOW.md\n", "README.md": "A project\n" })
    git(root, ["init", "--quiet", "--initial-branch=main", "."])
    git(root, ["add", "--all"])
    git(root, ["commit", "--quiet", "--message=Start"])
  }
  return {
    root,
    home,
    tracker,
    workflow: path.join(root, "WORKFLOW.md"),
    state: path.join(root, ".symphony"),
    file: (state, identifier, script, { frontMatter = [], body = "A sample." } = {}) => {
      const place = path.join(tracker, state, `${identifier}.md`)
      const aside = path.join(base, `${identifier}.tmp`)
      const text = [
        "---",
        `title: The title of ${identifier}`,
        ...frontMatter,
        "---",
        body,
        "",
        "```demo",
        ...script,
        "```",
        ""
      ]
      fs.writeFileSync(aside, text.join("\n"))
      fs.renameSync(aside, place)
      return place
    },
    whereIs: (identifier) =>
      fs.readdirSync(tracker).filter((state) => fs.existsSync(path.join(tracker, state, `${identifier}.md`)))
  }
}

export const removeProject = (project: Project): void =>
  fs.rmSync(path.dirname(project.root), { recursive: true, force: true })

/** The issue tree as a person sees it: `State/file` → content. */
export const issueTree = (project: Project): ReadonlyMap<string, string> =>
  new Map(
    fs
      .readdirSync(project.tracker, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .sort()
      .map((file) => [path.relative(project.tracker, file), fs.readFileSync(file, "utf8")] as const)
  )

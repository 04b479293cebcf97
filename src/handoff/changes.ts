import { printableLine } from "../domain/printable.ts"

/** One entry of `git diff-tree --raw -z`. */
export interface Change {
  readonly path: string
  readonly oldMode: string
  readonly newMode: string
  readonly newOid: string
}

const RAW = /^:(\d{6}) (\d{6}) [0-9a-f]{40} ([0-9a-f]{40}) [A-Z]$/

export const parseRaw = (output: Uint8Array): ReadonlyArray<Change> => {
  const parts = Buffer.from(output).toString("utf8").split("\0")
  const changes: Array<Change> = []
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const [, oldMode = "", newMode = "", newOid = ""] = RAW.exec(parts[index] ?? "") ?? []
    changes.push({ path: parts[index + 1] ?? "", oldMode, newMode, newOid })
  }
  return changes
}

/** One entry of `git diff-tree --numstat -z`; null counts are of a binary file. */
export const parseNumstat = (
  output: Uint8Array
): ReadonlyArray<{ readonly path: string; readonly added: number | null; readonly removed: number | null }> =>
  Buffer.from(output)
    .toString("utf8")
    .split("\0")
    .filter((record) => record !== "")
    .map((record) => {
      const [added = "-", removed = "-", ...path] = record.split("\t")
      const count = (text: string) => (text === "-" ? null : Number(text))
      return { path: path.join("\t"), added: count(added), removed: count(removed) }
    })

export const isLink = ({ newMode }: Change): boolean => newMode === "120000"
export const isGone = ({ newMode }: Change): boolean => newMode === "000000"

const UNSAFE_PATH = /[\p{Cc}\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFFD\\]/u
/** What some file system takes for `.git`. */
const GIT_FOLDER = /^(?:\.git|git~\d+)[\s.]*(?::.*)?$/i

/** Why a path or mode is refused; null: it is not. */
export const refusal = (change: Change): string | null => {
  if (isGone(change)) return null
  const shown = printableLine(change.path, 200)
  const names = change.path.split("/")
  if (UNSAFE_PATH.test(change.path)) return `the path ${shown} has characters that cannot be shown`
  if (names.some((name) => name === "" || name === "." || name === ".." || GIT_FOLDER.test(name))) {
    return `the path ${shown} reaches into a repository or out of it`
  }
  if (change.newMode === "160000" && change.oldMode !== "160000") {
    return `${shown} is another repository; commit its files, or leave it out`
  }
  return ["100644", "100755", "120000", "160000"].includes(change.newMode)
    ? null
    : `${shown} has the mode ${change.newMode}`
}

/**
 * Whether a link at this path could leave the tree. A folder on its way may itself be a link, so that `..` behind a
 * name leads nobody knows where: it counts only at the front, where the folders are those of the link's own path.
 */
export const linkEscapes = (path: string, target: string): boolean => {
  if (target === "" || target.startsWith("/") || target.includes("\\") || target.includes("\0")) return true
  const names = target.split("/").filter((name) => name !== "" && name !== ".")
  const down = names.findIndex((name) => name !== "..")
  const up = down === -1 ? names.length : down
  return (
    up > path.split("/").length - 1 || names.slice(up).some((name) => name === ".." || GIT_FOLDER.test(name))
  )
}

/**
 * Files that run by themselves, or decide what runs: on the reviewer's machine, in an editor, in an agent or
 * in continuous integration. Matched without regard to case.
 */
const PROTECTED: ReadonlyArray<readonly [string, RegExp]> = [
  [
    "continuous integration",
    /(^|\/)(\.github\/(workflows|actions)\/|\.gitlab-ci|\.circleci\/|\.buildkite\/|\.woodpecker|\.travis\.yml$|\.drone\.yml$|\.forgejo\/|\.gitea\/|\.ci\/|jenkinsfile|azure-pipelines|bitbucket-pipelines|\.teamcity\/|appveyor\.yml$)/i
  ],
  [
    "git",
    /(^|\/)(\.gitmodules|\.gitattributes|\.gitconfig|\.lfsconfig|\.mailmap|\.githooks\/|hooks\/(pre|post)-|\.husky\/|\.lefthook|lefthook\.ya?ml$|\.pre-commit-config|\.lintstagedrc|codeowners$)/i
  ],
  [
    "agent settings",
    /(^|\/)(\.claude\/|\.codex\/|\.opencode\/|opencode\.jsonc?$|\.cursor\/|\.cursorrules$|\.gemini\/|\.windsurf|\.aider|\.mcp\.json$|\.clinerules|\.kiro\/|\.junie\/|\.github\/copilot-instructions\.md$|\.github\/instructions\/|agents\.md$|claude\.md$|gemini\.md$|\.symphony\/|workflow\.md$)/i
  ],
  [
    "editor",
    /(^|\/)(\.vscode\/|\.idea\/|\.devcontainer|\.zed\/|\.fleet\/|[^/]+\.code-workspace$|\.nvim|\.exrc$|\.vimrc$|\.dir-locals\.el$)/i
  ],
  [
    "shell",
    /(^|\/)(\.envrc|\.env(\..*)?|\.bashrc|\.bash_profile|\.profile|\.zshrc|\.zshenv|\.zprofile|\.gdbinit|\.lldbinit|\.inputrc|\.tool-versions|\.?mise\.toml|\.npmrc|\.yarnrc(\.yml)?|\.pnpmfile\.c?js|\.pnp\.[cm]?js|\.pypirc|pip\.conf)$/i
  ],
  [
    "lock file",
    /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|cargo\.lock|poetry\.lock|uv\.lock|pipfile\.lock|gemfile\.lock|composer\.lock|go\.sum|flake\.lock|gradle\.lockfile|deno\.lock)$/i
  ],
  [
    "build",
    /(^|\/)((package\.json|makefile|gnumakefile|justfile|taskfile\.ya?ml|dockerfile[^/]*|docker-compose[^/]*|compose\.ya?ml|cmakelists\.txt|build\.rs|cargo\.toml|go\.mod|gemfile|setup\.py|setup\.cfg|pyproject\.toml|tox\.ini|noxfile\.py|conftest\.py|sitecustomize\.py|rakefile|gradlew(\.bat)?|mvnw(\.cmd)?|(build|settings)\.gradle(\.kts)?|pom\.xml|\.cargo\/config(\.toml)?|binding\.gyp|(vite|vitest|jest|eslint|webpack|rollup|babel|prettier|playwright|next|postcss|tailwind)\.config\.[cm]?[jt]s)$|\.yarn\/(releases|plugins)\/|gradle\/wrapper\/|\.mvn\/)/i
  ]
]

/** Which kind of protected file a path is; null: none. */
export const protectedKind = (path: string): string | null =>
  PROTECTED.find(([, shape]) => shape.test(path))?.[0] ?? null

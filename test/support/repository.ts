import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

/** What a tree holds: path → content; `null` deletes; `{ link }` is a symbolic link. */
export type Files = Readonly<Record<string, string | Uint8Array | null | { readonly link: string }>>

export interface Author {
  readonly name: string
  readonly email: string
  /** As git reads it. */
  readonly date: string
}

export const ada: Author = { name: "Ada", email: "ada@example.test", date: "2026-01-02T03:04:05+0200" }
export const bob: Author = { name: "Bob Bäcker", email: "bob@example.test", date: "2026-02-03T04:05:06-0700" }

const emptyHome = fs.mkdtempSync(path.join(os.tmpdir(), "symphony-home-"))
process.once("exit", () => fs.rmSync(emptyHome, { recursive: true, force: true }))

/** Plain git as a person without any configuration has it. */
export const git = (
  cwd: string,
  args: ReadonlyArray<string>,
  options: { readonly input?: string | Uint8Array; readonly env?: Readonly<Record<string, string>> } = {}
): string =>
  execFileSync("git", args, {
    cwd,
    input: options.input ?? "",
    encoding: "utf8",
    stdio: ["pipe", "pipe", "pipe"],
    maxBuffer: 256 * 1024 * 1024,
    env: {
      PATH: process.env["PATH"],
      HOME: emptyHome,
      GIT_CONFIG_NOSYSTEM: "1",
      LC_ALL: "C",
      ...identity(ada),
      ...options.env
    }
  })

const identity = (author: Author): Record<string, string> => ({
  GIT_AUTHOR_NAME: author.name,
  GIT_AUTHOR_EMAIL: author.email,
  GIT_AUTHOR_DATE: author.date,
  GIT_COMMITTER_NAME: author.name,
  GIT_COMMITTER_EMAIL: author.email,
  GIT_COMMITTER_DATE: author.date
})

export const writeFiles = (root: string, files: Files): void => {
  for (const [name, content] of Object.entries(files)) {
    const target = path.join(root, name)
    fs.rmSync(target, { recursive: true, force: true })
    if (content === null) continue
    fs.mkdirSync(path.dirname(target), { recursive: true })
    if (typeof content === "object" && "link" in content) fs.symlinkSync(content.link, target)
    else fs.writeFileSync(target, content)
  }
}

/** Writes the files, commits everything with exactly this message, and tells the commit. */
export const commit = (repository: string, message: string, files: Files, author: Author = ada): string => {
  writeFiles(repository, files)
  git(repository, ["add", "-A", "-f", "."])
  git(
    repository,
    ["commit", "-q", "--allow-empty", "--allow-empty-message", "--cleanup=verbatim", "-F", "-"],
    {
      input: message,
      env: identity(author)
    }
  )
  return git(repository, ["rev-parse", "HEAD"]).trim()
}

/** A repository of the operator with one commit on `main`. */
export const makeSource = (folder: string, files: Files = { "README.md": "# A project\n" }): string => {
  fs.mkdirSync(folder, { recursive: true })
  git(folder, ["init", "-q", "-b", "main"])
  commit(folder, "Begin\n", files)
  return folder
}

/** What the shipped `after_create` makes: a local clone (hard links) without remotes, on the agent's branch. */
export const cloneForAgent = (source: string, workspace: string, branch: string): string => {
  fs.mkdirSync(path.dirname(workspace), { recursive: true })
  git(path.dirname(workspace), ["clone", "-q", "--local", "--no-tags", "--branch", "main", source, workspace])
  git(workspace, ["remote", "remove", "origin"])
  git(workspace, ["checkout", "-q", "-b", branch])
  return workspace
}

/** A fresh clone of the operator's repository, for applying patches as a person would. */
export const cleanClone = (source: string, folder: string): string => {
  git(path.dirname(folder), ["clone", "-q", "--branch", "main", source, folder])
  return folder
}

export const treeOf = (repository: string, revision = "HEAD"): string =>
  git(repository, ["rev-parse", `${revision}^{tree}`]).trim()

export const temporaryFolder = (prefix = "symphony-test-"): string =>
  fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), prefix)))

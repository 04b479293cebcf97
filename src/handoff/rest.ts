import { createHash } from "node:crypto"
import { Effect, FileSystem } from "effect"
import { printableLine } from "../domain/printable.ts"
import type { FileEntry, SafeFiles } from "../files/SafeFiles.ts"
import { gitBroke, ioFailure } from "./failures.ts"
import type { Git } from "./Git.ts"
import { type LfsPointer, readLfsPointers } from "./lfs.ts"

type Files = SafeFiles["Service"]

/** What symphony itself puts into a workspace. */
const OURS = new Set([".git", ".symphony-runtime", ".symphony"])
const LARGEST_FILE = 16 * 1024 * 1024
const LARGEST_REST = 64 * 1024 * 1024
const MOST_FILES = 2000
const LARGEST_IGNORE_FILE = 256 * 1024

/** What lies in the workspace and is in no commit. */
export interface Rest {
  /** Changed or gone since the last commit. */
  readonly changed: ReadonlyArray<string>
  readonly untracked: ReadonlyArray<string>
  /** Too large, too many, or no plain files: named, not captured. */
  readonly leftOut: ReadonlyArray<string>
  /** Of `changed` and `untracked`, against the last commit; null when there is no difference in content. */
  readonly patch: Uint8Array | null
}

interface Tracked {
  readonly mode: string
  readonly oid: string
  /** Bytes; 0 where it is no file. */
  readonly size: number
}

const readTree = Effect.fnUntraced(function* (git: Git["Service"], gitDir: string, head: string) {
  const output = yield* git
    .run(["ls-tree", "-r", "-z", "-l", "--full-tree", head], { cwd: gitDir })
    .pipe(Effect.mapError(gitBroke("listing the files of the last commit")))
  const tracked = new Map<string, Tracked>()
  for (const record of Buffer.from(output).toString("utf8").split("\0")) {
    const [, mode = "", oid = "", size, path = ""] =
      /^(\d{6}) \w+ ([0-9a-f]{40}) +(\d+|-)\t(.*)$/s.exec(record) ?? []
    if (path !== "" && isNamable(path)) tracked.set(path, { mode, oid, size: Number(size) || 0 })
  }
  return tracked
})

/** A name that is no UTF-8 cannot be told from others here; it is never taken for work. */
const isNamable = (path: string): boolean => !path.includes("\uFFFD")

/** Whether a file of the workspace is what a pointer of the last commit stands for. */
const isContentOf = (pointer: LfsPointer | undefined, content: Uint8Array): boolean =>
  pointer !== undefined &&
  pointer.size === content.byteLength &&
  createHash("sha256").update(content).digest("hex") === pointer.content

const blobId = (content: Uint8Array): string =>
  createHash("sha1").update(`blob ${content.byteLength}\0`).update(content).digest("hex")

const parentsOf = (path: string): ReadonlyArray<string> => {
  const names = path.split("/")
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join("/"))
}

const list = (files: Files, workspace: string, path: string) =>
  files.list({ root: workspace }, path).pipe(
    // A folder that went away, or became something else, while we looked has nothing to tell.
    Effect.catchTag("FileError", (error) =>
      error.reason === "missing" || error.reason === "link" || error.reason === "kind"
        ? Effect.succeed([])
        : Effect.fail(ioFailure("files", printableLine(error.message)))
    )
  )

/** Null: not readable as a plain file of that size. */
const read = (files: Files, workspace: string, path: string, limit = LARGEST_FILE) =>
  files
    .read({ root: workspace }, path, limit)
    .pipe(
      Effect.catchTag("FileError", (error) =>
        error.reason === "io"
          ? Effect.fail(ioFailure("files", printableLine(error.message)))
          : Effect.succeed(null)
      )
    )

/** The paths that the ignore rules of the last commit, and those of untracked folders, leave over. */
const notIgnored = Effect.fnUntraced(function* (
  git: Git["Service"],
  checkout: string,
  paths: ReadonlyArray<string>
) {
  if (paths.length === 0) return []
  const ignored = yield* git
    .run(
      [
        "-c",
        `core.excludesFile=${checkout}/.git/info/agent-exclude`,
        "check-ignore",
        "--no-index",
        "-z",
        "--stdin"
      ],
      {
        cwd: checkout,
        stdin: `${paths.join("\0")}\0`
      }
    )
    .pipe(
      Effect.map((output) => new Set(Buffer.from(output).toString("utf8").split("\0"))),
      Effect.catchTag("CommandError", (error) =>
        error.code === 1
          ? Effect.succeed(new Set<string>())
          : Effect.fail(gitBroke("looking for ignored files")(error))
      )
    )
  return paths.filter((path) => !ignored.has(path))
})

/**
 * Compares the workspace with the agent's last commit by reading it as files. Git sees only copies, in
 * `checkout`, a clean checkout of that commit which is ours: a nested repository, a link or an attribute in
 * the workspace moves nothing.
 */
export const captureRest = Effect.fn("captureRest")(function* (
  git: Git["Service"],
  files: Files,
  gitDir: string,
  head: string,
  checkout: string,
  workspace: string
) {
  const fs = yield* FileSystem.FileSystem
  const ours = { root: checkout }
  const tracked = yield* readTree(git, gitDir, head)
  const pointers = yield* readLfsPointers(git, gitDir, [...tracked.values()]).pipe(
    Effect.mapError(gitBroke("looking for files of Git LFS"))
  )
  const trackedFolders = new Set([...tracked.keys()].flatMap(parentsOf))
  const seen = new Set<string>()
  const changed: Array<string> = []
  const untracked: Array<string> = []
  const leftOut: Array<string> = []
  let captured = 0

  const ownFile = <A>(effect: Effect.Effect<A, { readonly message: string }>) =>
    Effect.mapError(effect, (error) => ioFailure("files", printableLine(error.message)))

  const keep = Effect.fnUntraced(function* (path: string, content: Uint8Array, executable: boolean) {
    captured += content.byteLength
    if (captured > LARGEST_REST || changed.length + untracked.length >= MOST_FILES) {
      leftOut.push(path)
      return false
    }
    const there = yield* ownFile(files.stat(ours, path))
    if (there !== null && there.kind !== "file") yield* ownFile(files.removeTree(ours, path))
    const mode = executable ? 0o755 : 0o644
    return yield* files.writeAtomic(ours, path, content, { mode }).pipe(
      Effect.as(true),
      Effect.catchTag("FileError", (error) => {
        leftOut.push(path)
        return Effect.as(Effect.logWarning("a file of the workspace is not captured", error), false)
      })
    )
  })

  const compare = Effect.fnUntraced(function* (path: string, entry: FileEntry, before: Tracked) {
    if (before.mode === "160000") return
    if (entry.kind !== "file" || before.mode === "120000") {
      if (entry.kind !== "symlink" || before.mode !== "120000") leftOut.push(path)
      return
    }
    const pointer = pointers.get(before.oid)
    // Too large to be read, and as large as it should be.
    if (pointer !== undefined && entry.size > LARGEST_FILE && entry.size === pointer.size) return
    const content = yield* read(files, workspace, path)
    if (content === null) {
      leftOut.push(path)
      return
    }
    if (blobId(content) === before.oid || isContentOf(pointer, content)) return
    if (yield* keep(path, content, before.mode === "100755")) changed.push(path)
  })

  const excludes = yield* read(files, workspace, ".git/info/exclude", LARGEST_IGNORE_FILE)
  yield* ownFile(fs.makeDirectory(`${checkout}/.git/info`, { recursive: true }))
  yield* ownFile(fs.writeFile(`${checkout}/.git/info/agent-exclude`, excludes ?? new Uint8Array()))

  let folders: ReadonlyArray<string> = [""]
  while (folders.length > 0) {
    const foreign: Array<{ readonly path: string; readonly entry: FileEntry }> = []
    const next: Array<string> = []
    for (const folder of folders) {
      const entries = yield* list(files, workspace, folder)
      const inside = folder === "" ? "" : `${folder}/`
      const ignoreFile = entries.find(({ name, kind }) => name === ".gitignore" && kind === "file")
      if (ignoreFile !== undefined && !tracked.has(`${inside}.gitignore`)) {
        const rules = yield* read(files, workspace, `${inside}.gitignore`, LARGEST_IGNORE_FILE)
        if (rules !== null) yield* ownFile(files.writeAtomic(ours, `${inside}.gitignore`, rules))
      }
      for (const entry of entries) {
        const path = `${inside}${entry.name}`
        if (entry.name === ".git" || !isNamable(entry.name) || (folder === "" && OURS.has(entry.name)))
          continue
        const before = tracked.get(path)
        if (before !== undefined) {
          seen.add(path)
          yield* compare(path, entry, before)
        } else if (entry.kind === "directory" && trackedFolders.has(path)) next.push(path)
        else {
          // Ignore rules for folders match only what is one.
          if (entry.kind === "directory") {
            yield* ownFile(fs.makeDirectory(`${checkout}/${path}`, { recursive: true }))
          }
          foreign.push({ path, entry })
        }
      }
    }
    const unknown = new Map(foreign.map(({ path, entry }) => [path, entry]))
    for (const path of yield* notIgnored(git, checkout, [...unknown.keys()])) {
      const entry = unknown.get(path)
      if (entry?.kind === "directory") next.push(path)
      else {
        const content = entry?.kind === "file" ? yield* read(files, workspace, path) : null
        if (content === null) leftOut.push(path)
        else if (yield* keep(path, content, false)) untracked.push(path)
      }
    }
    folders = leftOut.length + untracked.length + changed.length > 2 * MOST_FILES ? [] : next
  }

  for (const [path, { mode }] of tracked) {
    if (seen.has(path) || mode === "160000") continue
    changed.push(path)
    yield* ownFile(files.removeTree(ours, path))
  }
  const patch = yield* stagedPatch(git, checkout, head, [...changed, ...untracked])
  return { changed, untracked, leftOut, patch } satisfies Rest
})

const stagedPatch = Effect.fnUntraced(function* (
  git: Git["Service"],
  checkout: string,
  head: string,
  paths: ReadonlyArray<string>
) {
  if (paths.length === 0) return null
  const broke = Effect.mapError(gitBroke("capturing what is not committed"))
  yield* git
    .run(["--literal-pathspecs", "add", "-A", "-f", "--pathspec-from-file=-", "--pathspec-file-nul"], {
      cwd: checkout,
      stdin: paths.join("\0")
    })
    .pipe(broke)
  const patch = yield* git
    .run(["diff", "--cached", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", head, "--"], {
      cwd: checkout
    })
    .pipe(broke)
  return patch.byteLength === 0 ? null : patch
})

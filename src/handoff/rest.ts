import { createHash } from "node:crypto"
import { Effect, FileSystem, Stream } from "effect"
import { printableLine } from "../domain/printable.ts"
import type { FileEntry, FileError, SafeFiles } from "../files/SafeFiles.ts"
import { ioFailure, workBroke } from "./failures.ts"
import type { Git } from "./Git.ts"
import { readLfsPointers } from "./lfs.ts"

type Files = SafeFiles["Service"]

/** What symphony itself puts into a workspace, unless a repository has files there. */
const OURS = ".symphony-runtime"
const LARGEST_FILE = 16 * 1024 * 1024
const LARGEST_REST = 64 * 1024 * 1024
const MOST_FILES = 2000
const LARGEST_IGNORE_FILE = 256 * 1024
const LARGEST_CONFIGURATION = 256 * 1024

/** What lies in the workspace and is in no commit. */
export interface Rest {
  /** Changed or gone since the last commit. */
  readonly changed: ReadonlyArray<string>
  readonly untracked: ReadonlyArray<string>
  /** Too large, too many, or no plain files: named, not captured. */
  readonly leftOut: ReadonlyArray<string>
  /** Work that the agent's repository has beside the branch, in words: other branches, a stash. */
  readonly elsewhere: ReadonlyArray<string>
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
    .pipe(Effect.mapError(workBroke("listing the files of the last commit")))
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
const orNull = <A, R>(effect: Effect.Effect<A, FileError, R>) =>
  Effect.catchTag(effect, "FileError", (error) =>
    error.reason === "io"
      ? Effect.fail(ioFailure("files", printableLine(error.message)))
      : Effect.succeed(null)
  )

const read = (files: Files, workspace: string, path: string, limit: number) =>
  orNull(files.read({ root: workspace }, path, limit))

/** In hex, as git names a blob (`sha1`, over a header) and as a pointer names its content (`sha256`). */
const digest = (files: Files, workspace: string, { path, size }: Sized, algorithm: "sha1" | "sha256") =>
  Effect.suspend(() => {
    const hash = createHash(algorithm)
    if (algorithm === "sha1") hash.update(`blob ${size}\0`)
    return files.stream({ root: workspace }, path, size).pipe(
      Stream.runForEach((bytes) => Effect.sync(() => hash.update(bytes))),
      Effect.map(() => hash.digest("hex")),
      orNull
    )
  })

interface Sized {
  readonly path: string
  readonly size: number
}

/** Git's own word for a file system that does not keep which files may be run. */
const keepsModes = Effect.fnUntraced(function* (files: Files, workspace: string) {
  const configuration = yield* read(files, workspace, ".git/config", LARGEST_CONFIGURATION)
  return !/^\s*filemode\s*=\s*false\b/im.test(Buffer.from(configuration ?? []).toString("utf8"))
})

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
          : Effect.fail(workBroke("looking for ignored files")(error))
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
    Effect.mapError(workBroke("looking for files of Git LFS"))
  )
  const trackedFolders = new Set([...tracked.keys()].flatMap(parentsOf))
  const seen = new Set<string>()
  const changed: Array<string> = []
  const untracked: Array<string> = []
  const leftOut: Array<string> = []
  let captured = 0
  const isFull = () => changed.length + untracked.length >= MOST_FILES
  const hasModes = yield* keepsModes(files, workspace)

  const ownFile = <A, R>(effect: Effect.Effect<A, { readonly message: string }, R>) =>
    Effect.mapError(effect, (error) => ioFailure("files", printableLine(error.message)))

  /** What comes in the place of something else: nobody else writes here, and nothing of it has to last. */
  const makeRoom = Effect.fnUntraced(function* (path: string) {
    const there = yield* files.stat(ours, path)
    if (there !== null) yield* files.removeTree(ours, path)
    const folder = parentsOf(path).at(-1)
    if (folder !== undefined && (yield* files.stat(ours, folder)) === null) {
      yield* files.makeDirectory(ours, folder)
    }
  })

  const keep = Effect.fnUntraced(function* (path: string, entry: FileEntry) {
    if (entry.size > LARGEST_FILE || captured + entry.size > LARGEST_REST || isFull()) {
      leftOut.push(path)
      return false
    }
    captured += entry.size
    const copy = `${checkout}/${path}`
    return yield* makeRoom(path).pipe(
      Effect.andThen(
        Stream.run(files.stream({ root: workspace }, path, LARGEST_FILE), fs.sink(copy, { flag: "wx" }))
      ),
      Effect.andThen(fs.chmod(copy, entry.executable ? 0o755 : 0o644)),
      Effect.as(true),
      Effect.catch((error) => {
        leftOut.push(path)
        return Effect.as(Effect.logWarning("a file of the workspace is not captured", error), false)
      })
    )
  })

  const isUnchanged = Effect.fnUntraced(function* (path: string, entry: FileEntry, before: Tracked) {
    const pointer = pointers.get(before.oid)
    const file = { path, size: entry.size }
    if (entry.size === pointer?.size) {
      // A file that is too large to be read and as large as it should be counts as what it should be.
      return (
        entry.size > LARGEST_FILE || (yield* digest(files, workspace, file, "sha256")) === pointer.content
      )
    }
    if (entry.size !== before.size) return false
    return (yield* digest(files, workspace, file, "sha1")) === before.oid
  })

  const compareLink = Effect.fnUntraced(function* (path: string, { oid }: Tracked) {
    const target = yield* orNull(files.readLink({ root: workspace }, path))
    if (target !== null && blobId(Buffer.from(target)) !== oid) leftOut.push(path)
  })

  const compare = Effect.fnUntraced(function* (path: string, entry: FileEntry, before: Tracked) {
    if (before.mode === "160000") return
    if (entry.kind === "symlink" && before.mode === "120000") return yield* compareLink(path, before)
    if (entry.kind !== "file" || before.mode === "120000") {
      leftOut.push(path)
      return
    }
    const isExecutable = hasModes ? entry.executable : before.mode === "100755"
    const isSameMode = isExecutable === (before.mode === "100755")
    if (isSameMode && (yield* isUnchanged(path, entry, before))) return
    if (yield* keep(path, { ...entry, executable: isExecutable })) changed.push(path)
  })

  const excludes = yield* read(files, workspace, ".git/info/exclude", LARGEST_IGNORE_FILE)
  yield* ownFile(fs.makeDirectory(`${checkout}/.git/info`, { recursive: true }))
  yield* ownFile(fs.writeFile(`${checkout}/.git/info/agent-exclude`, excludes ?? new Uint8Array()))

  let folders: ReadonlyArray<string> = [""]
  let isWhole = true
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
        if (entry.name === ".git" || !isNamable(entry.name)) continue
        const before = tracked.get(path)
        if (before !== undefined) {
          seen.add(path)
          yield* compare(path, entry, before)
        } else if (entry.kind === "directory" && trackedFolders.has(path)) next.push(path)
        else if (path !== OURS && folder !== OURS && isWork(entry)) {
          // Ignore rules for folders match only what is one.
          if (entry.kind === "directory") {
            yield* ownFile(fs.makeDirectory(`${checkout}/${path}`, { recursive: true }))
          }
          foreign.push({ path, entry })
        }
      }
      yield* Effect.yieldNow
    }
    const unknown = new Map(foreign.map(({ path, entry }) => [path, entry]))
    for (const path of yield* notIgnored(git, checkout, [...unknown.keys()])) {
      const entry = unknown.get(path)
      if (entry === undefined) continue
      if (entry.kind === "directory") next.push(path)
      else if (entry.kind !== "file") leftOut.push(path)
      else if (yield* keep(path, entry)) untracked.push(path)
    }
    folders = next
    if (leftOut.length + untracked.length + changed.length > 2 * MOST_FILES && next.length > 0) {
      isWhole = false
      break
    }
  }

  // What was not looked at cannot be told from what is gone.
  if (!isWhole) leftOut.push("whatever else there is")
  else {
    for (const [path, { mode }] of tracked) {
      if (seen.has(path) || mode === "160000") continue
      if (isFull()) {
        leftOut.push(path)
        continue
      }
      changed.push(path)
      yield* files.removeTree(ours, path).pipe(
        // A file has taken the place of the folder it was in.
        Effect.catchIf(
          ({ reason }) => reason === "kind",
          () => Effect.void
        ),
        ownFile
      )
    }
  }
  const patch = yield* stagedPatch(git, checkout, head, [...changed, ...untracked])
  return { changed, untracked, leftOut, elsewhere: [], patch } satisfies Rest
})

/** Pipes, sockets and devices are nothing that a commit could hold. */
const isWork = ({ kind }: FileEntry): boolean => kind === "file" || kind === "directory" || kind === "symlink"

const stagedPatch = Effect.fnUntraced(function* (
  git: Git["Service"],
  checkout: string,
  head: string,
  paths: ReadonlyArray<string>
) {
  if (paths.length === 0) return null
  const broke = Effect.mapError(workBroke("capturing what is not committed"))
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

import { Effect } from "effect"
import { printableLine } from "../domain/printable.ts"
import type { FileError, Place, SafeFiles } from "../files/SafeFiles.ts"
import { hostile, ioFailure, unverified } from "./failures.ts"
import type { HandoffError } from "./Handoff.ts"

type Files = SafeFiles["Service"]

const LONGEST_REF = 4096
const LONGEST_PACKED_REFS = 16 * 1024 * 1024

const OID = /^[0-9a-f]{40}$/
const LONG_OID = /^[0-9a-f]{64}$/

/** What of a branch name is let through to git and to file names. */
export const isBranchName = (name: string): boolean =>
  name.length <= 200 &&
  /^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(name) &&
  !name.includes("..") &&
  name.split("/").every((part) => part !== "" && !part.startsWith(".") && !/(\.|\.lock)$/.test(part))

/** A file that git would keep its objects in, named as git names it; nothing else is taken. */
export interface ObjectFile {
  /** Relative to `objects`: `ab/cdef…` or `pack/pack-….pack`. */
  readonly name: string
  readonly size: number
}

/** Where the repository has work beside the branch that is handed over. */
export interface OtherRef {
  /** For people. */
  readonly name: string
  readonly commit: string
}

export interface AgentRepository {
  readonly head: string
  /** At most so many that each can be looked at. */
  readonly others: ReadonlyArray<OtherRef>
  readonly objects: ReadonlyArray<ObjectFile>
  /** The repository says that some of its objects are elsewhere. They are not fetched from there. */
  readonly incomplete: ReadonlyArray<string>
}

const refused =
  (what: string) =>
  (error: FileError): HandoffError => {
    if (error.reason === "link") {
      return hostile("link", `${what} of the agent's repository is a symbolic link`)
    }
    if (error.reason === "kind")
      return hostile("kind", `${what} of the agent's repository is not a plain file`)
    if (error.reason === "too_large")
      return hostile("too_large", `${what} of the agent's repository is too large`)
    return ioFailure("files", printableLine(error.message))
  }

const readSmall = (files: Files, place: Place, path: string, limit: number) =>
  files.readText(place, `.git/${path}`, limit).pipe(
    Effect.map(({ text }) => text),
    Effect.catchTag("FileError", (error) =>
      error.reason === "missing" ? Effect.succeed(null) : Effect.fail(refused(path)(error))
    )
  )

const listOrNothing = (files: Files, place: Place, path: string) =>
  files
    .list(place, `.git/${path}`)
    .pipe(
      Effect.catchTag("FileError", (error) =>
        error.reason === "missing" ? Effect.succeed([]) : Effect.fail(refused(path)(error))
      )
    )

const packedRef = (packed: string, ref: string): string | undefined => {
  for (const line of packed.split("\n")) {
    if (line.endsWith(` ${ref}`)) return line.slice(0, -ref.length - 1)
  }
  return undefined
}

const checkedOid = (value: string, ref: string): Effect.Effect<string, HandoffError> => {
  if (OID.test(value)) return Effect.succeed(value)
  if (LONG_OID.test(value)) {
    return Effect.fail(
      hostile("sha256", "the agent's repository uses SHA-256 object names, which are not read")
    )
  }
  return Effect.fail(hostile("ref", `${ref} of the agent's repository does not name a commit`))
}

/** The commit that a ref names, by our own reading of the two places where git keeps one; null: no such ref. */
const resolveRef = Effect.fnUntraced(function* (files: Files, git: Place, ref: string) {
  const loose = yield* readSmall(files, git, ref, LONGEST_REF)
  const value =
    loose?.trim() ?? packedRef((yield* readSmall(files, git, "packed-refs", LONGEST_PACKED_REFS)) ?? "", ref)
  return value === undefined ? null : yield* checkedOid(value, ref)
})

/** What HEAD says: a branch, or a commit of its own. */
const readHead = Effect.fnUntraced(function* (files: Files, git: Place) {
  const text = (yield* readSmall(files, git, "HEAD", LONGEST_REF))?.trim() ?? ""
  const branch = /^ref: refs\/heads\/(.+)$/.exec(text)?.[1]
  if (branch === undefined) return { branch: null, commit: OID.test(text) ? text : null }
  if (!isBranchName(branch)) return { branch: null, commit: null }
  return { branch, commit: yield* resolveRef(files, git, `refs/heads/${branch}`) }
})

const HEADS = "refs/heads"
const STASH = "refs/stash"
const MOST_OTHER_REFS = 50
const MOST_REF_FOLDERS = 200

/** Names below a folder of loose refs; what is no plain name is left out. */
const looseRefs = Effect.fnUntraced(function* (files: Files, git: Place, top: string) {
  const found: Array<string> = []
  let folders: ReadonlyArray<string> = [top]
  for (let seen = 0; folders.length > 0 && seen < MOST_REF_FOLDERS; seen += folders.length) {
    const next: Array<string> = []
    for (const folder of folders) {
      for (const { name, kind } of yield* listOrNothing(files, git, folder)) {
        if (kind === "directory") next.push(`${folder}/${name}`)
        else if (kind === "file") found.push(`${folder}/${name}`)
      }
    }
    folders = next
  }
  return found
})

const listOthers = Effect.fnUntraced(function* (files: Files, git: Place, branch: string) {
  const packed = (yield* readSmall(files, git, "packed-refs", LONGEST_PACKED_REFS)) ?? ""
  const names = new Set([...(yield* looseRefs(files, git, HEADS)), STASH])
  for (const line of packed.split("\n")) {
    const [, name] = /^[0-9a-f]{40} (refs\/heads\/.+)$/.exec(line) ?? []
    if (name !== undefined) names.add(name)
  }
  const others: Array<OtherRef> = []
  for (const ref of [...names].toSorted()) {
    const short = ref.slice(HEADS.length + 1)
    if (ref !== STASH && (short === branch || !isBranchName(short))) continue
    const commit = yield* resolveRef(files, git, ref).pipe(
      // A ref that names nothing has no work.
      Effect.catchIf(
        ({ reason }) => reason === "hostile",
        () => Effect.succeed(null)
      )
    )
    if (commit !== null) others.push({ name: ref === STASH ? "the stash" : `branch ${short}`, commit })
  }
  return others.slice(0, MOST_OTHER_REFS)
})

const checkGitFolder = Effect.fnUntraced(function* (files: Files, workspace: Place) {
  const stat = yield* files.stat(workspace, ".git").pipe(Effect.mapError(refused(".git")))
  if (stat === null) {
    return yield* unverified(
      "no_repository",
      "the workspace is not a git repository",
      "clone it in after_create, or set handoff.mode: none"
    )
  }
  if (stat.kind !== "directory") {
    return yield* hostile(
      "git_not_a_folder",
      `.git of the workspace is a ${stat.kind}, not a folder`,
      "a workspace must hold its own repository: no submodule, no linked worktree, no link"
    )
  }
})

const findHead = Effect.fnUntraced(function* (files: Files, git: Place, branch: string) {
  const named = yield* resolveRef(files, git, `refs/heads/${branch}`)
  const head = yield* readHead(files, git)
  const where = head.branch === null ? "a commit outside of any branch" : `branch ${head.branch}`
  if (named === null && head.commit === null) {
    return yield* unverified("no_branch", `the repository has no branch ${branch}`, `commit to ${branch}`)
  }
  if (head.commit !== null && head.commit !== named) {
    return yield* unverified(
      "head_elsewhere",
      `${where} is checked out, and the work is handed off from ${branch}`,
      `move ${branch} to the finished commit and check it out`
    )
  }
  return named ?? (yield* unverified("no_branch", `the repository has no branch ${branch}`))
})

const listObjects = Effect.fnUntraced(function* (files: Files, git: Place) {
  const found: Array<ObjectFile> = []
  for (const folder of yield* listOrNothing(files, git, "objects")) {
    const isPack = folder.name === "pack"
    if (!isPack && !/^[0-9a-f]{2}$/.test(folder.name)) continue
    if (folder.kind !== "directory") {
      return yield* hostile(
        "object_link",
        `objects/${folder.name} of the agent's repository is a ${folder.kind}`
      )
    }
    for (const entry of yield* listOrNothing(files, git, `objects/${folder.name}`)) {
      const named = isPack ? /^pack-[0-9a-f]{40}\.pack$/ : /^[0-9a-f]{38}$/
      if (!named.test(entry.name)) continue
      if (entry.kind !== "file") {
        return yield* hostile("object_link", `an object of the agent's repository is a ${entry.kind}`)
      }
      found.push({ name: `${folder.name}/${entry.name}`, size: entry.size })
    }
  }
  return found
})

const says = (files: Files, git: Place, path: string, what: string) =>
  files.stat(git, `.git/${path}`).pipe(
    Effect.map((stat) => (stat === null ? [] : [what])),
    Effect.mapError(refused(path))
  )

/**
 * Reads the agent's repository as what it is to us, a folder of files: git never opens it, so that nothing
 * in its configuration, hooks, indexes or links counts. Only the branch and the object files are taken;
 * objects prove themselves by their hash when git reads the copies.
 */
export const readAgentRepository = Effect.fn("readAgentRepository")(function* (
  files: Files,
  workspace: string,
  branch: string
) {
  // The root stays the workspace, so that `.git` itself is a component that no link may stand in for.
  const git: Place = { root: workspace }
  if (!isBranchName(branch)) {
    return yield* hostile(
      "branch_name",
      `${printableLine(branch, 80)} is not a branch name that is handed off`
    )
  }
  yield* checkGitFolder(files, git)
  if ((yield* says(files, git, "reftable", "")).length > 0) {
    return yield* hostile(
      "reftable",
      "the agent's repository keeps its refs in a reftable, which is not read"
    )
  }
  const head = yield* findHead(files, git, branch)
  const incomplete = yield* Effect.all([
    says(files, git, "objects/info/alternates", "alternates"),
    says(files, git, "shallow", "a shallow history"),
    says(files, git, "info/grafts", "grafts")
  ])
  return {
    head,
    others: yield* listOthers(files, git, branch),
    objects: yield* listObjects(files, git),
    incomplete: incomplete.flat()
  } satisfies AgentRepository
})

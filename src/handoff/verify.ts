import { Duration, Effect } from "effect"
import { printableLine } from "../domain/printable.ts"
import { SafeFiles } from "../files/SafeFiles.ts"
import * as changes from "./changes.ts"
import { unverified, workBroke } from "./failures.ts"
import { Git } from "./Git.ts"
import type { ChangedFile, HandoffError, HandoffFlag, HandoffRequest } from "./Handoff.ts"
import { readHistory } from "./history.ts"
import { readLfsPointers } from "./lfs.ts"
import { readBlobs } from "./blobs.ts"
import { isPlainText } from "./messages.ts"
import { checkout, proveSeries, type Series } from "./proof.ts"
import { captureRest, type Rest } from "./rest.ts"

const LARGEST_BLOB = 100 * 1024 * 1024
const LARGEST_LINK = 4096
const MOST_COMMITS = 2000
const MOST_FILES = 20_000
/** Characters of the names of changed files, which reports and records repeat. */
const LONGEST_NAMES = 4 * 1024 * 1024
/** Bytes of the names of all files of a commit: a few nested trees can stand for more than any disk holds. */
const LONGEST_LISTING = 64 * 1024 * 1024
/** For all of it, so that an agent is answered while it waits. */
const TIME = Duration.minutes(10)
const NAMED = 20

type Flag = typeof HandoffFlag.Type
type File = typeof ChangedFile.Type

/** What is known about the work of one run after everything was checked. */
export interface Verified {
  /** The commit that the work starts from: of the base branch and an ancestor of the head. */
  readonly base: string
  /** The agent's own last commit. */
  readonly head: string
  /** Null: no commit over the base, the summary is the result. */
  readonly series: Series | null
  readonly files: ReadonlyArray<File>
  readonly flags: ReadonlyArray<Flag>
  readonly rest: Rest
}

/** What of it an agent is told to mend before it is done; null: nothing. */
export const refusalOf = ({ rest, series }: Verified, branch: string): HandoffError | null => {
  if (rest.changed.length > 0 && rest.patch !== null) {
    return unverified(
      "dirty",
      `changed and not committed: ${names(rest.changed)}`,
      "commit these files or restore them"
    )
  }
  if (rest.leftOut.length > 0) {
    return unverified(
      "dirty",
      `not committed, and too large or too many to be kept beside the commits: ${names(rest.leftOut)}`,
      "commit what is work, and delete or ignore the rest"
    )
  }
  if (series === null && rest.patch !== null) {
    return unverified(
      "dirty",
      `nothing is committed, but there are new files: ${names(rest.untracked)}`,
      `commit them to ${branch}, or delete them`
    )
  }
  return series === null && rest.elsewhere.length > 0
    ? unverified(
        "dirty",
        `nothing is committed to ${branch}, but ${rest.elsewhere.join(", ")}`,
        `bring it to ${branch}, or delete it`
      )
    : null
}

const flag = (kind: string, detail: string): Flag => ({ kind, detail: printableLine(detail) })

export const names = (paths: ReadonlyArray<string>): string =>
  `${paths
    .slice(0, NAMED)
    .map((path) => printableLine(path, 200))
    .join(", ")}${paths.length > NAMED ? ` and ${paths.length - NAMED} more` : ""}`

const checkSize = Effect.fnUntraced(function* (gitDir: string, head: string) {
  const git = yield* Git
  yield* git
    .run(["ls-tree", "-r", "-z", "--name-only", "--full-tree", head], {
      cwd: gitDir,
      maxOutput: LONGEST_LISTING
    })
    .pipe(
      Effect.mapError((error) =>
        error.reason === "too_large"
          ? unverified("too_many_files", "the last commit has more files than can be listed")
          : workBroke("listing the files of the last commit")(error)
      )
    )
})

/** Every path that any of the commits touches, whether or not a later one undoes it. */
const touched = Effect.fnUntraced(function* (gitDir: string, commits: ReadonlyArray<string>) {
  const git = yield* Git
  const output = yield* git
    .run(
      [
        "diff-tree",
        "-r",
        "-m",
        "-z",
        "--root",
        "--raw",
        "--no-renames",
        "--no-abbrev",
        "--no-commit-id",
        "--ignore-submodules=none",
        "--stdin"
      ],
      { cwd: gitDir, stdin: `${commits.join("\n")}\n` }
    )
    .pipe(Effect.mapError(workBroke("listing the changes")))
  const found = changes.parseRaw(output)
  const length = found.reduce((sum, { path }) => sum + path.length, 0)
  if (found.length > MOST_FILES || length > LONGEST_NAMES) {
    return yield* unverified(
      "too_many_files",
      `the commits change files ${found.length} times (${length} characters of names), and at most ${MOST_FILES} times (${LONGEST_NAMES}) are handed over`,
      "take what was generated or downloaded out of the commits"
    )
  }
  return found
})

const checkPaths = Effect.fnUntraced(function* (gitDir: string, touchedPaths: ReadonlyArray<changes.Change>) {
  const git = yield* Git
  const refusals = [...new Set(touchedPaths.flatMap((change) => changes.refusal(change) ?? []))]
  if (refusals.length > 0) return yield* unverified("path", names(refusals), "take it out of the commits")
  const links = touchedPaths.filter(changes.isLink)
  const targets = yield* readBlobs(
    git,
    gitDir,
    links.map(({ newOid }) => newOid),
    LARGEST_LINK
  ).pipe(Effect.mapError(workBroke("reading the links")))
  const shown: Array<string> = []
  for (const { path, newOid } of links) {
    const target = targets.get(newOid)?.toString("utf8") ?? ""
    shown.push(`${printableLine(path, 200)} -> ${printableLine(target, 200)}`)
    if (changes.linkEscapes(path, target)) {
      return yield* unverified(
        "symlink",
        `the link ${shown.at(-1)} leads out of the repository, or goes up again behind a name`,
        "point it straight at its target, or take it out of the commits"
      )
    }
  }
  return grouped("symlink", shown)
})

/** One flag each, or one for all where they would bury the others. */
const grouped = (kind: string, details: ReadonlyArray<string>): ReadonlyArray<Flag> =>
  details.length <= NAMED ? details.map((detail) => flag(kind, detail)) : [{ kind, detail: names(details) }]

const checkContents = Effect.fnUntraced(function* (
  gitDir: string,
  touchedPaths: ReadonlyArray<changes.Change>
) {
  const git = yield* Git
  const blobs = touchedPaths.filter((change) => !changes.isGone(change) && change.newMode !== "160000")
  const sizes = yield* git
    .text(["cat-file", "--batch-check=%(objectsize)"], {
      cwd: gitDir,
      stdin: blobs.map(({ newOid }) => `${newOid}\n`).join("")
    })
    .pipe(Effect.mapError(workBroke("measuring the changed files")))
  const large = sizes.split("\n").findIndex((size) => Number(size) > LARGEST_BLOB)
  if (large !== -1) {
    return yield* unverified(
      "too_large",
      `${printableLine(blobs[large]?.path ?? "a file", 200)} is larger than ${LARGEST_BLOB / 1024 / 1024} MiB`,
      "take it out of the commits"
    )
  }
  const pointers = yield* readLfsPointers(
    git,
    gitDir,
    sizes.split("\n").map((size, index) => ({ oid: blobs[index]?.newOid ?? "", size: Number(size) }))
  ).pipe(Effect.mapError(workBroke("looking for files of Git LFS")))
  const kept = blobs.filter(({ newOid }) => pointers.has(newOid))
  if (kept.length > 0) {
    return yield* unverified(
      "lfs",
      `the content of these files is in Git LFS, and neither a patch nor a bundle carries it: ${names(kept.map(({ path }) => path))}`,
      "commit them as they are (git lfs untrack), or leave them out"
    )
  }
})

const protectedFlags = (touchedPaths: ReadonlyArray<changes.Change>): ReadonlyArray<Flag> => {
  const kinds = new Map<string, Set<string>>()
  for (const change of touchedPaths) {
    const kind = change.newMode === "160000" ? "submodule" : changes.protectedKind(change.path)
    if (kind !== null) kinds.set(kind, (kinds.get(kind) ?? new Set()).add(change.path))
  }
  return [...kinds].map(([kind, paths]) => ({ kind: "protected", detail: `${kind}: ${names([...paths])}` }))
}

const restFlags = (rest: Rest): ReadonlyArray<Flag> => [
  ...rest.elsewhere.map((what) => flag("left_out", `elsewhere: ${what}`)),
  ...(rest.patch === null
    ? []
    : [
        { kind: "uncommitted", detail: `not in the commits: ${names([...rest.changed, ...rest.untracked])}` }
      ]),
  ...(rest.leftOut.length === 0
    ? []
    : [{ kind: "left_out", detail: `not committed and not captured: ${names(rest.leftOut)}` }])
]

const seriesFlags = (series: Series): ReadonlyArray<Flag> => [
  ...grouped(
    "message_rewritten",
    series.rewritten.map((id) => `the message of ${id.slice(0, 12)} would not come through git am as it was`)
  ),
  ...grouped(
    "bundle_only",
    series.bundleOnly.map(
      (id) => `${id.slice(0, 12)} is a merge or changes nothing: in the bundle, not in the patches`
    )
  )
]

const mergeBase = Effect.fnUntraced(function* ({ gitDir, tip, head }: Work) {
  const git = yield* Git
  return yield* git
    .text(["merge-base", tip, head], { cwd: gitDir })
    .pipe(
      Effect.mapError((error) =>
        error.code === 1
          ? unverified(
              "base_not_ancestor",
              "the commits share no history with the base branch",
              "commit on top of the base branch"
            )
          : workBroke("looking for the common commit")(error)
      )
    )
})

const baseFlags = Effect.fnUntraced(function* ({ gitDir, tip }: Work, base: string) {
  if (base === tip) return []
  const git = yield* Git
  const ahead = yield* git
    .text(["rev-list", "--count", `${base}..${tip}`], { cwd: gitDir })
    .pipe(Effect.mapError(workBroke("comparing with the base branch")))
  return [
    flag("base_moved", `the base branch has ${ahead} commits since ${base.slice(0, 12)}; git am -3 may help`)
  ]
})

const checkCommits = Effect.fnUntraced(function* (gitDir: string, base: string, head: string) {
  const git = yield* Git
  const history = yield* readHistory(git, gitDir, base, head).pipe(
    Effect.mapError(workBroke("reading the history"))
  )
  if (history.length > MOST_COMMITS) {
    return yield* unverified("too_many_commits", `${history.length} commits are more than ${MOST_COMMITS}`)
  }
  for (const { id, author, committer } of history) {
    for (const [who, person] of [
      ["author", author],
      ["committer", committer]
    ] as const) {
      if (isPlainText(person.name) && isPlainText(person.email)) continue
      return yield* unverified(
        who,
        `the ${who} of ${id.slice(0, 12)} is no plain text`,
        "set user.name and user.email to plain text, and make the commit again"
      )
    }
  }
  return history.map(({ id }) => id)
})

const changedFiles = Effect.fnUntraced(function* (gitDir: string, base: string, head: string) {
  const git = yield* Git
  const output = yield* git
    .run(
      [
        "diff-tree",
        "-r",
        "-z",
        "--numstat",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        "--ignore-submodules=none",
        base,
        head
      ],
      {
        cwd: gitDir
      }
    )
    .pipe(Effect.mapError(workBroke("counting the changes")))
  return changes.parseNumstat(output)
})

export const restOfWorkspace = Effect.fnUntraced(function* (
  gitDir: string,
  work: Pick<HandoffRequest, "workspace">,
  head: string,
  tree: string
) {
  return yield* captureRest(yield* Git, yield* SafeFiles, gitDir, head, tree, work.workspace)
})

/** Commits in a repository of ours. */
export interface Work {
  readonly gitDir: string
  /** Tip of the base branch. */
  readonly tip: string
  readonly head: string
  /** Where the work starts, when that was settled before; null: where it left the base branch. */
  readonly base: string | null
}

/**
 * Checks imported commits: they start from the base, change something, hold no path or mode that reaches out
 * of the tree, and come through `git format-patch` and `git am` unchanged. Reads repositories of ours only.
 */
export const verifyCommits = Effect.fn("verifyCommits")(
  function* <E, R>(work: Work, readRest: (head: string, tree: string) => Effect.Effect<Rest, E, R>) {
    const git = yield* Git
    const { gitDir, head } = work
    const base = work.base ?? (yield* mergeBase(work))
    yield* checkSize(gitDir, head)
    if (base === head) {
      const rest = yield* readRest(head, yield* checkout(git, gitDir, head))
      return { base, head, series: null, files: [], flags: restFlags(rest), rest } satisfies Verified
    }
    const commits = yield* checkCommits(gitDir, base, head)
    const touchedPaths = yield* touched(gitDir, commits)
    const links = yield* checkPaths(gitDir, touchedPaths)
    yield* checkContents(gitDir, touchedPaths)
    const files = yield* changedFiles(gitDir, base, head)
    if (files.length === 0) {
      return yield* unverified("empty_diff", "the commits change nothing", "commit the work itself")
    }
    const tree = yield* checkout(git, gitDir, base)
    const series = yield* proveSeries(git, gitDir, base, head, tree)
    const rest = yield* readRest(head, tree)
    const flags = [
      ...protectedFlags(touchedPaths),
      ...links,
      ...seriesFlags(series),
      ...restFlags(rest),
      ...(yield* baseFlags(work, base))
    ]
    return { base, head, series, files, flags, rest } satisfies Verified
  },
  Effect.scoped,
  Effect.timeoutOrElse({
    duration: TIME,
    orElse: () =>
      Effect.fail(
        unverified(
          "timeout",
          `the work could not be checked within ${Duration.toMinutes(TIME)} minutes`,
          "commit less: take what was generated or downloaded out of the commits and the workspace"
        )
      )
  })
)

import { Effect, FileSystem, type Scope } from "effect"
import { fileBroke, unverified, workBroke } from "./failures.ts"
import type { CommandError } from "./command.ts"
import type { Git } from "./Git.ts"
import { type Commit, readHistory } from "./history.ts"
import { quotedPrintable } from "./mbox.ts"
import { safeMessage, sameMessage } from "./messages.ts"
import type { HandoffError } from "./Handoff.ts"
import { passingPrefix } from "./quarantine.ts"

const SERIES_LIMIT = 128 * 1024 * 1024

/** A series of patches that was applied to a clean base and gave the same commits. */
export interface Series {
  /** The commit that is delivered: the agent's, or its copy where a message had to be rewritten. */
  readonly head: string
  readonly mbox: Uint8Array
  /** In the series, oldest first. */
  readonly commits: ReadonlyArray<Commit>
  /** Ids of the agent's commits whose message is not delivered as it was written. */
  readonly rewritten: ReadonlyArray<string>
  /** Merges and commits without a change: in the bundle, not in the series. */
  readonly bundleOnly: ReadonlyArray<string>
}

const spoken = (person: Commit["author"]): string => `${person.name}\0${person.email}\0${person.date}`

/** Copies commits from the first one on whose message has to change; trees, people and dates stay. */
const rewrite = Effect.fnUntraced(function* (
  git: Git["Service"],
  gitDir: string,
  history: ReadonlyArray<Commit>,
  head: string
) {
  const copies = new Map<string, string>()
  const rewritten: Array<string> = []
  for (const commit of history) {
    const message = safeMessage(commit.message)
    const changed = !sameMessage(message, commit.message)
    if (changed) rewritten.push(commit.id)
    if (!changed && commit.parents.every((parent) => !copies.has(parent))) continue
    const copy = yield* git.text(
      [
        "commit-tree",
        ...commit.parents.flatMap((parent) => ["-p", copies.get(parent) ?? parent]),
        "-F",
        "-",
        commit.tree
      ],
      {
        cwd: gitDir,
        stdin: message,
        env: {
          GIT_AUTHOR_NAME: commit.author.name,
          GIT_AUTHOR_EMAIL: commit.author.email,
          GIT_AUTHOR_DATE: `@${commit.author.date}`,
          GIT_COMMITTER_NAME: commit.committer.name,
          GIT_COMMITTER_EMAIL: commit.committer.email,
          GIT_COMMITTER_DATE: `@${commit.committer.date}`
        }
      }
    )
    copies.set(commit.id, copy)
  }
  return { head: copies.get(head) ?? head, rewritten }
})

const formatPatch = (git: Git["Service"], gitDir: string, base: string, head: string) =>
  git.run(
    [
      "format-patch",
      "--stdout",
      "--binary",
      "--full-index",
      "--no-attach",
      "--no-thread",
      "--no-notes",
      "--no-signature",
      "--no-ext-diff",
      "--no-textconv",
      "--no-cover-letter",
      "--topo-order",
      "--end-of-options",
      `${base}..${head}`,
      "--"
    ],
    { cwd: gitDir, maxOutput: SERIES_LIMIT }
  )

/** What applying the series changed, in words; null: nothing. Trees are compared where each commit has its own. */
export const notTheSame = (
  expected: ReadonlyArray<Commit>,
  applied: ReadonlyArray<Commit>,
  linear: boolean
): string | null => {
  if (expected.length !== applied.length) {
    return `${expected.length} commits became ${applied.length}`
  }
  for (const [index, commit] of expected.entries()) {
    const other = applied[index]
    if (other === undefined) continue
    if (spoken(commit.author) !== spoken(other.author))
      return `the author or date of ${commit.id.slice(0, 12)} changed`
    if (!sameMessage(commit.message, other.message)) return `the message of ${commit.id.slice(0, 12)} changed`
    if (linear && commit.tree !== other.tree) return `the content of ${commit.id.slice(0, 12)} changed`
  }
  return null
}

const unproven = (why: string, merges: boolean): HandoffError =>
  merges
    ? unverified(
        "merge_commits",
        `the history has merges and cannot be handed over as a series of patches: ${why}`,
        "make the history linear: git rebase onto the base commit"
      )
    : unverified(
        "roundtrip",
        `the commits do not come through git format-patch and git am unchanged: ${why}`,
        "make plain commits with an ordinary author and a message of plain text"
      )

/** A clean checkout of a commit, in a repository of its own that borrows the quarantine's objects. */
export const checkout = Effect.fn("checkout")(function* (
  git: Git["Service"],
  gitDir: string,
  commit: string
): Effect.fn.Return<string, HandoffError, FileSystem.FileSystem | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const tree = yield* fs
    .makeTempDirectoryScoped({ directory: `${gitDir}/..`, prefix: passingPrefix("proof") })
    .pipe(Effect.mapError(fileBroke))
  const broke = Effect.mapError(workBroke("checking out a clean base"))
  yield* git
    .run(["init", "-q", "--template=", "--object-format=sha1", "--initial-branch=proof", tree], { cwd: tree })
    .pipe(broke)
  yield* fs
    .makeDirectory(`${tree}/.git/objects/info`, { recursive: true })
    .pipe(
      Effect.andThen(fs.writeFileString(`${tree}/.git/objects/info/alternates`, `${gitDir}/objects\n`)),
      Effect.mapError(fileBroke)
    )
  yield* git.run(["checkout", "-q", "--detach", "--no-recurse-submodules", commit], { cwd: tree }).pipe(broke)
  return tree
})

/**
 * Makes the series of patches and proves it: applied with plain `git am` to a clean checkout of the base, it
 * gives the same number of commits, with the same trees, authors, dates and messages. `tree` is that checkout
 * and holds the result afterwards.
 */
export const proveSeries = Effect.fn("proveSeries")(function* (
  git: Git["Service"],
  gitDir: string,
  base: string,
  agentHead: string,
  tree: string
) {
  const broke = <A>(effect: Effect.Effect<A, CommandError>) =>
    Effect.mapError(effect, workBroke("making the patches"))
  const original = yield* broke(readHistory(git, gitDir, base, agentHead))
  const { head, rewritten } = yield* rewrite(git, gitDir, original, agentHead).pipe(
    Effect.mapError((error) =>
      error.reason === "exit" ? unproven(error.detail, false) : workBroke("rewriting messages")(error)
    )
  )
  const history = yield* broke(readHistory(git, gitDir, base, head))
  const trees = new Map(history.map((commit) => [commit.id, commit.tree]))
  const baseTree = yield* broke(git.text(["rev-parse", `${base}^{tree}`], { cwd: gitDir }))
  const isCarried = (commit: Commit): boolean =>
    commit.parents.length === 1 && (trees.get(commit.parents[0] ?? "") ?? baseTree) !== commit.tree
  const commits = history.filter(isCarried)
  const bundleOnly = history.filter((commit) => !isCarried(commit)).map(({ id }) => id)
  const merges = history.some(({ parents }) => parents.length > 1)

  const mbox = quotedPrintable(yield* broke(formatPatch(git, gitDir, base, head)))
  yield* git
    .run(["am", "-q"], { cwd: tree, stdin: mbox })
    .pipe(
      Effect.mapError((error) =>
        error.reason === "exit" ? unproven(error.detail, merges) : workBroke("applying the patches")(error)
      )
    )
  const applied = yield* broke(readHistory(git, tree, base, "HEAD"))
  const wrong = notTheSame(commits, applied, !merges)
  if (wrong !== null) return yield* unproven(wrong, merges)
  const [delivered, result] = yield* broke(
    Effect.all([
      git.text(["rev-parse", `${head}^{tree}`], { cwd: gitDir }),
      git.text(["rev-parse", "HEAD^{tree}"], { cwd: tree })
    ])
  )
  if (delivered !== result) return yield* unproven("the resulting files differ", merges)
  return { head, mbox, commits, rewritten, bundleOnly } satisfies Series
})

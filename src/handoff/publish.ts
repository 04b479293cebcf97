import { Effect } from "effect"
import { printableLine } from "../domain/printable.ts"
import type { Operator } from "../workflow/Operator.ts"
import type { CommandError } from "./command.ts"
import { forgeFailure, gitBroke, pushFailure, sourceFailure } from "./failures.ts"
import { Forge } from "./Forge.ts"
import { Git, type GitOptions } from "./Git.ts"
import type { Exported, HandoffError, HandoffRequest, Published } from "./Handoff.ts"
import { readHistory } from "./history.ts"
import { renderPullRequest } from "./report.ts"

export interface PublishInput {
  readonly operator: Operator["Service"]
  readonly request: HandoffRequest
  readonly exported: Exported
  readonly gitDir: string
}

/** Git asks the operator's gh for the login, and nobody else. */
const LOGIN = ["-c", "credential.helper=", "-c", "credential.helper=!gh auth git-credential"]

const remote = (gitDir: string): GitOptions => ({ cwd: gitDir, network: ["https"] })

/** `owner/name` is on GitHub; a path or `file://` address is what it says. */
const addressOf = (repository: string): string =>
  /^[A-Za-z0-9][\w.-]*\/[\w.-]+$/.test(repository) ? `https://github.com/${repository}.git` : repository

const withoutLogin = (repository: string): string => repository.replace(/(?<=\/\/).*@/, "…@")

const repositoryOf = Effect.fnUntraced(function* ({ repository }: Operator["Service"]) {
  if (repository === null) {
    return yield* sourceFailure(
      "no_repository",
      "handoff.mode is pull_request and SYMPHONY_REPO is not set",
      "set SYMPHONY_REPO to owner/name, or handoff.mode to patch"
    )
  }
  const address = addressOf(repository)
  if (/^(?:https:\/\/github\.com\/|\/|file:\/\/\/)/.test(address)) return { repository, address }
  return yield* sourceFailure(
    "repository_name",
    `SYMPHONY_REPO is not owner/name: ${printableLine(withoutLogin(repository), 80)}`
  )
})

const kept = "the patch and the bundle are written, and the workspace is kept"

const remoteBroke = (error: CommandError): HandoffError =>
  error.reason === "spawn"
    ? gitBroke("looking at the remote")(error)
    : pushFailure("remote", `the remote does not answer: ${error.detail}`, kept)

/** The commit of exactly this branch at the remote; null: it has none. Not knowing is a failure. */
const seenAt = Effect.fnUntraced(function* (gitDir: string, address: string, branch: string) {
  const git = yield* Git
  const ref = `refs/heads/${branch}`
  const answer = yield* git
    .text([...LOGIN, "ls-remote", "--refs", "--end-of-options", address, ref], remote(gitDir))
    .pipe(Effect.mapError(remoteBroke))
  const line = answer.split("\n").find((text) => text.endsWith(`\t${ref}`))
  return line === undefined ? null : line.slice(0, line.indexOf("\t"))
})

/** Once before the first dispatch: what a finished run would stumble over. */
export const checkForge = Effect.fn("checkForge")(function* (operator: Operator["Service"], gitDir: string) {
  const { address, repository } = yield* repositoryOf(operator)
  const forge = yield* Forge
  yield* forge.check
  if ((yield* seenAt(gitDir, address, operator.baseBranch)) === null) {
    return yield* sourceFailure(
      "no_remote_base",
      `${printableLine(repository, 80)} has no branch ${operator.baseBranch} to open pull requests against`,
      "push it there, or set SYMPHONY_BASE_BRANCH"
    )
  }
})

/** A pull request is about the agent's commits alone: what they start from has to be at the remote already. */
const requireBase = Effect.fnUntraced(function* (
  gitDir: string,
  address: string,
  { baseBranch }: Operator["Service"],
  base: string
) {
  const git = yield* Git
  const there = `refs/remotes/published/${baseBranch}`
  yield* git
    .run(
      [
        ...LOGIN,
        "fetch",
        "-q",
        "--no-tags",
        "--end-of-options",
        address,
        `+refs/heads/${baseBranch}:${there}`
      ],
      remote(gitDir)
    )
    .pipe(Effect.mapError(remoteBroke))
  const isThere = yield* git
    .ask(["merge-base", "--is-ancestor", base, there], { cwd: gitDir })
    .pipe(Effect.mapError(gitBroke("comparing with the base at the remote")))
  if (!isThere) {
    return yield* pushFailure(
      "base_not_published",
      `${baseBranch} here has commits that ${baseBranch} at the remote does not have; the pull request would carry them`,
      `${kept}; push ${baseBranch}, then run symphony handoff`
    )
  }
})

/** What the remote has may be replaced when it is contained in our commits, or was pushed by us before. */
const isOurs = Effect.fnUntraced(function* (gitDir: string, seen: string, head: string) {
  const git = yield* Git
  const broke = Effect.mapError(gitBroke("comparing with the remote branch"))
  const known = yield* git.run(["cat-file", "-e", `${seen}^{commit}`], { cwd: gitDir }).pipe(
    Effect.as(true),
    Effect.catchTag("CommandError", (error) =>
      error.reason === "exit" ? Effect.succeed(false) : Effect.fail(gitBroke("reading the quarantine")(error))
    )
  )
  if (!known) return false
  if (yield* git.ask(["merge-base", "--is-ancestor", seen, head], { cwd: gitDir }).pipe(broke)) return true
  const delivered = yield* git
    .text(["for-each-ref", `--points-at=${seen}`, "--format=%(refname)", "refs/delivered/"], { cwd: gitDir })
    .pipe(broke)
  return delivered !== ""
})

/** Pushes with the lease pinned to what was seen. Being there already is a success, also when the answer was lost. */
const push = Effect.fnUntraced(function* (gitDir: string, address: string, branch: string, head: string) {
  const git = yield* Git
  const seen = yield* seenAt(gitDir, address, branch)
  if (seen === head) return
  if (seen !== null && !(yield* isOurs(gitDir, seen, head))) {
    return yield* pushFailure(
      "foreign_commits",
      `${branch} at the remote has commits of someone else (${seen.slice(0, 12)})`,
      `${kept}; rename or remove the branch at the remote, then run symphony handoff`
    )
  }
  yield* git
    .run(
      [
        ...LOGIN,
        "push",
        "-q",
        "--no-verify",
        "--no-signed",
        `--force-with-lease=refs/heads/${branch}:${seen ?? ""}`,
        "--end-of-options",
        address,
        `${head}:refs/heads/${branch}`
      ],
      remote(gitDir)
    )
    .pipe(
      Effect.asVoid,
      Effect.catchTag("CommandError", (error) =>
        Effect.flatMap(seenAt(gitDir, address, branch), (now) =>
          now === head
            ? Effect.void
            : Effect.fail(
                pushFailure(
                  "push",
                  `the remote refuses ${branch}: ${error.detail}`,
                  `${kept}; run symphony handoff when it is mended`
                )
              )
        )
      )
    )
})

const titleOf = ({ identifier, title }: HandoffRequest): string => {
  const line = printableLine(title, 200)
  const prefix = printableLine(identifier, 80)
  return line.toLowerCase().startsWith(`${prefix.toLowerCase()}:`) ? line : `${prefix}: ${line}`
}

/**
 * One branch, one pull request: pushes what was exported from the quarantine, then updates the open pull
 * request of the branch or opens one; one that was merged or closed with this commit is not opened again. Every
 * step looks first whether it was done already.
 */
export const publish = Effect.fn("publish")(function* ({
  operator,
  request,
  exported,
  gitDir
}: PublishInput) {
  const { head } = exported
  if (head === null) return { url: null, head: exported.base } satisfies Published
  const git = yield* Git
  const forge = yield* Forge
  const { repository, address } = yield* repositoryOf(operator)
  yield* requireBase(gitDir, address, operator, exported.base)
  yield* push(gitDir, address, request.branch, head)
  const commits = yield* readHistory(git, gitDir, exported.base, head).pipe(
    Effect.mapError(gitBroke("reading the history"))
  )
  const text = { title: titleOf(request), body: renderPullRequest({ ...exported, request, commits }) }
  const known = yield* forge.find(repository, request.branch, head)
  if (known !== null) {
    if (known.isOpen) yield* forge.update(repository, known, text)
    return { url: known.url, head } satisfies Published
  }
  // The answer may be lost, or somebody may have opened it meanwhile: whether it is there decides.
  const created = yield* Effect.result(forge.create(repository, request.branch, operator.baseBranch, text))
  const now = yield* forge.find(repository, request.branch, head)
  if (now !== null) return { url: now.url, head } satisfies Published
  if (created._tag === "Failure") return yield* created.failure
  return yield* forgeFailure(
    "create",
    "gh opened a pull request that it does not list",
    "run symphony handoff again"
  )
})

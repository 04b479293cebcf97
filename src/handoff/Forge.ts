import { Config, Context, Effect, Layer, Schema } from "effect"
import { ProcessTable } from "../processes/ProcessTable.ts"
import { makeRunCommand } from "./command.ts"
import { forgeFailure, sourceFailure } from "./failures.ts"
import type { HandoffError } from "./Handoff.ts"

export interface PullRequest {
  readonly number: number
  readonly url: string
  readonly isOpen: boolean
}

export interface PullRequestText {
  readonly title: string
  readonly body: string
}

const ListedPullRequests = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({
      number: Schema.Int,
      url: Schema.String,
      state: Schema.Literals(["OPEN", "MERGED", "CLOSED"]),
      headRefOid: Schema.String,
      /** From a fork: gh lists those whose branch only has the same name. */
      isCrossRepository: Schema.Boolean
    })
  )
)

/** Where pull requests live. Speaks through the operator's own `gh`, which keeps the login; we never see it. */
export class Forge extends Context.Service<
  Forge,
  {
    /** Whether `gh` is there and logged in. */
    readonly check: Effect.Effect<void, HandoffError>
    /**
     * The pull request of a branch of this very repository: the open one, else one that is ended and was about the
     * commit `head`; null when there is none. Branches of forks may be called the same.
     */
    readonly find: (
      repository: string,
      branch: string,
      head: string
    ) => Effect.Effect<PullRequest | null, HandoffError>
    readonly create: (
      repository: string,
      branch: string,
      base: string,
      text: PullRequestText
    ) => Effect.Effect<void, HandoffError>
    readonly update: (
      repository: string,
      pullRequest: PullRequest,
      text: PullRequestText
    ) => Effect.Effect<void, HandoffError>
  }
>()("symphony/handoff/Forge") {
  static readonly layer = Layer.effect(
    Forge,
    Effect.gen(function* () {
      const runCommand = yield* makeRunCommand
      const path = yield* Config.String("PATH").pipe(Config.withDefault("/usr/local/bin:/usr/bin:/bin"))

      const gh = (args: ReadonlyArray<string>, stdin?: string) =>
        runCommand({
          program: "gh",
          args,
          cwd: "/",
          env: {
            PATH: path,
            GH_PROMPT_DISABLED: "1",
            GH_NO_UPDATE_NOTIFIER: "1",
            NO_COLOR: "1",
            GH_REPO: undefined
          },
          extendEnv: true,
          stdin,
          maxOutput: 1024 * 1024,
          timeoutMs: 60_000
        })

      const find = Effect.fn("Forge.find")(function* (repository: string, branch: string, head: string) {
        const output = yield* gh([
          "pr",
          "list",
          "--repo",
          repository,
          "--head",
          branch,
          "--state",
          "all",
          "--json",
          "number,url,state,headRefOid,isCrossRepository",
          "--limit",
          "100"
        ]).pipe(
          Effect.mapError((error) => forgeFailure("list", `gh cannot list pull requests: ${error.detail}`))
        )
        const listed = yield* Schema.decodeEffect(ListedPullRequests)(
          Buffer.from(output).toString("utf8")
        ).pipe(
          Effect.mapError(() =>
            forgeFailure("list", "gh answered with something else than a list of pull requests")
          )
        )
        const ours = listed.filter(({ isCrossRepository }) => !isCrossRepository)
        const found =
          ours.find(({ state }) => state === "OPEN") ?? ours.find(({ headRefOid }) => headRefOid === head)
        return found === undefined
          ? null
          : { number: found.number, url: found.url, isOpen: found.state === "OPEN" }
      })

      return Forge.of({
        check: gh(["auth", "status"]).pipe(
          Effect.asVoid,
          Effect.mapError((error) =>
            error.reason === "spawn"
              ? sourceFailure(
                  "no_gh",
                  "gh is not installed",
                  "install the GitHub CLI, or set handoff.mode: patch"
                )
              : sourceFailure(
                  "no_login",
                  `gh is not logged in: ${error.detail}`,
                  "run gh auth login, or set handoff.mode: patch"
                )
          )
        ),
        find,
        create: (repository, branch, base, { title, body }) =>
          gh(
            [
              "pr",
              "create",
              "--repo",
              repository,
              "--head",
              branch,
              "--base",
              base,
              `--title=${title}`,
              "--body-file=-"
            ],
            body
          ).pipe(
            Effect.asVoid,
            Effect.mapError((error) =>
              forgeFailure("create", `gh cannot open a pull request: ${error.detail}`)
            )
          ),
        update: (repository, { number }, { title, body }) =>
          gh(
            ["pr", "edit", String(number), "--repo", repository, `--title=${title}`, "--body-file=-"],
            body
          ).pipe(
            Effect.asVoid,
            Effect.mapError((error) =>
              forgeFailure("update", `gh cannot update pull request ${number}: ${error.detail}`)
            )
          )
      })
    })
  ).pipe(Layer.provide(ProcessTable.layer))
}

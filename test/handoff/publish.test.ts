import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { makeRunId } from "../../src/domain/ids.ts"
import { Handoff } from "../../src/handoff/Handoff.ts"
import { bob, commit, git } from "../support/repository.ts"
import { handoffWith, world, type World } from "./environment.ts"
import { makeForge, pushAsSomebody, type StandInForge } from "./forge.ts"

const at = (remote: string, branch: string): string | null => {
  const answer = git(remote, ["for-each-ref", "--format=%(objectname)", `refs/heads/${branch}`]).trim()
  return answer === "" ? null : answer
}

const withForge = <A, E>(
  use: (here: World, forge: StandInForge, handoff: Handoff["Service"]) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const here = yield* world()
    const forge = makeForge(here)
    commit(here.workspace, "Say hello\n", { "hello.txt": "hello\n" })
    return yield* Effect.gen(function* () {
      return yield* use(here, forge, yield* Handoff)
    }).pipe(Effect.provide(handoffWith(forge.env)))
  })

describe("publishing an exported run", () => {
  it.live("pushes the very commits and opens one pull request; again, it only updates it", () =>
    withForge((here, forge, handoff) =>
      Effect.gen(function* () {
        const exported = yield* handoff.exportRun(here.request)
        const first = yield* handoff.publish(here.request, exported)
        assert.deepEqual(first, { url: "https://forge.test/pull/7", head: exported.head ?? "" })
        assert.strictEqual(at(forge.remote, here.branch), exported.head)
        assert.deepEqual(yield* handoff.publish(here.request, exported), first)
        assert.strictEqual(forge.opened().length, 1)
        assert.include(forge.opened()[0], "--title=DEMO-1: Greet the world")
        assert.include(forge.opened()[0], "--base main")
        assert.include(forge.body(), "Said hello.")
        assert.notInclude(forge.body(), here.root)
      })
    )
  )

  it.live("opens one pull request whichever call fails, before or after its work", () =>
    withForge((here, forge, handoff) =>
      Effect.gen(function* () {
        const exported = yield* handoff.exportRun(here.request)
        for (const [call, when, reason] of [
          ["list", "before", "forge"],
          ["create", "before", "forge"],
          ["create", "after", null],
          ["edit", "before", "forge"],
          ["edit", "after", "forge"]
        ] as const) {
          forge.fail(call, when)
          const outcome = yield* Effect.result(handoff.publish(here.request, exported))
          assert.strictEqual(
            outcome._tag === "Failure" ? outcome.failure.reason : null,
            reason,
            `${call} ${when}`
          )
          forge.fail(call, null)
        }
        yield* handoff.publish(here.request, exported)
        assert.strictEqual(forge.opened().length, 1)
        assert.strictEqual(at(forge.remote, here.branch), exported.head)
      })
    )
  )

  for (const when of ["before", "after"] as const)
    it.live(`leaves one pull request of the very commits when it dies ${when} any of its commands`, () =>
      withForge((here, forge, handoff) =>
        Effect.gen(function* () {
          const exported = yield* handoff.exportRun(here.request)
          let commands = 0
          const dying = (nth: number) =>
            Effect.gen(function* () {
              const mortal = yield* Handoff
              return yield* Effect.exit(mortal.publish(here.request, exported))
            }).pipe(
              Effect.provide(
                handoffWith(forge.env, (n) => {
                  commands = n
                  return n === nth ? when : null
                }),
                { local: true }
              )
            )
          yield* dying(Infinity)
          assert.isAbove(commands, 6)
          for (let nth = 1; nth <= commands; nth++) {
            forge.forget()
            const died = yield* dying(nth)
            assert.isTrue(Exit.isFailure(died), `it did not die at ${nth}`)
            const { url } = yield* handoff.publish(here.request, exported)
            assert.strictEqual(url, "https://forge.test/pull/7")
            assert.strictEqual(forge.opened().length, 1, `died ${when} ${nth}`)
            assert.strictEqual(at(forge.remote, here.branch), exported.head)
          }
        })
      )
    )

  it.live("replaces what it pushed itself, and nothing of anybody else", () =>
    withForge((here, forge, handoff) =>
      Effect.gen(function* () {
        yield* handoff.publish(here.request, yield* handoff.exportRun(here.request))
        git(here.workspace, ["reset", "-q", "--hard", "HEAD~1"])
        commit(here.workspace, "Say it again\n", { "hello.txt": "again\n" })
        const next = { ...here.request, runId: makeRunId(1, 2) }
        const exported = yield* handoff.exportRun(next)
        yield* handoff.publish(next, exported)
        assert.strictEqual(at(forge.remote, here.branch), exported.head)

        const theirs = pushAsSomebody(here, forge.remote, here.branch, bob)
        const error = yield* Effect.flip(handoff.publish(next, exported))
        assert.deepInclude(error, { reason: "push", code: "foreign_commits" })
        assert.strictEqual(at(forge.remote, here.branch), theirs)
        assert.isTrue(fs.existsSync(exported.patch ?? ""))
      })
    )
  )

  it.live("never overwrites what somebody pushes meanwhile, at whatever moment", () =>
    withForge((here, forge, handoff) =>
      Effect.gen(function* () {
        yield* handoff.publish(here.request, yield* handoff.exportRun(here.request))
        git(here.workspace, ["reset", "-q", "--hard", "HEAD~1"])
        commit(here.workspace, "Say it again\n", { "hello.txt": "again\n" })
        const next = { ...here.request, runId: makeRunId(1, 2) }
        const exported = yield* handoff.exportRun(next)
        const before = at(forge.remote, here.branch) ?? ""
        let commands = 0
        const meddled = (nth: number) => {
          let theirs = ""
          return Effect.gen(function* () {
            const service = yield* Handoff
            yield* Effect.exit(service.publish(next, exported))
            return theirs
          }).pipe(
            Effect.provide(
              handoffWith(forge.env, (n) => {
                commands = n
                if (n === nth) theirs = pushAsSomebody(here, forge.remote, here.branch, bob)
                return null
              }),
              { local: true }
            )
          )
        }
        yield* meddled(Infinity)
        for (let nth = 1; nth <= commands; nth++) {
          git(forge.remote, ["update-ref", `refs/heads/${here.branch}`, before])
          const theirs = yield* meddled(nth)
          assert.strictEqual(at(forge.remote, here.branch), theirs, `at ${nth}`)
        }
      })
    )
  )

  it.live("takes no pull request from a fork for ours, and opens none again that was merged", () =>
    withForge((here, forge, handoff) =>
      Effect.gen(function* () {
        forge.openFromFork()
        const exported = yield* handoff.exportRun(here.request)
        assert.strictEqual((yield* handoff.publish(here.request, exported)).url, "https://forge.test/pull/7")
        assert.isFalse(forge.calls().some((call) => call.startsWith("pr edit 6")))
        forge.merge()
        assert.strictEqual((yield* handoff.publish(here.request, exported)).url, "https://forge.test/pull/7")
        assert.strictEqual(forge.opened().length, 1)
      })
    )
  )

  it.live("carries no commit of the operator that is not at the remote", () =>
    withForge((here, forge, handoff) =>
      Effect.gen(function* () {
        commit(here.source, "Private\n", { "private.txt": "private\n" })
        git(here.workspace, ["pull", "-q", "--rebase", here.source, "main"])
        const exported = yield* handoff.exportRun(here.request)
        const error = yield* Effect.flip(handoff.publish(here.request, exported))
        assert.deepInclude(error, { reason: "push", code: "base_not_published" })
        assert.isNull(at(forge.remote, here.branch))
        git(here.source, ["push", "-q", forge.remote, "main"])
        yield* handoff.publish(here.request, exported)
        assert.strictEqual(forge.opened().length, 1)
      })
    )
  )

  it.live("keeps patch and bundle when the remote is not there, and publishes once it is", () =>
    withForge((here, forge, handoff) =>
      Effect.gen(function* () {
        const exported = yield* handoff.exportRun(here.request)
        fs.renameSync(forge.remote, `${forge.remote}.away`)
        const error = yield* Effect.flip(handoff.publish(here.request, exported))
        assert.deepInclude(error, { reason: "push", code: "remote" })
        assert.isTrue(fs.existsSync(exported.bundle ?? ""))
        fs.renameSync(`${forge.remote}.away`, forge.remote)
        yield* handoff.publish(here.request, exported)
        assert.strictEqual(forge.opened().length, 1)
      })
    )
  )

  it.live("is checked before the first dispatch: a repository, gh, and its login", () =>
    withForge((here, forge, handoff) =>
      Effect.gen(function* () {
        yield* handoff.check(here.request.workflow)
        forge.fail("auth", "before")
        assert.strictEqual((yield* Effect.flip(handoff.check(here.request.workflow))).code, "no_login")
        const code = (env: Readonly<Record<string, string>>) =>
          Effect.gen(function* () {
            const service = yield* Handoff
            return (yield* Effect.flip(service.check(here.request.workflow))).code
          }).pipe(Effect.provide(handoffWith(env), { local: true }))
        assert.strictEqual(yield* code({ SYMPHONY_REPO: "not a name" }), "repository_name")
      })
    )
  )

  it.live("a login that stands in SYMPHONY_REPO is not repeated", () =>
    withForge((here) =>
      Effect.gen(function* () {
        const service = yield* Handoff
        const error = yield* Effect.flip(service.check(here.request.workflow))
        assert.strictEqual(error.code, "repository_name")
        assert.notInclude(error.message, "s3cret")
        assert.include(error.message, "github.com/owner/name")
      }).pipe(
        Effect.provide(handoffWith({ SYMPHONY_REPO: "https://me:s3cret@github.com/owner/name" }), {
          local: true
        })
      )
    )
  )
})

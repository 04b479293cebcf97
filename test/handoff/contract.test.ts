import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Ref } from "effect"
import { makeRunId } from "../../src/domain/ids.ts"
import { forgeFailure } from "../../src/handoff/failures.ts"
import { Handoff } from "../../src/handoff/Handoff.ts"
import * as MemoryHandoff from "../../src/handoff/MemoryHandoff.ts"
import { commit, git, writeFiles } from "../support/repository.ts"
import { handoffWith, makeWorld, type World } from "./environment.ts"
import { makeForge } from "./forge.ts"

/** How the two layers come to the same situation. */
interface Bench {
  readonly request: World["request"]
  readonly commit: Effect.Effect<void>
  readonly leaveUncommitted: Effect.Effect<void>
  readonly pullRequests: Effect.Effect<number>
  /** What a reader would find. */
  readonly written: Effect.Effect<ReadonlyArray<string>>
  readonly layer: Layer.Layer<Handoff, unknown>
}

const scopedWorld = Effect.acquireRelease(
  Effect.sync(() => makeWorld()),
  ({ root }) => Effect.sync(() => fs.rmSync(root, { recursive: true, force: true }))
)

const gitBench = Effect.map(scopedWorld, (here): Bench => {
  const forge = makeForge(here)
  let count = 0
  return {
    request: here.request,
    commit: Effect.sync(() => {
      count += 1
      commit(here.workspace, `Commit ${count}\n`, { "work.txt": `${count}\n` })
    }),
    leaveUncommitted: Effect.sync(() => writeFiles(here.workspace, { "work.txt": "not yet\n" })),
    pullRequests: Effect.sync(() => forge.opened().length),
    written: Effect.sync(() => {
      const quarantine = `${here.source}/.symphony/quarantine`
      const refs = git(`${quarantine}/repository.git`, ["for-each-ref", "--format=%(refname)"])
      return [
        ...(fs.existsSync(here.patches) ? fs.readdirSync(here.patches) : []),
        ...fs.readdirSync(quarantine).filter((name) => name !== "repository.git"),
        ...refs.split("\n").filter((ref) => ref !== "" && ref !== "refs/base/main")
      ]
    }),
    layer: handoffWith(forge.env)
  }
})

const memoryBench = Effect.map(scopedWorld, (here): Bench => {
  const memory = MemoryHandoff.makeWorld()
  const { identifier } = here.request
  let commits = 0
  const leave = (uncommitted: ReadonlyArray<string>) =>
    Effect.suspend(() =>
      MemoryHandoff.setWork(memory, identifier, { head: `head-${commits}`, commits, uncommitted })
    )
  return {
    request: here.request,
    commit: Effect.suspend(() => {
      commits += 1
      return leave([])
    }),
    leaveUncommitted: leave(["work.txt"]),
    pullRequests: Effect.map(Ref.get(memory.pullRequests), (open) => open.size),
    written: Ref.get(memory.made),
    layer: Layer.unwrap(Effect.as(leave([]), MemoryHandoff.layer(memory)))
  }
})

const suite = (name: string, makeBench: typeof gitBench) => {
  const withBench = <E>(use: (bench: Bench, handoff: Handoff["Service"]) => Effect.Effect<void, E>) =>
    Effect.gen(function* () {
      const bench = yield* makeBench
      yield* Effect.gen(function* () {
        yield* use(bench, yield* Handoff)
      }).pipe(Effect.provide(bench.layer))
    })

  describe(`Handoff, ${name}`, () => {
    it.live("shows what was exported, and nothing before", () =>
      withBench((bench, handoff) =>
        Effect.gen(function* () {
          const { runId, workflow } = bench.request
          assert.isNull(yield* handoff.diff(workflow, runId, null))
          yield* bench.commit
          const exported = yield* handoff.exportRun(bench.request)
          assert.deepStrictEqual((yield* handoff.diff(workflow, runId, null))?.exported, exported)
        })
      )
    )

    it.live(
      "shows a change as a whole and commit by commit; a commit it does not have is no part of it",
      () =>
        withBench((bench, handoff) =>
          Effect.gen(function* () {
            const { runId, workflow } = bench.request
            yield* bench.commit
            yield* bench.commit
            yield* handoff.exportRun(bench.request)
            const whole = yield* handoff.diff(workflow, runId, null)
            const commits = whole?.commits ?? []
            assert.deepStrictEqual(
              commits.map(({ subject }) => subject),
              ["Commit 1", "Commit 2"]
            )
            assert.strictEqual(commits[1]?.id, whole?.exported.head)
            const [first, second] = yield* Effect.forEach(commits, ({ id }) =>
              handoff.diff(workflow, runId, id)
            )
            assert.deepStrictEqual([first?.commit, second?.commit], [commits[0]?.id, commits[1]?.id])
            assert.strictEqual(new Set([whole?.patch, first?.patch, second?.patch]).size, 3)
            assert.deepStrictEqual(yield* handoff.diff(workflow, runId, "main"), whole)
            const [seen, before] = [
              yield* handoff.preview(bench.request, commits[0]?.id ?? null),
              yield* handoff.preview(bench.request, "main")
            ]
            assert.deepStrictEqual(
              [seen.commits, seen.commit, seen.patch],
              [commits, commits[0]?.id, first?.patch]
            )
            assert.deepStrictEqual([before.commit, before.patch], [null, whole?.patch])
          })
        )
    )

    it.live(
      "shows what would be handed over before anything is, and what would not; keeps nothing of it",
      () =>
        withBench((bench, handoff) =>
          Effect.gen(function* () {
            const { runId, workflow } = bench.request
            const nothing = yield* handoff.preview(bench.request, null)
            assert.deepInclude(nothing, {
              head: null,
              commits: [],
              uncommitted: [],
              refusal: null,
              patch: ""
            })
            yield* bench.commit
            const clean = yield* handoff.preview(bench.request, null)
            assert.deepInclude(clean, {
              uncommitted: [],
              leftOut: [],
              elsewhere: [],
              refusal: null,
              flags: []
            })
            assert.deepStrictEqual(
              [clean.commits.length, clean.files.map(({ path }) => path), clean.commits.at(-1)?.id],
              [1, ["work.txt"], clean.head]
            )
            yield* bench.leaveUncommitted
            const dirty = yield* handoff.preview(bench.request, null)
            assert.deepInclude(dirty, { uncommitted: ["work.txt"], head: clean.head })
            assert.strictEqual(dirty.refusal, (yield* Effect.flip(handoff.verify(bench.request))).message)
            assert.deepStrictEqual(
              dirty.flags.map(({ kind }) => kind),
              ["uncommitted"]
            )
            assert.isNull(yield* handoff.diff(workflow, runId, null))
            assert.deepStrictEqual(yield* bench.written, [])
          })
        )
    )

    it.live("tells commits from an analysis", () =>
      withBench((bench, handoff) =>
        Effect.gen(function* () {
          yield* handoff.check(bench.request.workflow)
          assert.strictEqual(yield* handoff.verify(bench.request), "analysis")
          const analysis = yield* handoff.exportRun(bench.request)
          assert.deepInclude(analysis, { verdict: "analysis", head: null, patch: null, commits: 0 })
          yield* bench.commit
          assert.strictEqual(yield* handoff.verify(bench.request), "verified")
          const verified = yield* handoff.exportRun({ ...bench.request, runId: makeRunId(1, 2) })
          assert.deepInclude(verified, { verdict: "verified", commits: 1 })
          assert.isNotNull(verified.patch)
        })
      )
    )

    it.live("exports a run once: later work belongs to later runs", () =>
      withBench((bench, handoff) =>
        Effect.gen(function* () {
          yield* bench.commit
          const exported = yield* handoff.exportRun(bench.request)
          yield* bench.commit
          assert.deepEqual(yield* handoff.exportRun(bench.request), exported)
          const later = yield* handoff.exportRun({ ...bench.request, runId: makeRunId(2, 1) })
          assert.strictEqual(later.commits, 2)
        })
      )
    )

    it.live("lets the agent mend what it did not commit, and still exports what it did", () =>
      withBench((bench, handoff) =>
        Effect.gen(function* () {
          yield* bench.commit
          yield* bench.leaveUncommitted
          const error = yield* Effect.flip(handoff.verify(bench.request))
          assert.deepInclude(error, { reason: "unverified", code: "dirty" })
          assert.include(error.message, "work.txt")
          const exported = yield* handoff.exportRun(bench.request)
          assert.deepEqual(
            exported.flags.map(({ kind }) => kind),
            ["uncommitted"]
          )
        })
      )
    )

    it.live("keeps one pull request a branch", () =>
      withBench((bench, handoff) =>
        Effect.gen(function* () {
          yield* bench.commit
          const exported = yield* handoff.exportRun(bench.request)
          const published = yield* handoff.publish(bench.request, exported)
          assert.strictEqual(published.head, exported.head)
          assert.deepEqual(yield* handoff.publish(bench.request, exported), published)
          assert.strictEqual(yield* bench.pullRequests, 1)
        })
      )
    )
  })
}

suite("git", gitBench)
suite("memory", memoryBench)

describe("the handoff in memory", () => {
  it.live("fails where a test wants it to, and makes nothing twice", () =>
    Effect.gen(function* () {
      const { request } = yield* scopedWorld
      const memory = MemoryHandoff.makeWorld()
      yield* Ref.set(memory.fault, (operation) =>
        operation === "publish" ? forgeFailure("down", "down") : null
      )
      yield* Effect.gen(function* () {
        const handoff = yield* Handoff
        const exported = yield* handoff.exportRun(request)
        assert.strictEqual((yield* Effect.flip(handoff.publish(request, exported))).code, "down")
        yield* Ref.set(memory.fault, () => null)
        yield* handoff.publish(request, exported)
        yield* handoff.publish(request, yield* handoff.exportRun(request))
      }).pipe(Effect.provide(MemoryHandoff.layer(memory)))
      const made = yield* Ref.get(memory.made)
      assert.deepEqual(made, [`export ${request.runId}`, `pull request ${request.branch}`])
    })
  )
})

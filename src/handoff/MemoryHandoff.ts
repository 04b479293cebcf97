import { Clock, Effect, Layer, Ref } from "effect"
import type { Identifier, RunId } from "../domain/ids.ts"
import { unverified } from "./failures.ts"
import {
  type Change,
  type Exported,
  Handoff,
  type HandoffError,
  type HandoffRequest,
  type Published,
  type WorkPlace
} from "./Handoff.ts"
import { patchName } from "./patch.ts"

/** What an agent left in its workspace. */
export interface MemoryWork {
  readonly head: string
  /** Over the base; 0 is an analysis. */
  readonly commits: number
  /** Changed files that are in no commit. */
  readonly uncommitted: ReadonlyArray<string>
}

export type HandoffOperation = "check" | "fetchBase" | "verify" | "preview" | "exportRun" | "publish"

/** The disk and the forge under a handoff in memory. They outlive the layer, as they outlive a process. */
export interface HandoffWorld {
  readonly work: Ref.Ref<ReadonlyMap<Identifier, MemoryWork>>
  /** What was written, one entry a run. */
  readonly exports: Ref.Ref<ReadonlyMap<RunId, Exported>>
  /** What is open at the forge, one entry a branch. */
  readonly pullRequests: Ref.Ref<ReadonlyMap<string, Published>>
  /** How often something was made that was not there: a second time for one name is a handoff doubled. */
  readonly made: Ref.Ref<ReadonlyArray<string>>
  /** Asked before each operation takes effect; an error is what it fails with. */
  readonly fault: Ref.Ref<
    (operation: HandoffOperation, request: HandoffRequest | null) => HandoffError | null
  >
}

export const makeWorld = (): HandoffWorld => ({
  work: Ref.makeUnsafe<ReadonlyMap<Identifier, MemoryWork>>(new Map()),
  exports: Ref.makeUnsafe<ReadonlyMap<RunId, Exported>>(new Map()),
  pullRequests: Ref.makeUnsafe<ReadonlyMap<string, Published>>(new Map()),
  made: Ref.makeUnsafe<ReadonlyArray<string>>([]),
  fault: Ref.makeUnsafe<(operation: HandoffOperation, request: HandoffRequest | null) => HandoffError | null>(
    () => null
  )
})

export const setWork = (world: HandoffWorld, identifier: Identifier, work: MemoryWork): Effect.Effect<void> =>
  Ref.update(world.work, (all) => new Map(all).set(identifier, work))

/** An issue that nobody said anything about has one commit named after it. */
const workOf = Effect.fnUntraced(function* (world: HandoffWorld, { identifier }: WorkPlace) {
  const work = (yield* Ref.get(world.work)).get(identifier)
  return work ?? { head: `commit-of-${identifier}`, commits: 1, uncommitted: [] }
})

/** Of as many commits as there are, the last of which is the head. */
const changeOf = (head: string | null, count: number, wanted: string | null): Change => {
  const commits = Array.from({ length: head === null ? 0 : count }, (_, n) => ({
    id: n + 1 === count ? `${head}` : `${head}~${count - n - 1}`,
    subject: `Commit ${n + 1}`,
    author: "Agent"
  }))
  const one = commits.find(({ id }) => id === wanted)
  const patch = (one === undefined ? commits : [one]).map(({ subject }) => `+${subject}\n`).join("")
  return { commits, commit: one?.id ?? null, patch }
}

const refusalOf = ({ uncommitted }: MemoryWork): HandoffError | null =>
  uncommitted.length === 0
    ? null
    : unverified(
        "dirty",
        `changed and not committed: ${uncommitted.join(", ")}`,
        "commit these files or restore them"
      )

/** What an export and a look before it have in common. */
const factsOf = (work: MemoryWork) => ({
  base: "base",
  head: work.commits > 0 ? work.head : null,
  files: work.commits > 0 ? [{ path: "work.txt", added: work.commits, removed: 0 }] : [],
  flags: work.uncommitted.map((path) => ({ kind: "uncommitted", detail: path }))
})

const exportOf = (request: HandoffRequest, work: MemoryWork): Exported => {
  const folder = `/patches/${patchName(request.branch)}`
  const isVerified = work.commits > 0
  return {
    ...factsOf(work),
    verdict: isVerified ? "verified" : "analysis",
    tree: isVerified ? `tree-of-${work.head}` : null,
    commits: work.commits,
    patch: isVerified ? `${folder}.patch` : null,
    bundle: isVerified ? `${folder}/${patchName(request.branch)}.bundle` : null,
    report: `${folder}/HANDOFF.md`
  }
}

/** A handoff in memory. A fiber that is abandoned between effect and answer leaves the effect done. */
export const layer = (world: HandoffWorld): Layer.Layer<Handoff> =>
  Layer.sync(Handoff, () => {
    const mayFail = Effect.fnUntraced(function* (
      operation: HandoffOperation,
      request: HandoffRequest | null
    ) {
      yield* Effect.yieldNow
      const error = (yield* Ref.get(world.fault))(operation, request)
      if (error !== null) return yield* error
    })
    const made = (what: string) => Ref.update(world.made, (all) => [...all, what])

    return Handoff.of({
      check: () => mayFail("check", null),
      fetchBase: () => mayFail("fetchBase", null),
      verify: Effect.fn("Handoff.verify")(function* (request: HandoffRequest) {
        yield* mayFail("verify", request)
        const work = yield* workOf(world, request)
        const refusal = refusalOf(work)
        if (refusal !== null) return yield* refusal
        return work.commits > 0 ? ("verified" as const) : ("analysis" as const)
      }),
      exportRun: Effect.fn("Handoff.exportRun")(function* (request: HandoffRequest) {
        yield* mayFail("exportRun", request)
        const before = (yield* Ref.get(world.exports)).get(request.runId)
        if (before !== undefined) return before
        const exported = exportOf(request, yield* workOf(world, request))
        yield* Ref.update(world.exports, (all) => new Map(all).set(request.runId, exported))
        yield* made(`export ${request.runId}`)
        yield* Effect.yieldNow
        return exported
      }),
      diff: (_, run, commit) =>
        Effect.map(Ref.get(world.exports), (exports) => {
          const exported = exports.get(run)
          return exported === undefined
            ? null
            : {
                ...changeOf(exported.head, exported.commits, commit),
                runId: run,
                title: "Done",
                summary: "All done.",
                exported
              }
        }),
      preview: Effect.fn("Handoff.preview")(function* (place: WorkPlace, commit: string | null) {
        yield* mayFail("preview", null)
        const work = yield* workOf(world, place)
        const facts = factsOf(work)
        return {
          ...changeOf(facts.head, work.commits, commit),
          ...facts,
          takenAt: yield* Clock.currentTimeMillis,
          uncommitted: work.uncommitted,
          leftOut: [],
          elsewhere: [],
          refusal: refusalOf(work)?.message ?? null
        }
      }),
      publish: Effect.fn("Handoff.publish")(function* (request: HandoffRequest, exported: Exported) {
        yield* mayFail("publish", request)
        const open = (yield* Ref.get(world.pullRequests)).get(request.branch)
        const published = {
          url: open?.url ?? `https://forge.test/pull/${request.branch}`,
          head: exported.head ?? exported.base
        }
        yield* Ref.update(world.pullRequests, (all) => new Map(all).set(request.branch, published))
        if (open === undefined) yield* made(`pull request ${request.branch}`)
        yield* Effect.yieldNow
        return published
      })
    })
  })

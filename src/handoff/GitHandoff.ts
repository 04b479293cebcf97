import { Clock, Effect, FileSystem, Layer, Path } from "effect"
import type { RunId } from "../domain/ids.ts"
import { SafeFiles } from "../files/SafeFiles.ts"
import { modeOf, Operator, placesOf } from "../workflow/Operator.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { gitBroke } from "./failures.ts"
import { Forge } from "./Forge.ts"
import { Git } from "./Git.ts"
import { type Exported, Handoff, type HandoffRequest, type WorkPlace, type WorkPreview } from "./Handoff.ts"
import { writeBundle, writeSummary } from "./patch.ts"
import { checkForge, publish } from "./publish.ts"
import { deliveredRef, type Incoming, type Quarantine, Quarantines, restRef, runRef } from "./quarantine.ts"
import { readChange } from "./readChange.ts"
import { readHandoffRecord, writeHandoffRecord } from "./record.ts"
import type { Rest } from "./rest.ts"
import { refusalOf, restOfWorkspace, type Verified, verifyCommits } from "./verify.ts"

const make = Effect.gen(function* () {
  const operator = yield* Operator
  const git = yield* Git
  const files = yield* SafeFiles
  const quarantines = yield* Quarantines
  const services = yield* Effect.context<
    Git | Forge | SafeFiles | Quarantines | FileSystem.FileSystem | Path.Path
  >()

  const open = Effect.fnUntraced(function* (workflow: WorkflowDefinition) {
    const places = placesOf(operator, workflow)
    const quarantine = yield* quarantines.open(places, operator.baseBranch)
    return { places, quarantine }
  })

  const setRef = (gitDir: string, ref: string, value: string) =>
    git.run(["update-ref", ref, value], { cwd: gitDir }).pipe(Effect.mapError(gitBroke(`writing ${ref}`)))

  /** The uncommitted rest outlives the workspace, as a blob of the quarantine. */
  const keepRest = Effect.fnUntraced(function* (gitDir: string, request: HandoffRequest, rest: Rest) {
    if (rest.patch === null) {
      return yield* git
        .run(["update-ref", "-d", restRef(request.runId)], { cwd: gitDir })
        .pipe(Effect.mapError(gitBroke("keeping the uncommitted rest")), Effect.asVoid)
    }
    const blob = yield* git
      .text(["hash-object", "-w", "--stdin"], { cwd: gitDir, stdin: rest.patch })
      .pipe(Effect.mapError(gitBroke("keeping the uncommitted rest")))
    yield* setRef(gitDir, restRef(request.runId), blob)
  })

  const keptRest = Effect.fnUntraced(function* (gitDir: string, request: HandoffRequest) {
    const blob = yield* quarantines.lookUp(gitDir, restRef(request.runId))
    const patch =
      blob === null
        ? null
        : yield* git
            .run(["cat-file", "blob", blob], { cwd: gitDir })
            .pipe(Effect.mapError(gitBroke("reading the uncommitted rest")))
    const named = patch === null ? [] : ["uncommitted.patch"]
    return { changed: named, untracked: [], leftOut: [], elsewhere: [], patch } satisfies Rest
  })

  /** Verified in `gitDir`, which has the commits that came: the quarantine, or what is gone with its scope. */
  const verifyIncoming = (
    quarantine: Quarantine,
    work: WorkPlace,
    { head, elsewhere }: Incoming,
    gitDir: string
  ) =>
    verifyCommits({ gitDir, tip: quarantine.base, head, base: null }, (commit, tree) =>
      restOfWorkspace(gitDir, work, commit, tree).pipe(Effect.map((rest) => ({ ...rest, elsewhere })))
    )

  const fromWorkspace = Effect.fnUntraced(function* (quarantine: Quarantine, request: HandoffRequest) {
    const incoming = yield* quarantines.receive(quarantine, request.workspace, request.branch)
    yield* quarantines.keep(quarantine, request.runId, incoming)
    return yield* verifyIncoming(quarantine, request, incoming, quarantine.gitDir)
  }, Effect.scoped)

  /** Everything is proven again; only what was to be seen in the workspace is as it was recorded. */
  const fromQuarantine = (
    quarantine: Quarantine,
    request: HandoffRequest,
    head: string,
    recorded: Exported | undefined
  ) =>
    verifyCommits(
      { gitDir: quarantine.gitDir, tip: quarantine.base, head, base: recorded?.base ?? null },
      () => keptRest(quarantine.gitDir, request)
    ).pipe(Effect.map((verified): Verified => ({ ...verified, flags: recorded?.flags ?? verified.flags })))

  const hasWorkspace = (request: HandoffRequest) =>
    files.stat({ root: request.workspace }, ".git").pipe(
      Effect.map((stat) => stat !== null),
      Effect.catchTag("FileError", (error) => Effect.succeed(error.reason !== "missing"))
    )

  const deliver = Effect.fnUntraced(function* (gitDir: string, request: HandoffRequest, verified: Verified) {
    if (verified.series === null) return
    yield* setRef(gitDir, deliveredRef(request.runId), verified.series.head)
    yield* setRef(gitDir, `refs/heads/${request.branch}`, verified.series.head)
  })

  /** `handoff.mode: none`: the workspace need not be a repository, and hooks do the rest. */
  const withoutGit = Effect.fnUntraced(function* (request: HandoffRequest) {
    const { patches } = placesOf(operator, request.workflow)
    return yield* writeSummary(request, patches, operator.baseBranch, yield* Clock.currentTimeMillis)
  })

  const check = Effect.fn("Handoff.check")(function* (workflow: WorkflowDefinition) {
    const mode = modeOf(operator, workflow)
    if (mode === "none") return
    const { quarantine } = yield* open(workflow)
    if (mode === "pull_request") yield* checkForge(operator, quarantine.gitDir)
  }, Effect.provide(services))

  const fetchBase = Effect.fn("Handoff.fetchBase")(function* (workflow: WorkflowDefinition) {
    if (modeOf(operator, workflow) !== "none") yield* open(workflow)
  }, Effect.provide(services))

  /** What is in the workspace, proven in a repository that is gone with the scope. */
  const lookAt = Effect.fnUntraced(function* (work: WorkPlace) {
    const { quarantine } = yield* open(work.workflow)
    const incoming = yield* quarantines.receive(quarantine, work.workspace, work.branch)
    const verified = yield* verifyIncoming(quarantine, work, incoming, incoming.gitDir)
    return { gitDir: incoming.gitDir, verified }
  })

  const verify = Effect.fn("Handoff.verify")(
    function* (request: HandoffRequest) {
      if (modeOf(operator, request.workflow) === "none") return "analysis" as const
      const { verified } = yield* lookAt(request)
      const refusal = refusalOf(verified, request.branch)
      if (refusal !== null) return yield* refusal
      return verified.series === null ? ("analysis" as const) : ("verified" as const)
    },
    Effect.scoped,
    Effect.provide(services)
  )

  const preview = Effect.fn("Handoff.preview")(
    function* (work: WorkPlace, commit: string | null) {
      const { gitDir, verified } = yield* lookAt(work)
      const { base, files, flags, rest, series } = verified
      const head = series?.head ?? null
      return {
        ...(yield* readChange(gitDir, { base, head }, commit)),
        takenAt: yield* Clock.currentTimeMillis,
        base,
        head,
        files,
        flags,
        uncommitted: rest.patch === null ? [] : [...rest.changed, ...rest.untracked],
        leftOut: rest.leftOut,
        elsewhere: rest.elsewhere,
        refusal: refusalOf(verified, work.branch)?.message ?? null
      } satisfies WorkPreview
    },
    Effect.scoped,
    Effect.provide(services)
  )

  const exportRun = Effect.fn("Handoff.exportRun")(function* (request: HandoffRequest) {
    const { workflow, runId } = request
    if (modeOf(operator, workflow) === "none") return yield* withoutGit(request)
    const { workflow: _, ...asked } = request
    const done = (yield* readHandoffRecord(workflow, runId))?.outcome ?? null
    // Whatever comes of it, `symphony handoff` can ask for it again.
    if (done === null) yield* writeHandoffRecord(workflow, { version: 1, ...asked, outcome: null })
    const { places, quarantine } = yield* open(workflow)
    const imported = yield* quarantines.lookUp(quarantine.gitDir, runRef(runId))
    // Once exported, the run's commits are those in the quarantine: a later run may work in the workspace.
    const settled = imported !== null && (done !== null || !(yield* hasWorkspace(request)))
    const verified = settled
      ? yield* fromQuarantine(quarantine, request, imported, done?.exported)
      : yield* fromWorkspace(quarantine, request)
    if (!settled) yield* keepRest(quarantine.gitDir, request, verified.rest)
    yield* deliver(quarantine.gitDir, request, verified)
    const finishedAt = done?.finishedAt ?? (yield* Clock.currentTimeMillis)
    const exported = yield* writeBundle({
      request,
      verified,
      gitDir: quarantine.gitDir,
      baseBranch: operator.baseBranch,
      patches: places.patches,
      finishedAt
    })
    yield* writeHandoffRecord(workflow, { version: 1, ...asked, outcome: { finishedAt, exported } })
    return exported
  }, Effect.provide(services))

  const diff = Effect.fn("Handoff.diff")(function* (
    workflow: WorkflowDefinition,
    run: RunId,
    commit: string | null
  ) {
    const record = yield* readHandoffRecord(workflow, run)
    if (record === null || record.outcome === null) return null
    const { summary, title } = record
    const { exported } = record.outcome
    const places = placesOf(operator, workflow)
    const change = yield* readChange(places.quarantine, exported, commit)
    return { ...change, runId: run, title, summary, exported }
  }, Effect.provide(services))

  return Handoff.of({
    check,
    fetchBase,
    verify,
    exportRun,
    diff,
    preview,
    publish: Effect.fn("Handoff.publish")(function* (request: HandoffRequest, exported: Exported) {
      const { quarantine } = yield* open(request.workflow)
      return yield* publish({ operator, request, exported, gitDir: quarantine.gitDir })
    }, Effect.provide(services))
  })
})

/** Handoff with real git. */
export const layer = Layer.effect(Handoff, make).pipe(
  Layer.provide(Quarantines.layer),
  Layer.provide(Forge.layer),
  Layer.provide(Git.layer)
)

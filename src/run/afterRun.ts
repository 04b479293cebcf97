import { Effect, Ref } from "effect"
import { printableTail } from "../domain/printable.ts"
import type { DoneClaim, HandoffRecord } from "../scheduler/events.ts"
import type { RunFenced } from "../scheduler/Runs.ts"
import { hookContext, noteFailure, noteStage, type RunContext, workspaceOf } from "./RunContext.ts"

const accountOf = (run: RunContext): string => `runs/${run.record.run}/mark_done.md`

/** Where the host keeps the agent's own account of its work, once it is written. */
export const markDonePath = (run: RunContext): string =>
  `${run.order.workflow.config.state.root}/${accountOf(run)}`

/** The agent's own account of its work, for hooks: a host-owned copy and the place that hooks have always read. */
const writeMarkDone = (run: RunContext, claim: DoneClaim): Effect.Effect<string> =>
  Effect.gen(function* () {
    const { order, services } = run
    const text = `# ${claim.title}\n\n${claim.summary}\n`
    const keep = (place: string, path: string) =>
      services.files
        .writeAtomic({ root: place }, path, text, { mode: 0o600 })
        .pipe(Effect.catch((error) => Effect.logWarning("mark_done.md is not written", error)))
    yield* keep(order.workflow.config.state.root, accountOf(run))
    const workspace = workspaceOf(run).path
    const git = yield* services.files.stat({ root: workspace }, ".git").pipe(Effect.orElseSucceed(() => null))
    const folder = git?.kind === "directory" ? ".git/symphony-runtime" : ".symphony-runtime"
    yield* keep(workspace, `${folder}/mark_done.md`)
    return markDonePath(run)
  })

/**
 * The `after_run` hook: at least once after every run that got past `before_run`, whatever its end. Its failure is
 * shown and changes nothing.
 */
export const runAfterRun = (
  run: RunContext,
  facts: {
    readonly outcome: string
    readonly state: string | null
    readonly claim: DoneClaim | null
    readonly handoff: HandoffRecord | null
  }
): Effect.Effect<void, RunFenced> =>
  Effect.gen(function* () {
    const { record, services, order } = run
    if (record.hookEnded || !(yield* Ref.get(run.begun))) return
    const there = yield* services.workspaces
      .exists(workspaceOf(run), order.workflow)
      .pipe(Effect.orElseSucceed(() => true))
    if (!there) return
    const markDone = facts.claim === null ? null : yield* writeMarkDone(run, facts.claim)
    if (order.workflow.config.hooks.after_run === null) return
    yield* noteStage(run, "after_run")
    yield* run.report({ _tag: "HookStarted" })
    const error = yield* services.workspaces
      .runHook(
        "after_run",
        hookContext(run, {
          outcome: facts.outcome,
          state: facts.state,
          markDone,
          patch: facts.handoff?.patch ?? null
        })
      )
      .pipe(
        Effect.as(null),
        Effect.catch((failure) => Effect.succeed(printableTail(failure.message)))
      )
    if (error !== null) yield* noteFailure(run, "after_run failed", error)
    yield* run.report({ _tag: "HookEnded", error })
  })

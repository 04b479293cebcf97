import { Clock, Effect, Ref } from "effect"
import type { AgentSessions } from "../agent/AgentSessions.ts"
import type { Credentials } from "../agent/Credentials.ts"
import { agentBranch } from "../domain/workspaceKey.ts"
import { outcomeText, type RunOutcome } from "../domain/Outcome.ts"
import type { SafeFiles } from "../files/SafeFiles.ts"
import type { Handoff, HandoffRequest } from "../handoff/Handoff.ts"
import type { TranscriptEvent, Transcripts } from "../journal/Transcripts.ts"
import type { RunGrants } from "../mcp/RunGrants.ts"
import type { ModelProxy } from "../proxy/ModelProxy.ts"
import type { Sandboxes } from "../sandbox/Sandboxes.ts"
import type { DoneClaim } from "../scheduler/events.ts"
import type { Report, RunOrder, RunProgress } from "../scheduler/Runs.ts"
import type { RunRecord } from "../scheduler/state.ts"
import type { Tracker } from "../tracker/Tracker.ts"
import { hookEnvironment, type HookVariables } from "../workspace/hookEnvironment.ts"
import type { HookContext, Workspace, Workspaces } from "../workspace/Workspaces.ts"
import type { Listener } from "./Listener.ts"
import type { Mail } from "./mail.ts"
import type { RunUsage } from "./usage.ts"
import type { WorkLocks } from "./WorkLocks.ts"

/** The services that the stages of a run use, taken once when the layer is built. */
export interface RunServices {
  readonly workspaces: Workspaces["Service"]
  readonly sandboxes: Sandboxes["Service"]
  readonly sessions: AgentSessions["Service"]
  readonly credentials: Credentials["Service"]
  readonly grants: RunGrants["Service"]
  readonly proxy: ModelProxy["Service"]
  readonly handoff: Handoff["Service"]
  readonly tracker: Tracker["Service"]
  readonly transcripts: Transcripts["Service"]
  readonly listener: Listener["Service"]
  readonly files: SafeFiles["Service"]
  readonly hookVariables: HookVariables["Service"]
  readonly locks: WorkLocks["Service"]
}

/** One run, as its stages see it. */
export interface RunContext extends RunUsage {
  readonly order: RunOrder
  /** As claimed or, when recovering, as far as it had come. */
  readonly record: RunRecord
  readonly mail: Mail
  readonly report: Report
  /** Whether `before_run` is behind it, so that `after_run` is owed. */
  readonly begun: Ref.Ref<boolean>
  /** The number of the turn that is under way, else of the last one; 0 before the first. */
  readonly turn: Ref.Ref<number>
  /** The agent's session; null before there is one. */
  readonly session: Ref.Ref<string | null>
  readonly services: RunServices
  /** Changes what people see of the run just now. */
  readonly progress: (change: Partial<RunProgress>) => Effect.Effect<void>
  readonly transcribe: (turn: number, event: TranscriptEvent) => Effect.Effect<void>
}

const note = (run: RunContext, name: string, detail: string, failed: boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* run.transcribe(yield* Ref.get(run.turn), { _tag: "Stage", name, detail, failed })
    yield* run.progress({
      lastEvent: name,
      lastMessage: detail,
      lastEventAt: yield* Clock.currentTimeMillis
    })
  })

/** Tells people which stage the run has come to. */
export const noteStage = (run: RunContext, name: string, detail = ""): Effect.Effect<void> =>
  note(run, name, detail, false)

/** Tells people that something has failed in the run, and why. */
export const noteFailure = (run: RunContext, name: string, detail: string): Effect.Effect<void> =>
  note(run, name, detail, true)

/** Tells people how the run ended. */
export const noteEnd = (run: RunContext, outcome: RunOutcome): Effect.Effect<void> =>
  note(run, "ended", outcomeText(outcome), outcome._tag === "Failed")

/** What is asked of the handoff for a run. */
export const handoffRequest = (
  run: RunContext,
  workspace: string,
  claim: Pick<DoneClaim, "title" | "summary">
): Effect.Effect<HandoffRequest> =>
  Ref.get(run.tokens).pipe(
    Effect.map((tokens) => ({
      runId: run.record.run,
      identifier: run.record.identifier,
      branch: agentBranch(run.record.identifier),
      workflow: run.order.workflow,
      workspace,
      title: claim.title,
      summary: claim.summary,
      tokens,
      startedAt: run.record.startedAt
    }))
  )

/** Where the workspace is or would be. */
export const workspaceOf = (run: RunContext): Workspace =>
  run.services.workspaces.locate(run.record.identifier, run.order.workflow)

/** The environment and place of a hook of this run. */
export const hookContext = (run: RunContext, facts: HookMoment = {}): HookContext => {
  const { order, record, services } = run
  const workspace = workspaceOf(run)
  return {
    workspace,
    workflow: order.workflow,
    runId: record.run,
    env: hookEnvironment({
      workflow: order.workflow,
      identifier: record.identifier,
      state: facts.state ?? record.state,
      title: record.title,
      attempt: record.attempt,
      runId: record.run,
      outcome: facts.outcome ?? null,
      workspace: workspace.path,
      ...services.hookVariables,
      markDone: facts.markDone ?? null,
      patch: facts.patch ?? null
    })
  }
}

/** What only some hooks can be told. */
export interface HookMoment {
  readonly state?: string | null
  readonly outcome?: string | null
  readonly markDone?: string | null
  readonly patch?: string | null
}

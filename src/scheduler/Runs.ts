import { Context, type Effect, Schema, type Stream } from "effect"
import type { RunningCost } from "../domain/Cost.ts"
import { type Identifier, type QuestionId, RunId } from "../domain/ids.ts"
import type { CancelReason, RunOutcome } from "../domain/Outcome.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import type { DoneClaim, HandoffRecord, SchedulerEvent } from "./events.ts"
import type { SignalRefused } from "./RunSignals.ts"
import type { IssueRecord, RunRecord, Steering } from "./state.ts"

type Reported =
  | "WorkspaceReady"
  | "SessionOpened"
  | "TurnStarted"
  | "TurnEnded"
  | "UsageCounted"
  | "SteeringDelivered"
  | "Quiesced"
  | "Exported"
  | "MoveIntended"
  | "Moved"
  | "HookStarted"
  | "HookEnded"
  | "PublishIntended"
  | "Published"

type WithoutTime<Event> = Event extends unknown ? Omit<Event, "at" | "run"> : never

/** What a run tells the scheduler; the scheduler adds the time and the run. */
export type RunReport =
  | WithoutTime<Extract<SchedulerEvent, { readonly _tag: Reported }>>
  | { readonly _tag: "WorkspaceRemoved" }
  | { readonly _tag: "RunEnded"; readonly outcome: RunOutcome }

/** The scheduler knows no such run any more: whoever asked belongs to an older generation and must stop. */
export class RunFenced extends Schema.TaggedError<RunFenced>()("RunFenced", { run: RunId }) {
  override get message(): string {
    return `run ${this.run} has ended`
  }
}

/** Returns once what is reported is durable and part of the scheduler's state. */
export type Report = (report: RunReport) => Effect.Effect<void, RunFenced>

/** Everything a run needs to know; it keeps these settings to its end. */
export interface RunOrder {
  readonly record: RunRecord
  readonly workflow: WorkflowDefinition
  /** The question to go on with, answered or not. */
  readonly steering: Steering | null
  /** The last question whose reply an agent has taken up, which a new session does not know. */
  readonly answered: Steering | null
  /** Session to take up; null starts a new one. */
  readonly resumeSession: string | null
  /** The running cost that it last told; null where it is not known. */
  readonly resumeCost: RunningCost | null
  /** Why the run before this one failed; null when it did not. */
  readonly lastFailure: string | null
  /** The run was cut off by the end of an earlier process: end what it left behind, then finish it. */
  readonly recovering: boolean
}

/** What the scheduler tells a run. */
export type RunMessage =
  | { readonly _tag: "DoneAccepted"; readonly claim: DoneClaim }
  | { readonly _tag: "QuestionAccepted"; readonly question: QuestionId }
  | { readonly _tag: "Reply"; readonly steering: Steering }
  | { readonly _tag: "Cancel"; readonly reason: CancelReason }

/** What came of a handoff that was tried again. */
export type Redelivery =
  | { readonly _tag: "Delivered"; readonly handoff: HandoffRecord; readonly url: string | null }
  | { readonly _tag: "Failed"; readonly message: string }

/** What a run does just now, for people. Not journaled; gone with the process. */
export interface RunProgress {
  readonly lastEvent: string
  readonly lastMessage: string
  /** Epoch milliseconds of the last evidence of life. */
  readonly lastEventAt: number
  readonly sandbox: string | null
}

/**
 * The workers. The contract belongs to the scheduler, the layer to `run/`. One scoped fiber per run, keyed
 * by run; a run always ends with a `RunEnded` report, unless it is fenced or the process ends.
 */
export class Runs extends Context.Service<
  Runs,
  {
    /** Returns at once. */
    readonly start: (order: RunOrder, report: Report) => Effect.Effect<void>
    /** To a run that is not there: nothing. */
    readonly tell: (run: RunId, message: RunMessage) => Effect.Effect<void>
    /** Whether the work could be handed over now; refuses with what the agent can mend. */
    readonly verify: (run: RunId, claim: DoneClaim) => Effect.Effect<void, SignalRefused>
    /**
     * Hands over what is in a finished issue's workspace where nobody has yet, then removes it; false when it is
     * kept for now. Logged, never fails.
     */
    readonly cleanUp: (record: IssueRecord, workflow: WorkflowDefinition) => Effect.Effect<boolean>
    /** Exports and publishes again what the issue's last run was done with. Never fails: the answer says so. */
    readonly redeliver: (record: IssueRecord, workflow: WorkflowDefinition) => Effect.Effect<Redelivery>
    /** Removes what is kept of the runs of an issue that is forgotten. Logged, never fails. */
    readonly forget: (record: IssueRecord, workflow: WorkflowDefinition) => Effect.Effect<void>
    /** Workspaces that are there, whatever the journal remembers. Logged, never fails. */
    readonly workspaces: (
      workflow: WorkflowDefinition
    ) => Effect.Effect<ReadonlyArray<{ readonly identifier: Identifier; readonly path: string }>>
    readonly progress: Effect.Effect<ReadonlyMap<RunId, RunProgress>>
    /** Emits the run whose progress changed. */
    readonly progressChanges: Stream.Stream<RunId>
    /** Returns when no run is left. */
    readonly awaitEmpty: Effect.Effect<void>
    /** Ends every run at once; their scopes close, their stages are recovered at the next start. */
    readonly interruptAll: Effect.Effect<void>
  }
>()("symphony/scheduler/Runs") {}

import { Context, type Effect, Schema, type Stream } from "effect"
import type { Identifier, IssueId, QuestionId, RunId } from "../domain/ids.ts"
import type { Blocker } from "../domain/Issue.ts"
import type { CancelReason } from "../domain/Outcome.ts"
import type { Problem } from "../domain/Problem.ts"
import type { StateRole } from "../domain/State.ts"
import type { Tokens } from "../domain/Tokens.ts"
import type { HandoffRecord } from "../scheduler/events.ts"
import type { Attempt, Mode, RunStage } from "../scheduler/state.ts"

/**
 * The words for issues, the same on every surface, in the order in which a person wants to see them. `closed`: it is
 * finished, and nobody needs to look at it any more.
 */
export const Status = Schema.Literals([
  "needs you",
  "working",
  "ready for review",
  "stopped",
  "waiting",
  "closed"
])
export type Status = typeof Status.Type

export interface BoardRun {
  readonly run: RunId
  readonly attempt: number
  readonly stage: RunStage
  readonly adapter: string
  readonly session: string | null
  readonly turn: number
  readonly tokens: Tokens
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly lastEvent: string | null
  readonly lastMessage: string | null
  /** Epoch milliseconds of the last evidence of life. */
  readonly lastEventAt: number
  readonly sandbox: string | null
  readonly markedDone: boolean
  /** Why it is being ended from our side; null while it goes on. */
  readonly stopping: CancelReason | null
}

export interface BoardIssue {
  readonly id: IssueId
  readonly identifier: Identifier
  readonly title: string
  readonly description: string | null
  readonly state: string
  readonly role: StateRole
  readonly status: Status
  /** The one reason for the status: a stable code and a sentence. `Unreadable`: the rest is what was read of it last. */
  readonly why: { readonly code: string; readonly text: string }
  readonly priority: number | null
  readonly labels: ReadonlyArray<string>
  readonly blockedBy: ReadonlyArray<Blocker>
  readonly url: string | null
  /** The issue whose agent proposed it, as its file says. */
  readonly proposedBy: string | null
  readonly createdAt: string | null
  readonly updatedAt: string | null
  readonly run: BoardRun | null
  readonly question: {
    readonly id: QuestionId
    readonly text: string
    readonly context: string | null
    readonly askedAt: number
    /** The one that asked; null where that was not written down. */
    readonly turn: number | null
    readonly reply: string | null
  } | null
  readonly retry: {
    readonly attempt: number
    readonly dueAt: number
    readonly kind: "continuation" | "retry"
    readonly error: string | null
  } | null
  /** Whether a retry by hand would change anything. */
  readonly retryable: boolean
  readonly hold: { readonly reason: string; readonly message: string; readonly at: number } | null
  readonly attempts: number
  /** The newest last. */
  readonly history: ReadonlyArray<Attempt>
  readonly handoff: HandoffRecord | null
  /** What was handed over before its newest run began. */
  readonly earlierHandoff: HandoffRecord | null
  /** What the agent of that handoff said when it was done. Untrusted. */
  readonly account: { readonly title: string; readonly summary: string } | null
  readonly pullRequest: string | null
  readonly workspace: string | null
  readonly branch: string
  readonly tokens: Tokens
  readonly seconds: number
  /** Epoch milliseconds of the last that is known to have happened to it; null when nothing is. */
  readonly changedAt: number | null
}

export interface BoardSnapshot {
  /** Epoch milliseconds. */
  readonly generatedAt: number
  readonly workflow: string
  readonly trackerRoot: string
  readonly mode: Mode
  /** `attention` when a person is needed or a run is to be tried again, `working` when something runs, else `idle`. */
  readonly badge: "working" | "attention" | "idle"
  /** Every issue of the tracker, by status; the oldest first, but the newest of what is finished. */
  readonly issues: ReadonlyArray<BoardIssue>
  /** Declared states in order, for forms. */
  readonly states: ReadonlyArray<{ readonly name: string; readonly role: StateRole }>
  readonly slots: { readonly used: number; readonly limit: number }
  readonly totals: {
    readonly tokens: Tokens
    /** Of all runs, those that go on included. */
    readonly seconds: number
    /** Of those that have ended: never falls, whatever becomes of the process. */
    readonly endedSeconds: number
    readonly runs: number
    readonly completed: number
  }
  readonly problems: ReadonlyArray<Problem>
}

/** What people see: the read-only join of all that is known, the same for page, API and command line. */
export class Board extends Context.Service<
  Board,
  {
    readonly snapshot: Effect.Effect<BoardSnapshot>
    /** Emits after something that a person can see has changed; many changes may be one emission. */
    readonly changes: Stream.Stream<void>
  }
>()("symphony/board/Board") {}

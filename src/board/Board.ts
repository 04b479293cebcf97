import { Context, type Effect, type Stream } from "effect"
import type { Identifier, IssueId, QuestionId, RunId } from "../domain/ids.ts"
import type { Blocker } from "../domain/Issue.ts"
import type { Problem } from "../domain/Problem.ts"
import type { StateRole } from "../domain/State.ts"
import type { Tokens } from "../domain/Tokens.ts"
import type { HandoffRecord } from "../scheduler/events.ts"
import type { Attempt, Mode, RunStage } from "../scheduler/state.ts"

/** The words for issues, the same on every surface. */
export type Status = "working" | "needs you" | "ready for review" | "waiting" | "stopped"

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
}

export interface BoardIssue {
  readonly id: IssueId
  readonly identifier: Identifier
  readonly title: string
  readonly description: string | null
  readonly state: string
  readonly role: StateRole
  readonly status: Status
  /** The one reason for the status: a stable code and a sentence. */
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
    readonly reply: string | null
  } | null
  readonly retry: {
    readonly attempt: number
    readonly dueAt: number
    readonly kind: "continuation" | "retry"
    readonly error: string | null
  } | null
  readonly hold: { readonly reason: string; readonly message: string; readonly at: number } | null
  readonly attempts: number
  /** The newest last. */
  readonly history: ReadonlyArray<Attempt>
  readonly handoff: HandoffRecord | null
  readonly pullRequest: string | null
  readonly workspace: string | null
  readonly branch: string
  readonly tokens: Tokens
  readonly seconds: number
}

export interface BoardSnapshot {
  /** Epoch milliseconds. */
  readonly generatedAt: number
  readonly workflow: string
  readonly trackerRoot: string
  readonly mode: Mode
  /** `attention` when a person is needed, `working` when something runs, else `idle`. */
  readonly badge: "working" | "attention" | "idle"
  /** Every issue of the tracker; those that need a person first, oldest first. */
  readonly issues: ReadonlyArray<BoardIssue>
  /** Declared states in order, for forms. */
  readonly states: ReadonlyArray<{ readonly name: string; readonly role: StateRole }>
  readonly slots: { readonly used: number; readonly limit: number }
  readonly totals: {
    readonly tokens: Tokens
    /** Of all runs, those that go on included. */
    readonly seconds: number
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

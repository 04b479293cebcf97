import { Context, type Effect, Schema } from "effect"
import type { Identifier, IssueId, RunId } from "../domain/ids.ts"

/** What an agent tells the scheduler through its tools. Texts are untrusted and within the tools' limits. */
export const RunSignal = Schema.TaggedUnion({
  MarkDone: { title: Schema.String, summary: Schema.String },
  Transition: { toState: Schema.String, notes: Schema.String },
  AskHuman: { question: Schema.String, context: Schema.NullOr(Schema.String) }
})
export type RunSignal = typeof RunSignal.Type

/** The signal was not taken. `message` is for the agent: what was wrong and what it can do. */
export class SignalRefused extends Schema.TaggedError<SignalRefused>()("SignalRefused", {
  reason: Schema.Literals([
    "run_ended",
    "already_asked",
    "already_done",
    "not_allowed",
    "not_verified",
    "not_durable"
  ]),
  message: Schema.String
}) {}

/** What the tools may know of the issue they serve. */
export interface RunView {
  readonly runId: RunId
  readonly issueId: IssueId
  readonly identifier: Identifier
  readonly state: string
  /** Null until there is one. */
  readonly session: string | null
  /** States that a `transition` may name. */
  readonly transitions: ReadonlyArray<string>
}

/**
 * The way up for agents: a signal is answered once it is journaled. A repeated signal gets the answer of the
 * first; a signal of an ended run is refused.
 */
export class RunSignals extends Context.Service<
  RunSignals,
  {
    readonly view: (runId: RunId) => Effect.Effect<RunView, SignalRefused>
    /** The answer is a text for the agent. */
    readonly submit: (runId: RunId, signal: RunSignal) => Effect.Effect<string, SignalRefused>
  }
>()("symphony/scheduler/RunSignals") {}

import { Deferred, type Effect } from "effect"
import type { IssueId, RunId } from "../domain/ids.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { type Act, actsOf, eventsOf } from "./acts.ts"
import { decide, type MissingSince } from "./decide.ts"
import type { Observation } from "./eligibility.ts"
import type { JournalError } from "../journal/Journal.ts"
import type { SchedulerEvent } from "./events.ts"
import { policyFrom } from "./policy.ts"
import type { Reaction } from "./reaction.ts"
import {
  type FoundWorkspace,
  reactToCommand,
  reactToHandoff,
  reactToSettings,
  reactToWorkspace
} from "./reactToCommand.ts"
import { reactToReport, reactToSignal } from "./reactToRun.ts"
import type { Redelivery, RunFenced, RunReport } from "./Runs.ts"
import { type RunSignal, SignalRefused } from "./RunSignals.ts"
import { CommandRefused, type OperatorCommand } from "./Scheduler.ts"
import { evolve } from "./evolve.ts"
import type { SchedulerState } from "./state.ts"

/** What the scheduler's loop takes, one after the other. */
export type Input =
  | { readonly _tag: "Wake" }
  | { readonly _tag: "Settings" }
  | {
      readonly _tag: "Command"
      readonly command: OperatorCommand
      readonly reply: Deferred.Deferred<void, CommandRefused>
    }
  | {
      readonly _tag: "Signal"
      readonly run: RunId
      readonly signal: RunSignal
      readonly reply: Deferred.Deferred<string, SignalRefused>
    }
  | {
      readonly _tag: "Report"
      readonly run: RunId
      readonly report: RunReport
      readonly reply: Deferred.Deferred<void, RunFenced>
    }
  | {
      readonly _tag: "Relocated"
      readonly issue: IssueId
      readonly state: string | null
      /** The last scan of the tracker that had begun by then. */
      readonly scan: number
    }
  | { readonly _tag: "Redelivered"; readonly issue: IssueId; readonly result: Redelivery }
  /** Workspaces that are there when symphony starts. */
  | { readonly _tag: "Found"; readonly workspaces: ReadonlyArray<FoundWorkspace> }
  | { readonly _tag: "CleanedUp"; readonly issue: IssueId; readonly removed: boolean }
  | { readonly _tag: "Swept"; readonly issue: IssueId }
  | { readonly _tag: "Stop"; readonly done: Deferred.Deferred<void> }

/** Rounds of deciding within one step; each round sees what the one before did. */
const ROUNDS = 4

/** What is said of a request that could not be journaled. */
const notDurable = ({ reason }: JournalError): string =>
  reason === "lost"
    ? "could not be written down, and nothing can be: restart symphony."
    : "could not be written down; the disk may be full. Try again."

/** What a step has come to so far; nothing of it is true before it is journaled. */
export interface Draft {
  state: SchedulerState
  readonly events: Array<SchedulerEvent>
  readonly acts: Array<Act>
  /** Once durable. */
  readonly answers: Array<Effect.Effect<unknown>>
  /** When it cannot be made durable: refuse, … */
  readonly setbacks: Array<(error: JournalError) => Effect.Effect<unknown>>
  /** … or try again later. */
  readonly postponed: Array<Input>
}

/** Takes events into the draft, with what they ask for. */
const record = (draft: Draft, events: ReadonlyArray<SchedulerEvent>): void => {
  for (const event of events) {
    draft.state = evolve(draft.state, event)
    draft.events.push(event)
    draft.acts.push(...actsOf(event, draft.state))
  }
}

export const newDraft = (state: SchedulerState): Draft => ({
  state,
  events: [],
  acts: [],
  answers: [],
  setbacks: [],
  postponed: []
})

/** What an input is judged by. */
export interface Moment {
  readonly observation: Observation
  /** The settings in force. */
  readonly definition: WorkflowDefinition
  /** Those that a live run started with. */
  readonly settingsOf: (run: RunId) => WorkflowDefinition | undefined
  /** Epoch milliseconds. */
  readonly at: number
}

const take = <Answer, Refusal>(
  draft: Draft,
  reaction: Reaction<Answer, Refusal>,
  reply: Deferred.Deferred<Answer, Refusal>
): void => {
  if (reaction._tag === "Refused") {
    draft.answers.push(Deferred.fail(reply, reaction.refusal))
    return
  }
  record(draft, reaction.events)
  draft.answers.push(Deferred.succeed(reply, reaction.answer))
}

/** Takes one input into the draft. */
export const apply = (
  draft: Draft,
  input: Input,
  { at, definition, observation, settingsOf }: Moment
): void => {
  switch (input._tag) {
    case "Wake":
    case "Swept":
      return
    case "Settings":
      draft.postponed.push(input)
      return record(draft, reactToSettings(draft.state, at))
    case "Command":
      draft.setbacks.push((error) =>
        Deferred.fail(
          input.reply,
          new CommandRefused({ reason: "not_durable", message: `this ${notDurable(error)}` })
        )
      )
      return take(draft, reactToCommand(draft.state, observation, input.command, at), input.reply)
    case "Signal": {
      draft.setbacks.push((error) =>
        Deferred.fail(
          input.reply,
          new SignalRefused({ reason: "not_durable", message: `This ${notDurable(error)}` })
        )
      )
      const own = settingsOf(input.run)
      const policy = own === undefined ? observation.policy : policyFrom(own.config)
      return take(draft, reactToSignal(draft.state, policy, input.run, input.signal, at), input.reply)
    }
    case "Report": {
      draft.postponed.push(input)
      const outdated = settingsOf(input.run) !== definition
      return take(
        draft,
        reactToReport(draft.state, observation.policy, input.run, input.report, at, outdated),
        input.reply
      )
    }
    case "Relocated":
      draft.postponed.push(input)
      return record(draft, [{ ...input, at }])
    case "Redelivered":
      draft.postponed.push(input)
      return record(draft, reactToHandoff(draft.state, observation, input.issue, input.result, at))
    case "Found":
      draft.postponed.push(input)
      // One at a time: each takes a number.
      for (const workspace of input.workspaces) {
        record(draft, reactToWorkspace(draft.state, observation, workspace, at))
      }
      return
    case "CleanedUp":
      if (input.removed) record(draft, [{ _tag: "WorkspaceRemoved", at, issue: input.issue }])
      return
    case "Stop":
      draft.answers.push(Deferred.succeed(input.done, undefined))
      draft.setbacks.push(() => Deferred.succeed(input.done, undefined))
      return record(
        draft,
        Object.values(draft.state.runs)
          .filter((run) => run.done === null && run.cancel === null && run.conclusion === null)
          .map((run) => ({ _tag: "CancelRequested", at, run: run.run, reason: "shutdown" }))
      )
  }
}

/** Takes what is to be done now into the draft. */
export const settle = (
  draft: Draft,
  observation: Observation,
  missingSince: MissingSince,
  now: number
): void => {
  let { memorySlots } = observation
  for (let round = 0; round < ROUNDS; round++) {
    const decisions = decide(draft.state, { ...observation, memorySlots }, missingSince, now)
    if (memorySlots !== null) {
      memorySlots -= decisions.filter((decision) => decision._tag === "StartRun").length
    }
    if (decisions.length === 0) return
    const before = draft.events.length
    for (const decision of decisions) {
      record(draft, eventsOf(decision, draft.state, now))
      if (decision._tag === "RemoveWorkspace" && round === 0) {
        draft.acts.push({ _tag: "CleanUp", record: decision.record })
      }
      // What is kept of runs is kept by the identifier, which another issue may have by now.
      if (
        decision._tag === "Forget" &&
        Object.values(draft.state.issues).every(({ identifier }) => identifier !== decision.record.identifier)
      ) {
        draft.acts.push({ _tag: "Forget", record: decision.record })
      }
    }
    if (draft.events.length === before) return
  }
}

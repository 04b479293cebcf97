import { Duration } from "effect"
import type { RunId } from "../domain/ids.ts"
import { doneState, policyOf, sameState } from "../domain/State.ts"
import type { DoneClaim } from "./events.ts"
import type { Policy } from "./policy.ts"
import { afterRun, CONTINUATION_DELAY, HANDOFF_FAILED } from "./retry.ts"
import { type RunReport, RunFenced } from "./Runs.ts"
import { type RunSignal, SignalRefused } from "./RunSignals.ts"
import { issueOf, nextQuestionId, type RunRecord, type SchedulerState } from "./state.ts"
import { accepted, type Reaction, refused } from "./reaction.ts"

/** States that the agent of a run may move its issue to. */
export const transitionsOf = (run: RunRecord, policy: Policy): ReadonlyArray<string> =>
  policyOf(policy.states, run.state)?.transitions ??
  policy.states.map((state) => state.name).filter((name) => !sameState(name, run.state))

/** The claim that a signal makes, or why the policy does not allow it. */
export const claimOf = (
  run: RunRecord,
  policy: Policy,
  signal: Extract<RunSignal, { readonly _tag: "MarkDone" | "Transition" }>
): DoneClaim | SignalRefused => {
  if (signal._tag === "MarkDone") {
    return {
      signal: "mark_done",
      target: doneState(policy.states) ?? "Done",
      title: signal.title,
      summary: signal.summary
    }
  }
  const allowed = transitionsOf(run, policy)
  const target = allowed.find((name) => sameState(name, signal.toState))
  return target === undefined
    ? new SignalRefused({
        reason: "not_allowed",
        message: `This issue cannot be moved to ${JSON.stringify(signal.toState)}. Possible: ${allowed.join(", ") || "none"}.`
      })
    : { signal: "transition", target, title: run.title, summary: signal.notes }
}

const answerTo = (run: RunRecord, claim: DoneClaim): string =>
  claim.signal === "mark_done"
    ? `${run.identifier} is marked as done and moves to ${claim.target} once your work is verified. Stop now: end your turn.`
    : `${run.identifier} moves to ${claim.target} with your notes. Stop now: end your turn.`

const runEnded = (run: RunId): SignalRefused =>
  new SignalRefused({
    reason: "run_ended",
    message: `This run (${run}) has ended; nothing you do counts any more. Stop.`
  })

/** An agent's signal. A repeated one gets the answer of the first; one of an older generation is refused. */
export const reactToSignal = (
  state: SchedulerState,
  policy: Policy,
  id: RunId,
  signal: RunSignal,
  at: number
): Reaction<string, SignalRefused> => {
  const run = state.runs[id]
  if (run === undefined) return refused(runEnded(id))
  if (run.done !== null) {
    return signal._tag === (run.done.signal === "mark_done" ? "MarkDone" : "Transition")
      ? accepted([], answerTo(run, run.done))
      : refused(
          new SignalRefused({
            reason: "already_done",
            message: `You have already signalled the end of this run. Stop now: end your turn.`
          })
        )
  }
  if (run.cancel !== null || run.conclusion !== null) return refused(runEnded(id))
  if (signal._tag === "AskHuman") {
    const open = issueOf(state, run.issue)?.steering ?? null
    const answer = "Your question is with a human. End your turn now; the reply is your next prompt."
    // Who asks again in the turn that brings the reply has taken it up.
    const isTakenUp = open !== null && open.reply !== null && run.openTurn?.reply === open.question
    if (open !== null && !isTakenUp) {
      return open.text === signal.question && open.context === signal.context
        ? accepted([], answer)
        : refused(
            new SignalRefused({
              reason: "already_asked",
              message:
                "Another question of yours is already with a human. End your turn now; the reply is your next prompt."
            })
          )
    }
    return accepted(
      [
        {
          _tag: "SteeringAsked",
          at,
          run: id,
          question: nextQuestionId(run),
          text: signal.question,
          context: signal.context
        }
      ],
      answer
    )
  }
  const claim = claimOf(run, policy, signal)
  return claim instanceof SignalRefused
    ? refused(claim)
    : accepted([{ _tag: "DoneClaimed", at, run: id, claim }], answerTo(run, claim))
}

/** Failures that every issue of the adapter would meet: they stop the adapter and are not the issue's fault. */
const blocksAdapter = (reason: string): boolean =>
  ["agent_auth", "agent_billing", "agent_not_found", "credential_missing", "sandbox_unavailable"].includes(
    reason
  )

/**
 * A report of a run. A run that the state does not know is fenced. `outdated`: the run had other settings than
 * those in force, so that what was wrong with them says nothing.
 */
export const reactToReport = (
  state: SchedulerState,
  policy: Policy,
  id: RunId,
  report: RunReport,
  at: number,
  outdated: boolean
): Reaction<void, RunFenced> => {
  const run = state.runs[id]
  const issue = run === undefined ? undefined : issueOf(state, run.issue)
  if (run === undefined || issue === undefined) return refused(new RunFenced({ run: id }))
  if (report._tag === "WorkspaceRemoved") {
    return accepted([{ _tag: "WorkspaceRemoved", at, issue: run.issue }], undefined)
  }
  if (report._tag !== "RunEnded") return accepted([{ ...report, at, run: id }], undefined)
  const { outcome } = report
  if (outcome._tag === "Failed" && outcome.class === "configuration" && outcome.reason !== HANDOFF_FAILED) {
    const next = {
      _tag: "Retry",
      kind: "retry",
      attempt: run.retryAttempt ?? 1,
      dueAt: at + Duration.toMillis(CONTINUATION_DELAY),
      class: outcome.class,
      error: outcome.message
    } as const
    const ended = { _tag: "RunEnded", at, run: id, outcome, next } as const
    if (outdated) return accepted([ended], undefined)
    if (blocksAdapter(outcome.reason)) {
      return accepted(
        [{ _tag: "AdapterBlocked", at, adapter: run.adapter, message: outcome.message }, ended],
        undefined
      )
    }
  }
  const next = afterRun(issue, run, outcome, policy, at)
  return accepted([{ _tag: "RunEnded", at, run: id, outcome, next }], undefined)
}

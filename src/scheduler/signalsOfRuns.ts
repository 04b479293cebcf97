import { Deferred, Effect, Queue } from "effect"
import type { RunId } from "../domain/ids.ts"
import type { Workflow } from "../workflow/Workflow.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import type { Input } from "./draft.ts"
import { policyFrom } from "./policy.ts"
import { claimOf, transitionsOf } from "./reactToRun.ts"
import type { Runs } from "./Runs.ts"
import { type RunSignal, RunSignals, SignalRefused } from "./RunSignals.ts"
import type { SchedulerState } from "./state.ts"

interface World {
  readonly inputs: Queue.Queue<Input>
  readonly runs: Runs["Service"]
  readonly workflow: Workflow["Service"]
  readonly remembered: () => SchedulerState
  /** The settings that a live run started with. */
  readonly settingsOf: (run: RunId) => WorkflowDefinition | undefined
}

/** The face that the scheduler shows to agents. */
export const makeRunSignals = ({
  inputs,
  remembered,
  runs,
  settingsOf,
  workflow
}: World): RunSignals["Service"] => {
  const policyOfRun = (run: RunId) =>
    Effect.map(workflow.current, (current) => policyFrom((settingsOf(run) ?? current).config))

  const ended = (run: RunId): SignalRefused =>
    new SignalRefused({ reason: "run_ended", message: `This run (${run}) has ended. Stop.` })

  const viewOf = Effect.fn("RunSignals.view")(function* (run: RunId) {
    const policy = yield* policyOfRun(run)
    const found = remembered().runs[run]
    if (found === undefined) return yield* ended(run)
    return {
      runId: run,
      issueId: found.issue,
      identifier: found.identifier,
      state: found.state,
      session: found.session,
      transitions: transitionsOf(found, policy)
    }
  })

  const submit = Effect.fn("RunSignals.submit")(function* (run: RunId, signal: RunSignal) {
    const found = remembered().runs[run]
    if (found === undefined) return yield* ended(run)
    if (signal._tag !== "AskHuman" && found.done === null) {
      const claim = claimOf(found, yield* policyOfRun(run), signal)
      if (claim instanceof SignalRefused) return yield* claim
      yield* runs.verify(run, claim)
    }
    const reply = yield* Deferred.make<string, SignalRefused>()
    yield* Queue.offer(inputs, { _tag: "Signal", run, signal, reply })
    return yield* Deferred.await(reply)
  })

  return RunSignals.of({ view: viewOf, submit })
}

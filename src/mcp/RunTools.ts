import { Cache, Context, Effect, Layer, type Schema } from "effect"
import type { RunId } from "../domain/ids.ts"
import { sameState } from "../domain/State.ts"
import { RunSignal, RunSignals, type SignalRefused } from "../scheduler/RunSignals.ts"
import { Tracker } from "../tracker/Tracker.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { type CallQuota, makeCallQuota } from "./CallQuota.ts"
import { makeProposals, type Proposals } from "./Proposals.ts"
import type { Grant } from "./RunGrants.ts"
import {
  type ArgumentsRefused,
  decodeArguments,
  jsonSchemaOf,
  MarkDone,
  ProposeIssue,
  RequestHumanSteering,
  transitionTo
} from "./toolArguments.ts"
import { accepted, refused, type ToolResult } from "./ToolResult.ts"
import { TOOL_TEXTS, type ToolName } from "./toolTexts.ts"

export interface ToolDescription {
  readonly name: string
  readonly title: string
  readonly description: string
  /** JSON Schema of the arguments, derived from the schema that decodes them. */
  readonly inputSchema: Readonly<Record<string, unknown>>
}

/** Runs whose quotas are remembered: far more than run at once, so only ended runs are forgotten. */
const REMEMBERED_RUNS = 1024

/** Calls of one run. Each is journaled or read by a person. */
const CALLS = { burst: 60, refillMs: 1000 }

/** What one run may still do. */
interface Quotas {
  readonly calls: CallQuota
  readonly proposals: Proposals
}

const describe = (name: ToolName, schema: Schema.Top): ToolDescription => ({
  name,
  ...TOOL_TEXTS[name],
  inputSchema: jsonSchemaOf(schema)
})

const markDone = describe("mark_done", MarkDone)
const requestHumanSteering = describe("request_human_steering", RequestHumanSteering)
const proposeIssue = describe("propose_issue", ProposeIssue)

const decodeMarkDone = decodeArguments(MarkDone)
const decodeRequestHumanSteering = decodeArguments(RequestHumanSteering)
const decodeProposeIssue = decodeArguments(ProposeIssue)

/**
 * The tools of a run, apart from any wire format. Bad arguments, refusals and floods are results with
 * `isError`, so that the agent can mend them.
 */
export class RunTools extends Context.Service<
  RunTools,
  {
    readonly list: (grant: Grant) => Effect.Effect<ReadonlyArray<ToolDescription>>
    readonly call: (grant: Grant, name: string, args: unknown) => Effect.Effect<ToolResult>
  }
>()("symphony/mcp/RunTools") {
  static readonly layer: Layer.Layer<RunTools, never, RunSignals | Tracker | Workflow> = Layer.effect(
    RunTools,
    Effect.gen(function* () {
      const signals = yield* RunSignals
      const tracker = yield* Tracker
      const workflow = yield* Workflow
      const quotas = yield* Cache.make<RunId, Quotas>({
        capacity: REMEMBERED_RUNS,
        lookup: () => Effect.all({ calls: makeCallQuota(CALLS), proposals: makeProposals(tracker, workflow) })
      })

      /** None when the run has ended: then no call is taken anyway. */
      const transitionsOf = (grant: Grant) =>
        signals.view(grant.runId).pipe(
          Effect.map((view) => view.transitions),
          Effect.catchTag("SignalRefused", () => Effect.succeed<ReadonlyArray<string>>([]))
        )

      /** What logs name beside the grant, while the run is there. */
      const whoseOf = (grant: Grant): Effect.Effect<Readonly<Record<string, string>>> =>
        signals.view(grant.runId).pipe(
          Effect.map(({ issueId, session }) => ({
            issue_id: issueId,
            ...(session === null ? {} : { session_id: session })
          })),
          Effect.catchTag("SignalRefused", () => Effect.succeed({}))
        )

      const list = Effect.fn("RunTools.list")(function* (grant: Grant) {
        const states = yield* transitionsOf(grant)
        return [
          markDone,
          requestHumanSteering,
          ...(states.length === 0 ? [] : [describe("transition", transitionTo(states))]),
          proposeIssue
        ]
      })

      const submit = (grant: Grant, signal: RunSignal) =>
        signals.submit(grant.runId, signal).pipe(Effect.map(accepted))

      const transition = Effect.fnUntraced(function* (grant: Grant, args: unknown) {
        const { transitions } = yield* signals.view(grant.runId)
        if (transitions.length === 0) {
          return refused("Your issue may not be moved by you. Call mark_done when the work is finished.")
        }
        const { notes, to_state } = yield* decodeArguments(transitionTo(transitions))(args)
        const declared = transitions.find((name) => sameState(name, to_state)) ?? to_state
        return yield* submit(grant, RunSignal.cases.Transition.make({ toState: declared, notes }))
      })

      const dispatch = Effect.fnUntraced(function* (grant: Grant, name: string, args: unknown) {
        switch (name) {
          case "mark_done": {
            const { summary, title } = yield* decodeMarkDone(args)
            return yield* submit(grant, RunSignal.cases.MarkDone.make({ title: title.trim(), summary }))
          }
          case "request_human_steering": {
            const { context, question } = yield* decodeRequestHumanSteering(args)
            return yield* submit(grant, RunSignal.cases.AskHuman.make({ question, context: context ?? null }))
          }
          case "transition":
            return yield* transition(grant, args)
          case "propose_issue": {
            const proposal = yield* decodeProposeIssue(args)
            yield* signals.view(grant.runId)
            const { proposals } = yield* Cache.get(quotas, grant.runId)
            return yield* proposals.propose(grant, proposal)
          }
          default:
            return refused(`There is no such tool. Yours are: ${Object.keys(TOOL_TEXTS).join(", ")}.`)
        }
      })

      const call = Effect.fn("RunTools.call")(
        function* (grant: Grant, name: string, args: unknown) {
          const { calls } = yield* Cache.get(quotas, grant.runId)
          const wait = yield* calls.take
          if (wait > 0) {
            yield* Effect.logDebug("an agent floods its tools")
            return refused(`Too many calls. Wait ${wait} s, then call again.`)
          }
          return yield* dispatch(grant, name, args).pipe(
            Effect.catchTags({
              ArgumentsRefused: ({ problems }: ArgumentsRefused) =>
                Effect.succeed(
                  refused(
                    `${name} was not accepted and nothing has changed. Mend this and call it again:\n${problems}`
                  )
                ),
              SignalRefused: ({ message, reason }: SignalRefused) =>
                Effect.logInfo("a tool call was refused").pipe(
                  Effect.annotateLogs({ reason }),
                  Effect.as(refused(message))
                )
            })
          )
        },
        (effect, grant, name) =>
          Effect.flatMap(whoseOf(grant), (whose) =>
            Effect.annotateLogs(effect, {
              ...whose,
              issue_identifier: grant.identifier,
              run: grant.runId,
              tool: Object.hasOwn(TOOL_TEXTS, name) ? name : "unknown"
            })
          )
      )

      return RunTools.of({ list, call })
    })
  )
}

import { createHash } from "node:crypto"
import { DateTime, Effect, Ref, Semaphore } from "effect"
import { parkingState } from "../domain/State.ts"
import type { Tracker } from "../tracker/Tracker.ts"
import type { Workflow } from "../workflow/Workflow.ts"
import type { Grant } from "./RunGrants.ts"
import type { ProposeIssue } from "./toolArguments.ts"
import { accepted, refused, type ToolResult } from "./ToolResult.ts"

/** Issues that one run may propose. */
export const PROPOSALS_PER_RUN = 10

/**
 * The issues that one run has proposed. They land in the state where issues are parked, which is never
 * dispatched from, and name the run that they came from.
 */
export interface Proposals {
  /** The same proposal made again gets the answer of the first and files nothing. */
  readonly propose: (grant: Grant, proposal: typeof ProposeIssue.Type) => Effect.Effect<ToolResult>
}

const normalized = (proposal: typeof ProposeIssue.Type) => ({
  title: proposal.title.trim(),
  description: proposal.description ?? null,
  labels: (proposal.labels ?? []).map((label) => label.trim()),
  priority: proposal.priority ?? null
})

export const makeProposals = (tracker: Tracker["Service"], workflow: Workflow["Service"]) =>
  Effect.gen(function* () {
    const oneAtATime = yield* Semaphore.make(1)
    /** Answers by digest, so that what is kept does not grow with what the agent sends. */
    const answers = yield* Ref.make<ReadonlyMap<string, ToolResult>>(new Map())

    const propose = Effect.fn("Proposals.propose")(
      function* (grant: Grant, proposal: typeof ProposeIssue.Type) {
        const wanted = normalized(proposal)
        const key = createHash("sha256").update(JSON.stringify(wanted)).digest("hex")
        const before = yield* Ref.get(answers)
        const first = before.get(key)
        if (first !== undefined) return first
        if (before.size >= PROPOSALS_PER_RUN) {
          return refused(
            `You have proposed ${PROPOSALS_PER_RUN} issues, which is all that one run may. ` +
              "Put what is left into the summary of your own issue."
          )
        }
        const { config } = yield* workflow.current
        const created = yield* tracker.create({
          ...wanted,
          identifier: null,
          state: parkingState(config.states),
          blockedBy: [],
          extra: {
            proposed_by: grant.identifier,
            proposed_at: DateTime.formatIso(yield* DateTime.now),
            proposed_run: grant.runId
          }
        })
        yield* Effect.logInfo("an agent proposed an issue").pipe(
          Effect.annotateLogs({ proposed: created.identifier, state: created.state })
        )
        const answer = accepted(
          `Proposed as ${created.identifier} in ${created.state}, where a person will look at it. ` +
            "It does not start by itself. Go on with your own issue."
        )
        yield* Ref.set(answers, new Map(before).set(key, answer))
        return answer
      },
      Effect.catchTags({
        IssueRefused: (error) => Effect.succeed(refused(`The proposal was refused: ${error.message}.`)),
        IssueNameTaken: () =>
          Effect.succeed(refused("The proposal was not filed: its number was taken just now. Call again.")),
        TrackerError: (error) =>
          Effect.logError("a proposed issue could not be written", error).pipe(
            Effect.as(
              refused("The proposal could not be written. Call again later, or put it into your summary.")
            )
          )
      }),
      (effect) => oneAtATime.withPermit(effect)
    )

    return { propose } satisfies Proposals
  })

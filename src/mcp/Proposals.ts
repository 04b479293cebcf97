import { DateTime, Effect, Ref, Semaphore } from "effect"
import type { Issue } from "../domain/Issue.ts"
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
  /** What any run of the issue has proposed under this title gets the answer of the first, and files nothing. */
  readonly propose: (grant: Grant, proposal: typeof ProposeIssue.Type) => Effect.Effect<ToolResult>
}

const sameTitle = (left: string, right: string): boolean => {
  const key = (title: string) => title.trim().replaceAll(/\s+/g, " ").toLowerCase()
  return key(left) === key(right)
}

const filed = ({ identifier, state }: Pick<Issue, "identifier" | "state">): ToolResult =>
  accepted(
    `Proposed as ${identifier} in ${state}. It does not start by itself: a person decides about it. ` +
      "Go on with your own issue."
  )

const normalized = (proposal: typeof ProposeIssue.Type) => ({
  title: proposal.title.trim(),
  description: proposal.description ?? null,
  labels: (proposal.labels ?? []).map((label) => label.trim()),
  priority: proposal.priority ?? null
})

export const makeProposals = (tracker: Tracker["Service"], workflow: Workflow["Service"]) =>
  Effect.gen(function* () {
    const oneAtATime = yield* Semaphore.make(1)
    const count = yield* Ref.make(0)

    const propose = Effect.fn("Proposals.propose")(
      function* (grant: Grant, proposal: typeof ProposeIssue.Type) {
        const wanted = normalized(proposal)
        const first = (yield* tracker.snapshot).issues.find(
          ({ proposedBy, title }) => proposedBy === grant.identifier && sameTitle(title, wanted.title)
        )
        if (first !== undefined) return filed(first)
        if ((yield* Ref.get(count)) >= PROPOSALS_PER_RUN) {
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
        yield* Ref.update(count, (n) => n + 1)
        return filed(created)
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

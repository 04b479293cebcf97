import { createHash } from "node:crypto"
import { Context, Effect, Layer, Schema } from "effect"
import { Board, type BoardIssue, type BoardSnapshot } from "../board/Board.ts"
import { type CommandRefused, type OperatorCommand, Scheduler } from "../scheduler/Scheduler.ts"
import { type NewIssue, Tracker } from "../tracker/Tracker.ts"
import { QuestionId, type RunId } from "../domain/ids.ts"
import { BadRequest, Conflict, NotFound, Unavailable } from "./api/Api.ts"

const notFound = (message: string): NotFound => new NotFound({ error: { code: "issue_not_found", message } })

export const badRequest = (message: string, field?: string): BadRequest =>
  new BadRequest({
    error: { code: "bad_request", message, ...(field === undefined ? {} : { field }) }
  })

const refused = ({ message, reason }: CommandRefused): BadRequest | NotFound | Conflict | Unavailable => {
  switch (reason) {
    case "issue_not_found":
      return new NotFound({ error: { code: reason, message } })
    case "unknown_state":
      return new BadRequest({ error: { code: reason, message } })
    case "not_durable":
    case "stopping":
      return new Unavailable({ error: { code: reason, message } })
    case "no_pending_steering":
    case "already_answered":
    case "not_running":
    case "nothing_to_review":
    case "nothing_to_hand_over":
    case "nothing_to_retry":
    case "name_taken":
    case "run_active":
      return new Conflict({ error: { code: reason, message } })
  }
}

export const findIssue = (board: BoardSnapshot, identifier: string): BoardIssue | undefined =>
  board.issues.find((issue) => issue.identifier === identifier)

/** Why an issue is not on the board: nobody filed it, or its file, which is called as it is, cannot be read. */
export const absence = (board: BoardSnapshot, identifier: string): string => {
  const problem = board.problems.find(
    ({ source, where }) =>
      source === "tracker" && where.replace(/(:\d+){1,2}$/, "").endsWith(`/${identifier}.md`)
  )
  return problem === undefined
    ? `There is no issue ${identifier} in ${board.trackerRoot}.`
    : `The file of ${identifier} cannot be read: ${problem.where}: ${problem.message}.`
}

/** Whom a review would be sent back to is at work already, and does not read the issue again. */
const underWay = (run: RunId): Conflict =>
  new Conflict({
    error: {
      code: "run_active",
      message: `Run ${run} is under way. Comments are taken when its agent asks, or when its run has ended.`
    }
  })

const isQuestionId = Schema.is(QuestionId)

export interface Review {
  readonly purpose: "answer" | "note" | "send_back"
  /** The one that an answer is meant for; null: whatever is open. */
  readonly question: string | null
  readonly heading: string
  readonly text: string
}

export type OperationError = BadRequest | NotFound | Conflict | Unavailable

const make = Effect.gen(function* () {
  const board = yield* Board
  const scheduler = yield* Scheduler
  const tracker = yield* Tracker

  const issue = Effect.fnUntraced(function* (identifier: string) {
    const snapshot = yield* board.snapshot
    const found = findIssue(snapshot, identifier)
    return found === undefined ? yield* notFound(absence(snapshot, identifier)) : found
  })

  const command = (wanted: OperatorCommand) => Effect.mapError(scheduler.command(wanted), refused)

  const onIssue = (identifier: string, wanted: (issue: BoardIssue) => OperatorCommand) =>
    Effect.flatMap(issue(identifier), (found) => command(wanted(found)))

  const answer = Effect.fnUntraced(function* (identifier: string, question: string | null, text: string) {
    const reply = text.trim()
    if (reply === "") return yield* badRequest("text is required and must not be empty.", "text")
    if (question !== null && !isQuestionId(question)) return yield* badRequest("question is not an id.")
    return yield* onIssue(identifier, ({ id }) => ({ _tag: "Answer", issue: id, question, text: reply }))
  })

  const notWritten = (error: { readonly message: string }) =>
    Effect.andThen(
      Effect.logError("a review could not be written into its issue", error),
      Effect.fail(new Unavailable({ error: { code: "not_written", message: error.message } }))
    )

  /** Into the issue's own text, where the next run reads it. The same about the same run is written once. */
  const note = ({ history, id }: BoardIssue, heading: string, text: string) => {
    const about = JSON.stringify([history.at(-1)?.run ?? null, heading, text])
    const key = createHash("sha256").update(about).digest("hex").slice(0, 16)
    return tracker.append(id, { key, heading, text }).pipe(
      Effect.catchTags({
        IssueNotFound: (error) => Effect.fail(notFound(error.message)),
        IssueUnreadable: notWritten,
        TrackerError: notWritten
      })
    )
  }

  return {
    issue,
    command,
    refresh: scheduler.refresh,
    stop: (identifier: string) => onIssue(identifier, ({ id }) => ({ _tag: "Stop", issue: id })),
    retry: (identifier: string) => onIssue(identifier, ({ id }) => ({ _tag: "RetryNow", issue: id })),
    move: (identifier: string, to: string) =>
      onIssue(identifier, ({ id }) => ({ _tag: "Move", issue: id, to })),
    handOver: (identifier: string) => onIssue(identifier, ({ id }) => ({ _tag: "HandOver", issue: id })),
    reviewed: (identifier: string) => onIssue(identifier, ({ id }) => ({ _tag: "Review", issue: id })),
    /** `question: null` answers whatever is open. */
    answer,
    /**
     * Comments of a reviewer, as one message: the answer to an open question, a note in the issue, or a note
     * with which the issue goes back to its first active state.
     */
    review: Effect.fnUntraced(function* (identifier: string, { heading, purpose, question, text }: Review) {
      if (text.trim() === "") return yield* badRequest("There is no comment to send.", "text")
      if (purpose === "answer") return yield* answer(identifier, question, text)
      const found = yield* issue(identifier)
      if (purpose === "note") return yield* note(found, heading, text)
      if (found.run !== null) return yield* underWay(found.run.run)
      const first = (yield* board.snapshot).states.find(({ role }) => role === "active")
      if (first === undefined) return yield* badRequest("No state is declared to start issues from.")
      yield* note(found, heading, text)
      return yield* onIssue(identifier, ({ id }) => ({ _tag: "Move", issue: id, to: first.name }))
    }),
    create: (wanted: NewIssue) =>
      tracker.create(wanted).pipe(
        Effect.catchTags({
          IssueRefused: (error) => Effect.fail(badRequest(error.message, error.field)),
          IssueNameTaken: (error) =>
            Effect.fail(
              new Conflict({
                error: { code: "create_failed", message: error.message, field: "identifier" }
              })
            ),
          TrackerError: (error) =>
            Effect.andThen(
              Effect.logError("an issue could not be filed", error),
              Effect.fail(new Conflict({ error: { code: "create_failed", message: error.message } }))
            )
        })
      )
  }
})

/** What an operator may do, the same for scripts and for pages. Fails with the errors of the API. */
export class Operations extends Context.Service<Operations, Effect.Success<typeof make>>()(
  "symphony/http/Operations"
) {
  static readonly layer = Layer.effect(Operations, make)
}

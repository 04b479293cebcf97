import { Clock, Effect, Layer, SchemaIssue } from "effect"
import { HttpApiBuilder, HttpApiMiddleware } from "effect/http-api"
import { Board } from "../../board/Board.ts"
import type { HandoffError } from "../../handoff/Handoff.ts"
import { Transcripts } from "../../journal/Transcripts.ts"
import { attentionResponse } from "../dashboard/attention.tsx"
import { findDiff } from "../findDiff.ts"
import { findWork } from "../findWork.ts"
import { Api, type BadRequest, Conflict, Forbidden, NotFound, RequestErrors, Unavailable } from "./Api.ts"
import { isoTime } from "../isoTime.ts"
import { badRequest, Operations } from "../operations.ts"
import { issueDetail, issueList, stateResponse } from "./view.ts"

const RECENT_EVENTS = 50
const TRANSCRIPT_PAGE = 200

const nothingYet = (message: string): NotFound => new NotFound({ error: { code: "not_found", message } })

const noSuchCommit = (identifier: string): NotFound =>
  nothingYet(`There is no such commit in this change of ${identifier}.`)

const handoffFailed = ({ message }: HandoffError): Unavailable =>
  new Unavailable({ error: { code: "handoff_failed", message } })

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** What does not decode, named in full. */
const undecodable = (issue: SchemaIssue.Issue): BadRequest => {
  const faults = format(issue).issues.map(({ message, path = [] }) => ({
    path: path.map(String),
    message
  }))
  return badRequest(
    faults
      .map(({ message, path }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
      .join("; "),
    faults.length === 1 ? faults[0]?.path[0] : undefined
  )
}

/** A response that does not encode is ours to mend; anything else is the caller's. */
const requestErrors = HttpApiMiddleware.layerSchemaErrorTransform(RequestErrors, (error) =>
  error.kind === "Body" || error.kind === "ResponseHeaders"
    ? Effect.die(error)
    : Effect.fail(undecodable(error.cause.issue))
)

const nowIso = Effect.map(Clock.currentTimeMillis, isoTime)

const orchestrator = HttpApiBuilder.group(
  Api,
  "orchestrator",
  Effect.fnUntraced(function* (handlers) {
    const board = yield* Board
    const operations = yield* Operations
    return handlers.handleAll({
      state: () => Effect.map(board.snapshot, stateResponse),
      refresh: () =>
        Effect.gen(function* () {
          const requested_at = yield* nowIso
          const { coalesced } = yield* operations.refresh
          return { queued: true, coalesced, requested_at, operations: ["poll", "reconcile"] as const }
        }),
      pause: () => Effect.as(operations.command({ _tag: "Pause" }), { mode: "paused" } as const),
      drain: () => Effect.as(operations.command({ _tag: "Drain" }), { mode: "draining" } as const),
      resume: () => Effect.as(operations.command({ _tag: "Resume" }), { mode: "running" } as const)
    })
  })
)

const issues = HttpApiBuilder.group(
  Api,
  "issues",
  Effect.fnUntraced(function* (handlers) {
    const board = yield* Board
    const transcripts = yield* Transcripts
    const operations = yield* Operations

    const accepted = Effect.fnUntraced(function* (identifier: string) {
      return { identifier, accepted_at: yield* nowIso }
    })

    const detail = Effect.fnUntraced(function* (identifier: string) {
      const issue = yield* operations.issue(identifier)
      const run = issue.run?.run ?? issue.history.at(-1)?.run
      if (run === undefined) return issueDetail(issue, [])
      const { entries } = yield* transcripts.page(issue.identifier, run, {
        before: null,
        limit: RECENT_EVENTS
      })
      return issueDetail(issue, entries)
    })

    return handlers.handleAll({
      list: () => Effect.map(board.snapshot, issueList),
      create: ({ payload }) =>
        operations.create({
          identifier: payload.identifier ?? null,
          title: payload.title,
          state: payload.state ?? null,
          description: payload.description ?? null,
          priority: payload.priority ?? null,
          labels: payload.labels ?? [],
          blockedBy: payload.blocked_by ?? [],
          extra: {}
        }),
      detail: ({ params }) => detail(params.identifier),
      shortDetail: ({ params }) => detail(params.identifier),
      reply: Effect.fnUntraced(function* ({ params, payload, request }) {
        const isForm = !(request.headers["content-type"] ?? "").includes("json")
        const isHtmx = request.headers["hx-request"] === "true"
        if (isForm && !isHtmx) {
          return yield* new Forbidden({
            error: { code: "forbidden", message: "A form needs HX-Request: true. Scripts send JSON." }
          })
        }
        const answered = operations.answer(params.identifier, payload.question ?? null, payload.text)
        if (!isHtmx) return yield* Effect.andThen(answered, accepted(params.identifier))
        const refused = yield* Effect.match(answered, {
          onFailure: ({ error }) => ({
            identifier: params.identifier,
            question: payload.question ?? null,
            text: payload.text,
            message: error.message
          }),
          onSuccess: () => null
        })
        return attentionResponse(yield* board.snapshot, refused)
      }),
      stop: ({ params }) => Effect.andThen(operations.stop(params.identifier), accepted(params.identifier)),
      retry: ({ params }) => Effect.andThen(operations.retry(params.identifier), accepted(params.identifier)),
      move: ({ params, payload }) =>
        Effect.andThen(operations.move(params.identifier, payload.to), accepted(params.identifier)),
      review: ({ params: { identifier }, payload: { purpose, text } }) =>
        Effect.andThen(
          operations.review(identifier, { purpose, question: null, heading: "Review", text }),
          accepted(identifier)
        ),
      handOver: ({ params }) =>
        Effect.andThen(operations.handOver(params.identifier), accepted(params.identifier)),
      reviewed: ({ params }) =>
        Effect.andThen(operations.reviewed(params.identifier), accepted(params.identifier)),
      diff: Effect.fnUntraced(
        function* ({ params, query: { commit = null } }) {
          const found = yield* findDiff(yield* operations.issue(params.identifier), commit)
          if (found === null)
            return yield* nothingYet(`No run of ${params.identifier} has handed anything over.`)
          if (commit !== null && found.commit === null) return yield* noSuchCommit(params.identifier)
          const { runId, ...diff } = found
          return { run_id: runId, ...diff }
        },
        Effect.catchTag("HandoffError", (error) => Effect.fail(handoffFailed(error)))
      ),
      work: Effect.fnUntraced(
        function* ({ params, query: { commit = null } }) {
          const found = yield* findWork(yield* operations.issue(params.identifier), commit)
          if (found === null) return yield* nothingYet(`${params.identifier} has no workspace.`)
          if (commit !== null && found.commit === null) return yield* noSuchCommit(params.identifier)
          const { leftOut, takenAt, ...work } = found
          return { ...work, taken_at: isoTime(takenAt), left_out: leftOut }
        },
        Effect.catchTag("HandoffError", (error) =>
          Effect.fail(
            error.reason === "hostile" || error.reason === "unverified"
              ? new Conflict({ error: { code: "not_verified", message: error.message } })
              : handoffFailed(error)
          )
        )
      ),
      transcript: Effect.fnUntraced(function* ({ params, query }) {
        const issue = yield* operations.issue(params.identifier)
        if (issue.run?.run !== params.run && !issue.history.some(({ run }) => run === params.run)) {
          return yield* nothingYet(`${params.run} is no run of ${params.identifier} that is remembered.`)
        }
        return yield* transcripts.page(issue.identifier, params.run, {
          before: query.before ?? null,
          limit: query.limit ?? TRANSCRIPT_PAGE
        })
      })
    })
  })
)

export const apiRoutes = HttpApiBuilder.layer(Api, { openapiPath: "/api/v1/openapi.json" }).pipe(
  Layer.provide([orchestrator, issues]),
  Layer.provide(requestErrors)
)

import { Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { BadRequest, Conflict, NotFound } from "../api/Api.ts"
import { failure } from "../failures.ts"
import { badRequest, type OperationError, Operations } from "../operations.ts"
import { messagePage } from "./messagePage.tsx"
import { issuePath } from "./pieces.tsx"

const statusOf = (error: OperationError): number => {
  if (error instanceof BadRequest) return 400
  if (error instanceof NotFound) return 404
  return error instanceof Conflict ? 409 : 503
}

/** Blank fields of a form are fields that nobody filled in. */
const filled = (value: string | undefined): string | null => {
  const text = (value ?? "").trim()
  return text === "" ? null : text
}

const Text = Schema.optional(Schema.String)
const NewIssueForm = Schema.Struct({
  title: Schema.String,
  description: Text,
  state: Text,
  priority: Text,
  labels: Text,
  identifier: Text
})
const AnswerForm = Schema.Struct({ text: Schema.String, question: Text })
const Several = Schema.optional(Schema.Union([Schema.String, Schema.Array(Schema.String)]))
const ReviewForm = Schema.Struct({
  run: Schema.String,
  text: Text,
  purpose: Schema.Literals(["answer", "note", "send_back"]),
  at: Several,
  comment: Several
})
const MoveForm = Schema.Struct({ to: Schema.String })

/** The router matches the path only where there is one. */
const identifierParam = HttpRouter.schemaPathParams(Schema.Struct({ identifier: Schema.String })).pipe(
  Effect.map(({ identifier }) => identifier),
  Effect.orDie
)

/** A body that is too long or breaks off is answered by the guard. */
const form = <A>(
  schema: Schema.Codec<A, Readonly<Record<string, string | ReadonlyArray<string> | undefined>>>
) =>
  HttpServerRequest.schemaBodyUrlParams(schema).pipe(
    Effect.catchTag("HttpServerError", Effect.die),
    Effect.mapError(() => badRequest("A field of the form is missing or is there twice."))
  )

/**
 * A route for what a form asks for. Afterwards a browser without script is led on to a page, and htmx is told
 * to refresh the one that is there.
 */
const action = <R>(
  path: HttpRouter.PathInput,
  run: (operations: Operations["Service"]) => Effect.Effect<string, OperationError, R>
) =>
  HttpRouter.add("POST", path, (request) => {
    const isHtmx = request.headers["hx-request"] === "true"
    return Operations.pipe(
      Effect.flatMap(run),
      Effect.match({
        onSuccess: (next) =>
          isHtmx
            ? HttpServerResponse.empty({ status: 204, headers: { "hx-trigger": "accepted, refreshed" } })
            : HttpServerResponse.redirect(next, { status: 303 }),
        onFailure: (error) =>
          isHtmx
            ? failure(statusOf(error), error.error.code, error.error.message)
            : messagePage(statusOf(error), "That did not work", error.error.message, "/")
      })
    )
  })

const issueAction = <R>(
  name: string,
  run: (operations: Operations["Service"], identifier: string) => Effect.Effect<unknown, OperationError, R>
) =>
  action(`/issues/:identifier/${name}`, (operations) =>
    Effect.flatMap(identifierParam, (identifier) =>
      Effect.as(run(operations, identifier), issuePath(identifier))
    )
  )

const integer = (text: string | null) =>
  text === null
    ? Effect.succeed(null)
    : /^-?\d{1,9}$/.test(text)
      ? Effect.succeed(Number(text))
      : Effect.fail(badRequest("priority is not a whole number."))

const create = (operations: Operations["Service"]) =>
  Effect.gen(function* () {
    const fields = yield* form(NewIssueForm)
    const created = yield* operations.create({
      title: fields.title,
      identifier: filled(fields.identifier),
      state: filled(fields.state),
      description: filled(fields.description),
      priority: yield* integer(filled(fields.priority)),
      labels: (fields.labels ?? "").split(",").flatMap((label) => filled(label) ?? []),
      blockedBy: [],
      extra: {}
    })
    return issuePath(created.identifier)
  })

const list = (value: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  value === undefined ? [] : typeof value === "string" ? [value] : value

/** All comments as one text, each under the line it is about. */
const reviewText = ({ at, comment, text }: typeof ReviewForm.Type): string => {
  const places = list(at)
  const comments = list(comment).flatMap((said, index) =>
    filled(said) === null ? [] : [`${places[index] ?? "somewhere"}\n${said.trim()}`]
  )
  return [...comments, ...(filled(text) === null ? [] : [filled(text)])].join("\n\n")
}

const review = ({ review }: Operations["Service"], identifier: string) =>
  Effect.flatMap(form(ReviewForm), (fields) =>
    review(identifier, fields.purpose, `Review of ${fields.run}`, reviewText(fields))
  )

export const actionRoutes = Layer.mergeAll(
  action("/do/refresh", ({ refresh }) => Effect.as(refresh, "/")),
  action("/do/pause", ({ command }) => Effect.as(command({ _tag: "Pause" }), "/")),
  action("/do/drain", ({ command }) => Effect.as(command({ _tag: "Drain" }), "/")),
  action("/do/resume", ({ command }) => Effect.as(command({ _tag: "Resume" }), "/")),
  action("/issues", create),
  issueAction("answer", ({ answer }, identifier) =>
    Effect.flatMap(form(AnswerForm), ({ question, text }) => answer(identifier, filled(question), text))
  ),
  issueAction("review", review),
  issueAction("stop", ({ stop }, identifier) => stop(identifier)),
  issueAction("handoff", ({ handOver }, identifier) => handOver(identifier)),
  issueAction("reviewed", ({ reviewed }, identifier) => reviewed(identifier)),
  issueAction("retry", ({ retry }, identifier) => retry(identifier)),
  issueAction("move", ({ move }, identifier) =>
    Effect.flatMap(form(MoveForm), ({ to }) => move(identifier, to))
  )
)

import { Duration, Effect, Layer, Schema, SchemaTransformation, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { VNode } from "preact"
import { BadRequest, Conflict, NotFound } from "../api/Api.ts"
import { Board, type BoardIssue, type BoardSnapshot } from "../../board/Board.ts"
import { findUnsaved } from "../unsaved.ts"
import { badRequest, findIssue, type OperationError, Operations } from "../operations.ts"
import { messagePage } from "./messagePage.tsx"
import { issuePath } from "./pieces.tsx"
import { RefusedAnswerPage, RefusedIssuePage, RefusedReviewPage } from "./refusedPage.tsx"
import { pageResponse } from "./render.ts"
import { roleIn } from "./roles.ts"

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

/** As people type: a browser ends the lines of a form with CR LF. */
const Typed = Schema.String.pipe(
  Schema.decode(
    SchemaTransformation.transform({
      decode: (text: string) => text.replaceAll("\r\n", "\n"),
      encode: (text) => text
    })
  )
)
const Text = Schema.optional(Typed)
const NewIssueForm = Schema.Struct({
  title: Typed,
  description: Text,
  state: Text,
  priority: Text,
  labels: Text,
  identifier: Text
})
const AnswerForm = Schema.Struct({ text: Typed, question: Text })
const Several = Schema.optional(Schema.Union([Typed, Schema.Array(Typed)]))
const ReviewForm = Schema.Struct({
  run: Schema.String,
  /** The page that was commented on. */
  page: Schema.optional(Schema.Literals(["diff", "work"])),
  text: Text,
  purpose: Schema.Literals(["answer", "note", "send_back"]),
  /** The one that was on the page. */
  question: Text,
  at: Several,
  comment: Several
})
/** `confirmed`: the person was told what it costs. */
const Confirmed = { confirmed: Text }
const StopForm = Schema.Struct(Confirmed)
const MoveForm = Schema.Struct({ to: Schema.String, ...Confirmed })

/** The router matches the path only where there is one. */
const identifierParam = HttpRouter.schemaPathParams(Schema.Struct({ identifier: Schema.String })).pipe(
  Effect.map(({ identifier }) => identifier),
  Effect.orDie
)

type FormSchema<A> = Schema.Codec<A, Readonly<Record<string, string | ReadonlyArray<string> | undefined>>>

/** A body that is too long or breaks off is answered by the guard. */
const form = <A>(schema: FormSchema<A>) =>
  HttpServerRequest.schemaBodyUrlParams(schema).pipe(
    Effect.catchTag("HttpServerError", Effect.die),
    Effect.mapError(() => badRequest("A field of the form is missing or is there twice."))
  )

const isHtmx = (request: HttpServerRequest.HttpServerRequest): boolean =>
  request.headers["hx-request"] === "true"

/** A browser without script is led on to a page, and htmx is told to refresh the one that is there. */
const taken = (request: HttpServerRequest.HttpServerRequest, next: string) =>
  isHtmx(request)
    ? HttpServerResponse.empty({ status: 204, headers: { "hx-trigger": "accepted, refreshed" } })
    : HttpServerResponse.redirect(next, { status: 303 })

/** Both go to the page on which a person is asked. */
const asked = (request: HttpServerRequest.HttpServerRequest, page: string) =>
  isHtmx(request)
    ? HttpServerResponse.empty({ status: 204, headers: { "hx-redirect": page } })
    : HttpServerResponse.redirect(page, { status: 303 })

/** htmx is told why, since its page still has what was typed; a browser without script gets a page that says it. */
const refused = <R>(
  request: HttpServerRequest.HttpServerRequest,
  error: OperationError,
  page: Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>
) =>
  isHtmx(request)
    ? Effect.succeed(HttpServerResponse.jsonUnsafe({ error: error.error }, { status: statusOf(error) }))
    : page

const saysWhy = (error: OperationError, back: string) =>
  messagePage(statusOf(error), "That did not work", error.error.message, back)

/** A route for a button: nothing is typed, so that nothing is lost where it is refused. */
const action = <R1, R2 = never>(
  path: HttpRouter.PathInput,
  run: (operations: Operations["Service"]) => Effect.Effect<string, OperationError, R1>,
  back: Effect.Effect<string, never, R2> = Effect.succeed("/")
) =>
  HttpRouter.add("POST", path, (request) =>
    Operations.pipe(
      Effect.flatMap(run),
      Effect.matchEffect({
        onSuccess: (next) => Effect.succeed(taken(request, next)),
        onFailure: (error) =>
          refused(
            request,
            error,
            Effect.map(back, (path) => saysWhy(error, path))
          )
      })
    )
  )

interface TypedForm<Fields, Target, R1, R2> {
  readonly path: HttpRouter.PathInput
  readonly fields: FormSchema<Fields>
  /** What the address names. */
  readonly target: Effect.Effect<Target, never, R1>
  /** Succeeds with the path to go on to. */
  readonly run: (
    operations: Operations["Service"],
    fields: Fields,
    target: Target
  ) => Effect.Effect<string, OperationError, R2>
  /** The page that has all that was typed, and says why it was refused. */
  readonly again: (
    board: BoardSnapshot,
    refusal: { readonly fields: Fields; readonly target: Target; readonly error: OperationError }
  ) => VNode
}

/** A route for a form that is typed into: where it is refused, nothing of that is lost. */
const typedForm = <Fields, Target, R1, R2>(options: TypedForm<Fields, Target, R1, R2>) =>
  HttpRouter.add("POST", options.path, (request) =>
    Effect.gen(function* () {
      const operations = yield* Operations
      const target = yield* options.target
      const fields = yield* form(options.fields)
      return yield* options.run(operations, fields, target).pipe(
        Effect.map((next) => taken(request, next)),
        Effect.catch((error) =>
          refused(
            request,
            error,
            Effect.map(
              Effect.flatMap(Board, ({ snapshot }) => snapshot),
              (board) => pageResponse(options.again(board, { fields, target, error }), statusOf(error))
            )
          )
        )
      )
    }).pipe(Effect.catch((error) => refused(request, error, Effect.succeed(saysWhy(error, "/")))))
  )

const issueAction = <R>(
  name: string,
  run: (operations: Operations["Service"], identifier: string) => Effect.Effect<unknown, OperationError, R>
) =>
  action(
    `/issues/:identifier/${name}`,
    (operations) =>
      Effect.flatMap(identifierParam, (identifier) =>
        Effect.as(run(operations, identifier), issuePath(identifier))
      ),
    Effect.map(identifierParam, issuePath)
  )

interface CostlyAction<Fields> {
  readonly name: string
  readonly fields: FormSchema<Fields>
  /** Where a person is asked; null: nothing ends by it. */
  readonly ask: (fields: Fields, issue: BoardIssue, board: BoardSnapshot) => string | null
  readonly run: (
    operations: Operations["Service"],
    identifier: string,
    fields: Fields
  ) => Effect.Effect<unknown, OperationError>
}

/** As `issueAction`, for what may cost work: where it does, a person is asked unless they were. */
const costlyAction = <Fields extends { readonly confirmed?: string | undefined }>(
  options: CostlyAction<Fields>
) =>
  HttpRouter.add("POST", `/issues/:identifier/${options.name}`, (request) =>
    Effect.gen(function* () {
      const operations = yield* Operations
      const identifier = yield* identifierParam
      const path = issuePath(identifier)
      return yield* Effect.gen(function* () {
        const fields = yield* form(options.fields)
        const issue = yield* operations.issue(identifier)
        const page = options.ask(fields, issue, yield* (yield* Board).snapshot)
        if (page !== null && fields.confirmed === undefined) {
          const unsaved = yield* findUnsaved(issue)
          if (unsaved._tag !== "Nothing") return asked(request, `${path}/${page}`)
        }
        yield* options.run(operations, identifier, fields)
        return taken(request, path)
      }).pipe(Effect.catch((error) => refused(request, error, Effect.succeed(saysWhy(error, path)))))
    })
  )

/** A run ends unless the issue is still one to start; a workspace, where the issue does. */
const isEndedBy = (to: string, issue: BoardIssue, board: BoardSnapshot): boolean => {
  const role = roleIn(board, to)
  return role === "terminal" || (role === "holding" && issue.run !== null)
}

const integer = (text: string | null) =>
  text === null
    ? Effect.succeed(null)
    : /^-?\d{1,9}$/.test(text)
      ? Effect.succeed(Number(text))
      : Effect.fail(badRequest("priority is not a whole number.", "priority"))

const fieldOf = ({ error }: OperationError): string | undefined =>
  "field" in error ? error.field : undefined

/** How long a person who has filed an issue waits for its page. */
const PATIENCE = Duration.seconds(2)

/** The board hears of a new file a moment after it was written. */
const untilOnBoard = Effect.fnUntraced(function* (identifier: string) {
  const board = yield* Board
  yield* Stream.merge(Stream.succeed(undefined), board.changes).pipe(
    Stream.mapEffect(() => board.snapshot),
    Stream.takeUntil((snapshot) => findIssue(snapshot, identifier) !== undefined),
    Stream.runDrain,
    Effect.timeoutOption(PATIENCE)
  )
})

const newIssueForm = typedForm({
  path: "/issues",
  fields: NewIssueForm,
  target: Effect.void,
  run: (operations, fields) =>
    Effect.gen(function* () {
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
      yield* untilOnBoard(created.identifier)
      return issuePath(created.identifier)
    }),
  again: (board, { error, fields }) =>
    RefusedIssuePage({
      board,
      refused: { typed: fields, message: error.error.message, field: fieldOf(error) }
    })
})

const answerForm = typedForm({
  path: "/issues/:identifier/answer",
  fields: AnswerForm,
  target: identifierParam,
  run: ({ answer }, { question, text }, identifier) =>
    Effect.as(answer(identifier, filled(question), text), issuePath(identifier)),
  again: (board, { error, fields, target }) =>
    RefusedAnswerPage({
      board,
      issue: findIssue(board, target),
      refused: {
        identifier: target,
        question: filled(fields.question),
        text: fields.text,
        message: error.error.message
      }
    })
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

const reviewForm = typedForm({
  path: "/issues/:identifier/review",
  fields: ReviewForm,
  target: identifierParam,
  run: ({ review }, fields, identifier) =>
    Effect.as(
      review(identifier, {
        purpose: fields.purpose,
        question: filled(fields.question),
        heading: `Review of ${fields.run}`,
        text: reviewText(fields)
      }),
      issuePath(identifier)
    ),
  again: (board, { error, fields, target }) =>
    RefusedReviewPage({
      board,
      issue: findIssue(board, target),
      refused: {
        identifier: target,
        run: fields.run,
        page: fields.page ?? "diff",
        purpose: fields.purpose,
        text: reviewText(fields),
        message: error.error.message
      }
    })
})

export const actionRoutes = Layer.mergeAll(
  action("/do/refresh", ({ refresh }) => Effect.as(refresh, "/")),
  action("/do/pause", ({ command }) => Effect.as(command({ _tag: "Pause" }), "/")),
  action("/do/drain", ({ command }) => Effect.as(command({ _tag: "Drain" }), "/")),
  action("/do/resume", ({ command }) => Effect.as(command({ _tag: "Resume" }), "/")),
  newIssueForm,
  answerForm,
  reviewForm,
  costlyAction({
    name: "stop",
    fields: StopForm,
    ask: (_, { run }) => (run === null ? null : "stop"),
    run: ({ stop }, identifier) => stop(identifier)
  }),
  issueAction("handoff", ({ handOver }, identifier) => handOver(identifier)),
  issueAction("reviewed", ({ reviewed }, identifier) => reviewed(identifier)),
  issueAction("retry", ({ retry }, identifier) => retry(identifier)),
  costlyAction({
    name: "move",
    fields: MoveForm,
    ask: ({ to }, issue, board) => (isEndedBy(to, issue, board) ? `move?to=${encodeURIComponent(to)}` : null),
    run: ({ move }, identifier, { to }) => move(identifier, to)
  })
)

import { Schema } from "effect"
import {
  HttpApi,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema,
  OpenApi
} from "effect/http-api"
import { RunId } from "../../domain/ids.ts"
import { version } from "../../package.ts"
import {
  Accepted,
  DiffResponse,
  IssueCreated,
  IssueDetail,
  IssueList,
  ModeResponse,
  MoveBody,
  NewIssueBody,
  RefreshResponse,
  ReviewBody,
  StateResponse,
  SteeringReply,
  TranscriptPage,
  WorkResponse
} from "./model.ts"

const envelope = <const Code extends string>(codes: ReadonlyArray<Code>) => ({
  error: Schema.Struct({ code: Schema.Literals(codes), message: Schema.String })
})

/** `field`: the one at fault, where it is one of those that were sent. */
const envelopeOfField = <const Code extends string>(codes: ReadonlyArray<Code>) => ({
  error: Schema.Struct({
    code: Schema.Literals(codes),
    message: Schema.String,
    field: Schema.optionalKey(Schema.String)
  })
})

export class BadRequest extends Schema.Error<BadRequest>("BadRequest")(
  envelopeOfField(["bad_request", "unknown_state"]),
  { httpApiStatus: 400 }
) {}
export class Unauthorized extends Schema.Error<Unauthorized>("Unauthorized")(envelope(["unauthorized"]), {
  httpApiStatus: 401
}) {}
export class Forbidden extends Schema.Error<Forbidden>("Forbidden")(envelope(["forbidden"]), {
  httpApiStatus: 403
}) {}
export class MethodNotAllowed extends Schema.Error<MethodNotAllowed>("MethodNotAllowed")(
  envelope(["method_not_allowed"]),
  { httpApiStatus: 405 }
) {}
export class PayloadTooLarge extends Schema.Error<PayloadTooLarge>("PayloadTooLarge")(
  envelope(["payload_too_large"]),
  { httpApiStatus: 413 }
) {}
export class UnsupportedMediaType extends Schema.Error<UnsupportedMediaType>("UnsupportedMediaType")(
  envelope(["unsupported_media_type"]),
  { httpApiStatus: 415 }
) {}
export class Misdirected extends Schema.Error<Misdirected>("Misdirected")(envelope(["misdirected_request"]), {
  httpApiStatus: 421
}) {}
export class InternalError extends Schema.Error<InternalError>("InternalError")(
  envelope(["internal_error"]),
  { httpApiStatus: 500 }
) {}
export class NotFound extends Schema.Error<NotFound>("NotFound")(envelope(["issue_not_found", "not_found"]), {
  httpApiStatus: 404
}) {}
export class Conflict extends Schema.Error<Conflict>("Conflict")(
  envelopeOfField([
    "create_failed",
    "no_pending_steering",
    "already_answered",
    "not_running",
    "nothing_to_review",
    "nothing_to_hand_over",
    "nothing_to_retry",
    "name_taken",
    "run_active",
    "not_verified"
  ]),
  { httpApiStatus: 409 }
) {}
export class Unavailable extends Schema.Error<Unavailable>("Unavailable")(
  envelope(["not_durable", "not_written", "handoff_failed", "stopping", "not_serving"]),
  { httpApiStatus: 503 }
) {}

/**
 * What is answered before a route is asked, by the listener and its guard, and what does not decode: the same for all
 * routes. A test holds what is answered to it.
 */
export class RequestErrors extends HttpApiMiddleware.Service<RequestErrors>()("symphony/http/RequestErrors", {
  error: [
    BadRequest,
    Unauthorized,
    Forbidden,
    MethodNotAllowed,
    PayloadTooLarge,
    Misdirected,
    InternalError,
    Unavailable
  ]
}) {}

const accepted = HttpApiSchema.status(202)
const issue = { params: { identifier: Schema.String } }
/** The full id of one commit of the change; the whole when left out. */
const ofCommit = { commit: Schema.optional(Schema.String) }
/** Of a command, beside those of every route. */
const commandErrors = [UnsupportedMediaType, NotFound, BadRequest, Conflict, Unavailable] as const

const orchestrator = HttpApiGroup.make("orchestrator").add(
  HttpApiEndpoint.get("state", "/state", { success: StateResponse }).annotate(
    OpenApi.Summary,
    "Everything that runs, waits or needs a person"
  ),
  HttpApiEndpoint.post("refresh", "/refresh", {
    success: RefreshResponse.pipe(accepted),
    error: UnsupportedMediaType
  }).annotate(OpenApi.Summary, "Scan the tracker and decide now"),
  HttpApiEndpoint.post("pause", "/pause", {
    success: ModeResponse.pipe(accepted),
    error: commandErrors
  }).annotate(OpenApi.Summary, "Start nothing new; what runs goes on"),
  HttpApiEndpoint.post("drain", "/drain", {
    success: ModeResponse.pipe(accepted),
    error: commandErrors
  }).annotate(OpenApi.Summary, "As pause, in order to stop when nothing runs any more"),
  HttpApiEndpoint.post("resume", "/resume", {
    success: ModeResponse.pipe(accepted),
    error: commandErrors
  }).annotate(OpenApi.Summary, "Dispatch again")
)

const issues = HttpApiGroup.make("issues").add(
  HttpApiEndpoint.get("list", "/issues", { success: IssueList }).annotate(OpenApi.Summary, "Every issue"),
  HttpApiEndpoint.post("create", "/issues", {
    payload: NewIssueBody,
    success: IssueCreated.pipe(HttpApiSchema.status(201)),
    error: [UnsupportedMediaType, BadRequest, Conflict]
  }).annotate(OpenApi.Summary, "File an issue; a title is enough"),
  HttpApiEndpoint.get("detail", "/issues/:identifier", {
    ...issue,
    success: IssueDetail,
    error: NotFound
  }).annotate(OpenApi.Summary, "One issue"),
  HttpApiEndpoint.get("shortDetail", "/:identifier", {
    ...issue,
    success: IssueDetail,
    error: NotFound
  }).annotate(OpenApi.Summary, "One issue, unless its identifier is the name of another route"),
  HttpApiEndpoint.post("reply", "/issues/:identifier/steering-reply", {
    ...issue,
    payload: [SteeringReply, SteeringReply.pipe(HttpApiSchema.asFormUrlEncoded())],
    // A form with `HX-Request: true` gets the queue as it is then, with what went wrong in it.
    success: [
      Accepted.pipe(accepted),
      Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/html" }))
    ],
    error: commandErrors
  }).annotate(OpenApi.Summary, "Answer the question an agent asked"),
  HttpApiEndpoint.post("stop", "/issues/:identifier/stop", {
    ...issue,
    success: Accepted.pipe(accepted),
    error: commandErrors
  }).annotate(OpenApi.Summary, "End the run and hold the issue"),
  HttpApiEndpoint.post("retry", "/issues/:identifier/retry", {
    ...issue,
    success: Accepted.pipe(accepted),
    error: commandErrors
  }).annotate(OpenApi.Summary, "Lift a hold, or end a wait; `nothing_to_retry` where there is neither"),
  HttpApiEndpoint.post("move", "/issues/:identifier/move", {
    ...issue,
    payload: MoveBody,
    success: Accepted.pipe(accepted),
    error: commandErrors
  }).annotate(OpenApi.Summary, "Move the issue to another state"),
  HttpApiEndpoint.post("review", "/issues/:identifier/review", {
    ...issue,
    payload: ReviewBody,
    success: Accepted.pipe(accepted),
    error: commandErrors
  }).annotate(OpenApi.Summary, "Comment on what was handed over, all in one message"),
  HttpApiEndpoint.post("handOver", "/issues/:identifier/handoff", {
    ...issue,
    success: Accepted.pipe(accepted),
    error: commandErrors
  }).annotate(OpenApi.Summary, "Try a failed handoff again, without an agent"),
  HttpApiEndpoint.post("reviewed", "/issues/:identifier/reviewed", {
    ...issue,
    success: Accepted.pipe(accepted),
    error: commandErrors
  }).annotate(OpenApi.Summary, "Say that what was handed over has been looked at"),
  HttpApiEndpoint.get("diff", "/issues/:identifier/diff", {
    ...issue,
    query: ofCommit,
    success: DiffResponse,
    error: [NotFound, Unavailable]
  }).annotate(
    OpenApi.Summary,
    "What the newest run that exported anything hands over, whole or one commit of it"
  ),
  HttpApiEndpoint.get("work", "/issues/:identifier/work", {
    ...issue,
    query: ofCommit,
    success: WorkResponse,
    error: [NotFound, Conflict, Unavailable]
  }).annotate(
    OpenApi.Summary,
    "What is in the issue's workspace now and not handed over yet, whole or one commit of it"
  ),
  HttpApiEndpoint.get("transcript", "/issues/:identifier/runs/:run/transcript", {
    params: { identifier: Schema.String, run: RunId },
    query: {
      before: Schema.optional(Schema.NumberFromString.pipe(Schema.check(Schema.isInt()))),
      limit: Schema.optional(
        Schema.NumberFromString.pipe(
          Schema.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 1000 }))
        )
      )
    },
    success: TranscriptPage,
    error: NotFound
  }).annotate(OpenApi.Summary, "What the agent of a run said and did, newest last, those before `before`")
)

/** The JSON API: handlers, routes and the OpenAPI document all come from this. */
export class Api extends HttpApi.make("symphony")
  .add(orchestrator, issues)
  .prefix("/api/v1")
  .middleware(RequestErrors)
  .annotateMerge(
    OpenApi.annotations({
      title: "smol-symphony",
      version,
      description:
        "What the orchestrator knows, and what an operator may ask of it. Every error is `{error: {code, message}}`: " +
        "401 without the token, 403 from a foreign page, 405 with Allow, 413 and 415 for bodies, 421 for a foreign " +
        "Host, 503 with Retry-After while the listener starts or stops. A HEAD is answered as its GET.",
      transform: (document) => ({
        ...document,
        security: [{ operator: [] }],
        components: {
          ...document["components"],
          securitySchemes: {
            operator: { type: "http", scheme: "bearer", description: "The token in `<state.root>/token`." }
          }
        }
      })
    })
  ) {}

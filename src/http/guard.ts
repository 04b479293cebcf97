import { ByteSize, Effect, Option } from "effect"
import { HttpRouter, HttpServer, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { MAX_REQUEST_BYTES } from "../proxy/ModelProxy.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { messagePage } from "./dashboard/messagePage.tsx"
import { failure } from "./failures.ts"
import { OperatorAuth } from "./OperatorAuth.ts"
import {
  allowedHosts,
  hasBody,
  hostName,
  isForeign,
  mediaType,
  pathOf,
  type RequestFacts
} from "./requestRules.ts"
import { signInPage } from "./signInPage.tsx"

/** Longest body of a request, in bytes, but of one for a model. */
export const MAX_BODY_BYTES = 1024 * 1024

/** What a run's own tokens open: its tools, and its model through the host. */
const OF_RUNS = /^\/api\/v1\/issues\/[^/]+\/(mcp$|model\/)/
const MODEL = /^\/api\/v1\/issues\/[^/]+\/model\//
const STEERING_REPLY = /^\/api\/v1\/issues\/[^/]+\/steering-reply$/
/** Readable by everybody, and empty of anything worth reading. */
const PUBLIC = /^\/(healthz|sign-in|assets\/[^/]+)$/

/** `same-origin` and not `no-referrer`: under the latter a browser sends our own forms with `Origin: null`. */
const HEADERS = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'"
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin"
}

const secured = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeaders(response, {
    "cache-control": "no-store",
    ...response.headers,
    ...HEADERS
  })

/** Who asks from where, before anything is looked up. Undefined where nothing speaks against the request. */
const refusalOf = (
  request: RequestFacts,
  hosts: ReadonlySet<string>
): HttpServerResponse.HttpServerResponse | undefined => {
  const host = hostName(request.headers["host"])
  if (request.headers["host"] === undefined) return failure(400, "bad_request", "The Host header is missing.")
  if (host === undefined || !hosts.has(host)) {
    return failure(
      421,
      "misdirected_request",
      "This host name is not one of ours. Add it to server.allowed_hosts in WORKFLOW.md to use it."
    )
  }
  if (pathOf(request.url) === undefined) {
    return failure(400, "bad_request", "The address has a malformed percent-encoding.")
  }
  if (isForeign(request)) {
    return failure(403, "forbidden", "The request comes from a page of another site.")
  }
  const limit = MODEL.test(pathOf(request.url) ?? "") ? MAX_REQUEST_BYTES : MAX_BODY_BYTES
  if (Number(request.headers["content-length"] ?? 0) > limit) {
    return failure(413, "payload_too_large", `A body may have ${limit} bytes.`, {
      connection: "close"
    })
  }
  return undefined
}

/** Media types that a form of another site can send are refused, also where there is nothing to decode. */
const mediaTypeRefusal = (
  request: RequestFacts,
  path: string
): HttpServerResponse.HttpServerResponse | undefined => {
  if (request.method === "GET" || request.method === "HEAD" || !path.startsWith("/api/")) return undefined
  const type = mediaType(request.headers)
  if (type === undefined && !hasBody(request.headers)) return undefined
  if (type === "application/json") return undefined
  if (type === "application/x-www-form-urlencoded" && STEERING_REPLY.test(path)) return undefined
  return failure(415, "unsupported_media_type", "Send the body as application/json.")
}

const bearerOf = (request: RequestFacts): Option.Option<string> =>
  Option.fromNullishOr(/^bearer +([^\s]+)$/i.exec(request.headers["authorization"] ?? "")?.[1])

const wantsPage = (request: RequestFacts): boolean =>
  request.method === "GET" && (request.headers["accept"] ?? "").includes("text/html")

const parseFailure = (
  error: HttpServerError.HttpServerError,
  request: RequestFacts
): HttpServerResponse.HttpServerResponse => {
  switch (error.reason._tag) {
    case "RouteNotFound":
      return wantsPage(request)
        ? messagePage(404, "Nothing here", "There is nothing at this address.", "/")
        : failure(404, "not_found", "There is nothing at this address.")
    case "RequestParseError":
      return error.reason.reason === "BodyTooLarge"
        ? failure(413, "payload_too_large", `A body may have ${MAX_BODY_BYTES} bytes.`, {
            connection: "close"
          })
        : failure(400, "bad_request", "The request cannot be read.")
    case "InternalError":
    case "ResponseError":
      return failure(500, "internal_error", "Symphony failed to answer. Its log says why.")
  }
}

/**
 * Stands before every route: nothing is looked up, read or written for a foreign host, a foreign page or
 * somebody without the token. What it lets pass unasked is listed here, so that a new route is closed by
 * default. An agent's endpoint checks the token of its run itself.
 */
export const guard = HttpRouter.middleware(
  Effect.gen(function* () {
    const auth = yield* OperatorAuth
    const workflow = yield* Workflow
    const { address } = yield* HttpServer.HttpServer
    const bound = address._tag === "UnixPathAddress" ? "" : String(address.address)

    const isOperator = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      if (yield* auth.isOpen) return true
      if (request.headers["authorization"] !== undefined) {
        return Option.exists(bearerOf(request), auth.isToken)
      }
      const session = request.cookies[auth.cookieName]
      return session !== undefined && (yield* auth.isSession(session))
    })

    const answer = <E, R>(
      handle: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
      request: HttpServerRequest.HttpServerRequest
    ) =>
      Effect.gen(function* () {
        const { config } = yield* workflow.current
        const refusal = refusalOf(request, allowedHosts(config, bound))
        if (refusal !== undefined) return refusal
        const path = pathOf(request.url) ?? "/"
        if (!OF_RUNS.test(path)) {
          if (!PUBLIC.test(path) && !(yield* isOperator(request))) {
            return path === "/" || wantsPage(request)
              ? signInPage({ tokenPath: auth.tokenPath, next: request.url, wrong: false })
              : failure(
                  401,
                  "unauthorized",
                  `Send Authorization: Bearer with the token in ${auth.tokenPath}.`,
                  {
                    "www-authenticate": 'Bearer realm="symphony"'
                  }
                )
          }
          const unsupported = mediaTypeRefusal(request, path)
          if (unsupported !== undefined) return unsupported
        }
        return yield* handle
      }).pipe(
        Effect.catch((error) =>
          HttpServerError.isHttpServerError(error)
            ? Effect.succeed(parseFailure(error, request))
            : Effect.fail(error)
        ),
        Effect.catchDefect((defect) =>
          HttpServerError.isHttpServerError(defect)
            ? Effect.succeed(parseFailure(defect, request))
            : Effect.as(
                Effect.logError("a request failed", defect),
                failure(500, "internal_error", "Symphony failed to answer. Its log says why.")
              )
        ),
        Effect.map(secured),
        Effect.provideService(HttpServerRequest.MaxBodySize, ByteSize.fromInputUnsafe(MAX_BODY_BYTES))
      )

    return (handle) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => answer(handle, request))
  }),
  { global: true }
)

import { createMcpHandler, ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server"
import { Cause, Context, Effect, FiberSet, Layer, Option, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { RunId } from "../domain/ids.ts"
import { RunSignals } from "../scheduler/RunSignals.ts"
import { type CallQuota, makeCallQuota } from "./CallQuota.ts"
import { makeMcpServer } from "./mcpServer.ts"
import { type Grant, RunGrants } from "./RunGrants.ts"
import { RunTools } from "./RunTools.ts"

/** Longest body of a call, in bytes. */
export const MAX_BODY_BYTES = 1024 * 1024

/**
 * Requests under one token, of any kind. An agent needs about ten to shake hands and list its tools, and one a call;
 * how often it may call is for its tools to say. What is over it costs a look at the token and no more.
 */
const REQUESTS = { burst: 200, refillMs: 200 }

/** How often it is told that somebody without a token calls. */
const STRANGERS = { burst: 1, refillMs: 60_000 }

const ROUTE = "/api/v1/issues/:identifier/mcp"
const PATH = /^\/api\/v1\/issues\/([^/]+)\/mcp$/

/** A request that never reaches the protocol. */
class Refused extends Schema.TaggedError<Refused>()("Refused", {
  status: Schema.Literals([401, 403, 404, 405, 429]),
  code: Schema.String,
  message: Schema.String,
  headers: Schema.Record(Schema.String, Schema.String)
}) {
  static readonly method = new Refused({
    status: 405,
    code: "method_not_allowed",
    message: "Send calls with POST.",
    headers: { allow: "POST" }
  })
  static readonly noToken = new Refused({
    status: 401,
    code: "unauthorized",
    message: "Send the run's token as Authorization: Bearer.",
    headers: { "www-authenticate": 'Bearer realm="symphony"' }
  })
  static readonly unknownToken = new Refused({
    status: 401,
    code: "unauthorized",
    message: "This token opens nothing: it was never given out, or its run has ended.",
    headers: { "www-authenticate": 'Bearer realm="symphony", error="invalid_token"' }
  })
  static readonly otherIssue = new Refused({
    status: 403,
    code: "forbidden",
    message: "This token is not for the tools of this issue.",
    headers: {}
  })
  static readonly ended = new Refused({
    status: 404,
    code: "not_found",
    message: "The run of this token has ended.",
    headers: {}
  })
  static readonly flood = (seconds: number) =>
    new Refused({
      status: 429,
      code: "too_many_requests",
      message: `Too many requests. Wait ${seconds} s, then go on.`,
      headers: { "retry-after": String(seconds) }
    })
  toResponse(): Response {
    return Response.json(
      { error: { code: this.code, message: this.message } },
      { status: this.status, headers: { "cache-control": "no-store", ...this.headers } }
    )
  }
}

const bearerOf = (request: Request): Option.Option<string> =>
  Option.fromNullishOr(/^bearer +([^\s]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1])

/** Empty where the path names no issue; such a path fits no grant. */
const identifierOf = (request: Request): string => {
  const encoded = PATH.exec(new URL(request.url).pathname)?.[1] ?? ""
  return Option.getOrElse(Option.liftThrowable(decodeURIComponent)(encoded), () => "")
}

/**
 * The tools of a run over MCP: `POST /api/v1/issues/<identifier>/mcp`, under the run's own token. Stateless;
 * serves the revisions 2025-06-18 to 2026-07-28.
 *
 * Told apart: 401, no token or one that opens nothing (also once its run has ended and it was revoked); 403, a
 * token of another issue or for another purpose; 404, a token still held whose run has ended; 405, any other
 * method than POST; 429, a flood.
 */
export class McpEndpoint extends Context.Service<
  McpEndpoint,
  {
    /** Answers one request whole: method, token and protocol. Needs no listener. */
    readonly handle: (request: Request) => Effect.Effect<Response>
  }
>()("symphony/mcp/McpEndpoint") {
  /** `version` is symphony's own, shown to agents. */
  static readonly layer = (
    version: string
  ): Layer.Layer<McpEndpoint, never, RunGrants | RunTools | RunSignals> =>
    Layer.effect(
      McpEndpoint,
      Effect.gen(function* () {
        const grants = yield* RunGrants
        const tools = yield* RunTools
        const signals = yield* RunSignals
        /** The SDK calls back into these: ended with the layer. A client that hangs up does not undo its call. */
        const runPromise = yield* FiberSet.makeRuntimePromise()
        const log = yield* FiberSet.makeRuntime()
        const promised = <A>(effect: Effect.Effect<A>): Promise<A> =>
          runPromise(
            effect.pipe(
              Effect.catchCause((cause) =>
                Effect.andThen(
                  Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("an MCP call failed", cause),
                  Effect.fail(new ProtocolError(ProtocolErrorCode.InternalError, "Internal error"))
                )
              )
            )
          )

        /**
         * A handler for one request. The list of tools never changes during a run, so no subscription is
         * offered: one that is opened all the same is acknowledged and ends, and nothing outlives its request.
         */
        const serve = (grant: Grant, request: Request): Promise<Response> =>
          createMcpHandler(
            () =>
              makeMcpServer(version, {
                list: () => promised(Effect.andThen(grants.markToolsListed(grant.runId), tools.list(grant))),
                offers: (name) =>
                  promised(
                    Effect.map(tools.list(grant), (offered) => offered.some((tool) => tool.name === name))
                  ),
                call: (name, args) => promised(tools.call(grant, name, args))
              }),
            {
              maxRequestBodySize: MAX_BODY_BYTES,
              onerror: (error) =>
                log(
                  Effect.logDebug("an MCP request was refused", error).pipe(
                    Effect.annotateLogs({ issue_identifier: grant.identifier, run: grant.runId })
                  )
                )
            }
          ).fetch(request)

        const known = new WeakMap<Grant, { readonly quota: CallQuota; misused: boolean }>()
        const stateOf = Effect.fnUntraced(function* (grant: Grant) {
          const state = known.get(grant) ?? { quota: yield* makeCallQuota(REQUESTS), misused: false }
          known.set(grant, state)
          return state
        })

        /** Runs of which it has been told that a token of theirs is used although they have ended. */
        const late = new Set<RunId>()
        const tellOfEnded = ({ identifier, runId }: Grant) =>
          Effect.suspend(() => {
            if (late.has(runId)) return Effect.void
            late.add(runId)
            return Effect.logWarning("a token of a run that has ended was refused").pipe(
              Effect.annotateLogs({ issue_identifier: identifier, run: runId })
            )
          })
        const strangers = yield* makeCallQuota(STRANGERS)
        const tellOfStranger = (request: Request) =>
          Effect.flatMap(strangers.take, (wait) =>
            wait > 0
              ? Effect.void
              : Effect.logWarning("a call to an agent's tools without a token of ours was refused").pipe(
                  Effect.annotateLogs({ issue_identifier: identifierOf(request).slice(0, 200) })
                )
          )

        const authorize = Effect.fnUntraced(function* (request: Request) {
          if (request.method !== "POST") return yield* Refused.method
          const token = bearerOf(request)
          if (Option.isNone(token)) {
            yield* tellOfStranger(request)
            return yield* Refused.noToken
          }
          const found = yield* grants.find(token.value)
          if (Option.isNone(found)) {
            yield* Option.match(yield* grants.findEnded(token.value), {
              onNone: () => tellOfStranger(request),
              onSome: tellOfEnded
            })
            return yield* Refused.unknownToken
          }
          const grant = found.value
          const state = yield* stateOf(grant)
          const wait = yield* state.quota.take
          if (wait > 0) return yield* Refused.flood(wait)
          if (grant.purpose !== "mcp" || grant.identifier !== identifierOf(request)) {
            if (!state.misused) {
              state.misused = true
              yield* Effect.logWarning("a run's token was used where it opens nothing").pipe(
                Effect.annotateLogs({
                  issue_identifier: grant.identifier,
                  run: grant.runId,
                  purpose: grant.purpose
                })
              )
            }
            return yield* Refused.otherIssue
          }
          yield* signals
            .view(grant.runId)
            .pipe(Effect.catch(() => Effect.andThen(tellOfEnded(grant), Refused.ended)))
          return grant
        })

        const handle = Effect.fn("McpEndpoint.handle")(
          function* (request: Request) {
            const grant = yield* authorize(request)
            const response = yield* Effect.promise(() => serve(grant, request))
            // The rest of the body is never read, so nothing else can come over this connection.
            if (response.status === 413) response.headers.set("connection", "close")
            return response
          },
          Effect.catchTag("Refused", (refused) => Effect.succeed(refused.toResponse()))
        )

        return McpEndpoint.of({ handle })
      })
    )

  /** Mounts the endpoint; 405 for other methods comes from `handle`. */
  static readonly routes = HttpRouter.add(
    "*",
    ROUTE,
    Effect.gen(function* () {
      const endpoint = yield* McpEndpoint
      const request = yield* HttpServerRequest.HttpServerRequest
      const response = yield* Effect.flatMap(HttpServerRequest.toWeb(request), endpoint.handle)
      return HttpServerResponse.fromWeb(response)
    }).pipe(
      Effect.catchTag(["RequestParseError", "InternalError", "RouteNotFound"], () =>
        Effect.succeed(HttpServerResponse.empty({ status: 400 }))
      )
    )
  )
}

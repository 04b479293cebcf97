import { Context, Duration, Effect, Latch, Layer, Option, Redacted, Schema, type Scope, Stream } from "effect"
import {
  FetchHttpClient,
  HttpClient,
  HttpClientRequest,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import type { ModelApi } from "../agent/modelApis.ts"
import type { Identifier, RunId } from "../domain/ids.ts"
import { addTokens, noTokens, type Tokens, unknownTokens } from "../domain/Tokens.ts"
import { RunGrants } from "../mcp/RunGrants.ts"
import { makeUsageMeter } from "./usageMeter.ts"

/** A model's API with the operator's key for it. */
export interface Upstream {
  readonly api: ModelApi
  /** Without a trailing slash. */
  readonly url: string
  readonly key: Redacted.Redacted
}

/** What a run is given of it. */
export interface ProxiedModel {
  /** Stands in the guest where the key would; opens this run's way to its model and nothing else. */
  readonly placeholder: Redacted.Redacted
  /**
   * Counted since it was last asked for; also once the way is closed. A lower bound when an answer broke off before
   * it told its usage, and while one is under way: for those that are just ending it waits for two seconds.
   */
  readonly takeTokens: Effect.Effect<Tokens>
}

/** A request until its answer has been passed on, or will not be. */
interface UnderWay {
  /** What is not counted yet, asked for once it has ended. */
  rest: () => Tokens
}

interface Way {
  readonly upstream: Upstream
  readonly underWay: Set<UnderWay>
  /** Open while nothing is. */
  readonly idle: Latch.Latch
  counted: Tokens
}

/** Of a connection, not of a message; and what names or unlocks something of the guest's side. */
const NOT_PASSED_UP = new Set([
  "accept-encoding",
  "authorization",
  "connection",
  "content-length",
  "cookie",
  "expect",
  "forwarded",
  "host",
  "keep-alive",
  "origin",
  "proxy-authorization",
  "proxy-connection",
  "referer",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "x-api-key",
  "x-forwarded-for",
  "x-real-ip",
  "x-symphony-length"
])
const NOT_PASSED_DOWN = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "keep-alive",
  "set-cookie",
  "trailer",
  "transfer-encoding",
  "upgrade"
])

const without = (
  headers: Readonly<Record<string, string | undefined>>,
  names: ReadonlySet<string>
): Record<string, string> => {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !names.has(name.toLowerCase())) kept[name] = value
  }
  return kept
}

/** Longest request to a model, in bytes: what the vendors take. */
export const MAX_REQUEST_BYTES = 32 * 1024 * 1024

class RequestTooLarge extends Schema.TaggedError<RequestTooLarge>()("RequestTooLarge", {}) {}

/** Requests of one run that may be under way at a time: agents work with several of their own at once. */
export const MAX_REQUESTS = 32

/** Time that answers which are under way have to end before what they use counts as unknown. */
const SETTLING = Duration.seconds(2)

/** Fetch sends the length of a body that streams when it finds the header; the client above it takes that away. */
const LENGTH = "x-symphony-length"
const fetchWithLength: typeof fetch = (input, init) => {
  const headers = new Headers(init?.headers)
  const length = headers.get(LENGTH)
  headers.delete(LENGTH)
  if (length !== null) headers.set("content-length", length)
  return fetch(input, { ...init, headers })
}

/** In a form that the agents' own clients show to people. */
const refusal = (status: number, message: string, headers: Readonly<Record<string, string>> = {}) =>
  HttpServerResponse.jsonUnsafe(
    {
      type: "error",
      error: { type: "symphony_proxy", code: "symphony_proxy", message: `symphony: ${message}` }
    },
    { status, headers }
  )

const tokenOf = (headers: Readonly<Record<string, string | undefined>>): string =>
  headers["x-api-key"] ?? /^bearer +([^\s]+)$/i.exec(headers["authorization"] ?? "")?.[1] ?? ""

/**
 * `acp.credentials: proxy`: the guest's way to its model. The key stays here; the guest's placeholder is
 * exchanged for it on requests to the one upstream of the run's adapter and to the paths of its API, and opens
 * nothing once the run's grants are revoked. Answers pass unbuffered, and their usage is counted.
 */
export class ModelProxy extends Context.Service<
  ModelProxy,
  {
    /** Closes with the scope; earlier when the run's grants are revoked. */
    readonly open: (
      run: { readonly runId: RunId; readonly identifier: Identifier },
      upstream: Upstream
    ) => Effect.Effect<ProxiedModel, never, Scope.Scope>
    /** Answers one request to `path`, which is below the issue's own address and begins with `/`. */
    readonly handle: (
      request: HttpServerRequest.HttpServerRequest,
      issue: string,
      path: string
    ) => Effect.Effect<HttpServerResponse.HttpServerResponse, never, Scope.Scope>
  }
>()("symphony/proxy/ModelProxy") {
  static readonly layer: Layer.Layer<ModelProxy, never, RunGrants> = Layer.effect(
    ModelProxy,
    Effect.gen(function* () {
      const grants = yield* RunGrants
      const client = yield* HttpClient.HttpClient
      const ways = new Map<RunId, Way>()

      const open = Effect.fn("ModelProxy.open")(function* (
        run: { readonly runId: RunId; readonly identifier: Identifier },
        upstream: Upstream
      ) {
        const placeholder = yield* grants.issue({ ...run, purpose: "proxy" })
        const way: Way = { upstream, underWay: new Set(), idle: Latch.makeUnsafe(true), counted: noTokens }
        yield* Effect.acquireRelease(
          Effect.sync(() => ways.set(run.runId, way)),
          () => Effect.sync(() => ways.delete(run.runId))
        )
        const takeTokens = Effect.sync(() => {
          const sum = way.underWay.size === 0 ? way.counted : addTokens(way.counted, unknownTokens)
          way.counted = noTokens
          return sum
        })
        return {
          placeholder,
          takeTokens: Effect.andThen(Effect.timeoutOption(way.idle.await, SETTLING), takeTokens)
        } satisfies ProxiedModel
      })

      /** Until the scope of the request ends, which is when its answer is with the guest, or the guest is gone. */
      const begin = (way: Way): Effect.Effect<UnderWay, never, Scope.Scope> =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const request: UnderWay = { rest: () => noTokens }
            way.underWay.add(request)
            way.idle.closeUnsafe()
            return request
          }),
          (request) =>
            Effect.sync(() => {
              way.counted = addTokens(way.counted, request.rest())
              way.underWay.delete(request)
              if (way.underWay.size === 0) way.idle.openUnsafe()
            })
        )

      const find = Effect.fnUntraced(function* (token: string, issue: string) {
        const grant = yield* grants.find(token)
        if (Option.isNone(grant) || grant.value.purpose !== "proxy" || grant.value.identifier !== issue)
          return null
        return ways.get(grant.value.runId) ?? null
      })

      const pass = Effect.fnUntraced(function* (
        way: Way,
        request: HttpServerRequest.HttpServerRequest,
        path: string
      ) {
        const { api, key, url } = way.upstream
        const length = request.headers["content-length"]
        if (Number(length ?? 0) > MAX_REQUEST_BYTES) return yield* new RequestTooLarge()
        const mine = yield* begin(way)
        const isCounted = request.method === "POST" && !path.endsWith("/count_tokens")
        let size = 0
        let isAtEnd = false
        // All of it is with the model, which may be at work. An answer may come before the end is seen.
        mine.rest = () => (isCounted && (isAtEnd || String(size) === length) ? unknownTokens : noTokens)
        const body = request.stream.pipe(
          Stream.mapEffect((bytes) => {
            size += bytes.length
            return size > MAX_REQUEST_BYTES ? Effect.fail(new RequestTooLarge()) : Effect.succeed(bytes)
          }),
          Stream.onEnd(Effect.sync(() => (isAtEnd = true)))
        )
        const query = /\?.*$/s.exec(request.url)?.[0] ?? ""
        const asked = HttpClientRequest.make(request.method === "GET" ? "GET" : "POST")(
          `${url}${path}${query}`,
          {
            headers: {
              ...without(request.headers, NOT_PASSED_UP),
              "accept-encoding": "identity",
              ...api.authorize(Redacted.value(key)),
              ...(length === undefined ? {} : { [LENGTH]: length })
            }
          }
        )
        const answer = yield* client
          .execute(
            request.method === "GET"
              ? asked
              : HttpClientRequest.bodyStream(asked, body, {
                  contentType: request.headers["content-type"] ?? "application/json"
                })
          )
          .pipe(Effect.mapError((error) => (size > MAX_REQUEST_BYTES ? new RequestTooLarge() : error)))
        if (answer.status >= 300 && answer.status < 400) {
          mine.rest = () => noTokens
          return refusal(502, `${api.name} answered with a redirection, which is not followed`)
        }
        const headers = without(answer.headers, NOT_PASSED_DOWN)
        const contentType = answer.headers["content-type"] ?? "application/octet-stream"
        const meter = answer.status === 200 && isCounted ? makeUsageMeter(contentType) : null
        mine.rest = meter === null ? () => noTokens : meter.end
        // Counted before it is passed on: an agent may end its turn before the answer is closed.
        const through =
          meter === null
            ? answer.stream
            : Stream.tap(answer.stream, (bytes) =>
                Effect.sync(() => (way.counted = addTokens(way.counted, meter.take(bytes))))
              )
        return HttpServerResponse.stream(through, { status: answer.status, headers, contentType })
      })

      const handle = Effect.fn("ModelProxy.handle")(
        function* (request: HttpServerRequest.HttpServerRequest, issue: string, path: string) {
          const way = yield* find(tokenOf(request.headers), issue)
          if (way === null)
            return refusal(401, "this key opens nothing: it is not of this run, or its run has ended")
          // codex asks for a WebSocket first; this sends it to plain HTTP.
          if (request.headers["upgrade"] !== undefined)
            return refusal(426, "only HTTP is passed on", { upgrade: "HTTP/1.1" })
          if (!way.upstream.api.endpoints.includes(`${request.method} ${path}`))
            return refusal(
              404,
              `${request.method} ${path.slice(0, 100)} is not passed on to ${way.upstream.api.name}`
            )
          if (way.underWay.size >= MAX_REQUESTS)
            return refusal(429, `${MAX_REQUESTS} requests of this run are under way`, { "retry-after": "1" })
          return yield* pass(way, request, path)
        },
        Effect.catchTags({
          RequestTooLarge: () =>
            Effect.succeed(
              refusal(413, `a request may have ${MAX_REQUEST_BYTES} bytes`, { connection: "close" })
            ),
          HttpClientError: (error) =>
            Effect.as(
              Effect.logWarning("the model cannot be reached", { reason: error.reason._tag }),
              refusal(502, "the model cannot be reached from the host")
            )
        })
      )

      return ModelProxy.of({ open, handle })
    })
  ).pipe(
    Layer.provide(FetchHttpClient.layer),
    Layer.provide(
      Layer.mergeAll(
        Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }),
        Layer.succeed(FetchHttpClient.Fetch, fetchWithLength),
        // What of symphony asks is no business of a vendor.
        Layer.succeed(HttpClient.TracerPropagationEnabled, false)
      )
    )
  )
}

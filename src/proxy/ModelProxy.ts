import { Context, Effect, Layer, Option, Redacted, Ref, type Scope, Stream } from "effect"
import {
  FetchHttpClient,
  HttpClient,
  HttpClientRequest,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import type { ModelApi } from "../agent/modelApis.ts"
import type { Identifier, RunId } from "../domain/ids.ts"
import { addTokens, noTokens, type Tokens } from "../domain/Tokens.ts"
import { RunGrants } from "../mcp/RunGrants.ts"
import { makeUsageMeter, type UsageMeter } from "./usageMeter.ts"

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
  /** Counted since it was last asked for; a lower bound when an answer broke off before it told its usage. */
  readonly takeTokens: Effect.Effect<Tokens>
}

interface Way {
  readonly upstream: Upstream
  readonly counted: Ref.Ref<Tokens>
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
  "x-real-ip"
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
    ) => Effect.Effect<HttpServerResponse.HttpServerResponse>
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
        const counted = yield* Ref.make(noTokens)
        yield* Effect.acquireRelease(
          Effect.sync(() => ways.set(run.runId, { upstream, counted })),
          () => Effect.sync(() => ways.delete(run.runId))
        )
        return { placeholder, takeTokens: Ref.getAndSet(counted, noTokens) } satisfies ProxiedModel
      })

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
        const body = request.method === "GET" ? null : new Uint8Array(yield* request.arrayBuffer)
        const query = /\?.*$/s.exec(request.url)?.[0] ?? ""
        const asked = HttpClientRequest.make(request.method === "GET" ? "GET" : "POST")(
          `${url}${path}${query}`,
          {
            headers: {
              ...without(request.headers, NOT_PASSED_UP),
              "accept-encoding": "identity",
              ...api.authorize(Redacted.value(key))
            }
          }
        )
        const answer = yield* client.execute(
          body === null
            ? asked
            : HttpClientRequest.bodyUint8Array(
                asked,
                body,
                request.headers["content-type"] ?? "application/json"
              )
        )
        if (answer.status >= 300 && answer.status < 400)
          return refusal(502, `${api.name} answered with a redirection, which is not followed`)
        const headers = without(answer.headers, NOT_PASSED_DOWN)
        const contentType = answer.headers["content-type"] ?? "application/octet-stream"
        const meter =
          answer.status === 200 && request.method === "POST" && !path.endsWith("/count_tokens")
            ? makeUsageMeter(contentType)
            : null
        const count = (added: (known: UsageMeter) => Tokens) =>
          meter === null
            ? Effect.void
            : Effect.suspend(() => {
                const more = added(meter)
                return Ref.update(way.counted, (sum) => addTokens(sum, more))
              })
        // Counted before it is passed on: an agent may end its turn before the answer is closed.
        const through = answer.stream.pipe(
          Stream.tap((bytes) => count((known) => known.take(bytes))),
          Stream.ensuring(count((known) => known.end()))
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
          return yield* pass(way, request, path)
        },
        Effect.catchTags({
          HttpServerError: (error) =>
            Effect.as(
              Effect.logDebug("a request for the model was refused", error),
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
    Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))
  )
}

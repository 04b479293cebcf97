import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Queue, Redacted, References, type Scope } from "effect"
import { SecureRandom } from "effect/crypto"
import { HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { anthropic } from "../../src/agent/modelApis.ts"
import { Identifier, makeRunId } from "../../src/domain/ids.ts"
import { RunGrants } from "../../src/mcp/RunGrants.ts"
import { MAX_REQUEST_BYTES, MAX_REQUESTS, ModelProxy } from "../../src/proxy/ModelProxy.ts"

const grants = RunGrants.layer.pipe(Layer.provide(SecureRandom.layerWebCrypto))
const layer = ModelProxy.layer.pipe(
  Layer.provideMerge(grants),
  Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
)

const KEY = "sk-canary"
const run = { runId: makeRunId(1, 1), identifier: Identifier.make("A-1") }

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** An upstream on loopback, and the headers that it was sent. */
const upstream = Effect.fnUntraced(function* (answer: Answer) {
  const seen: Array<IncomingMessage["headers"]> = []
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const created = createServer((request, response) => {
        seen.push(request.headers)
        answer(request, response)
      })
      created.listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
    }),
    (created) =>
      Effect.callback<void>((resume) => {
        created.closeAllConnections()
        created.close(() => resume(Effect.void))
      })
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { seen, url: `http://127.0.0.1:${port}` }
})

const json =
  (value: unknown): Answer =>
  (request, response) =>
    request
      .resume()
      .on("end", () =>
        response
          .writeHead(200, { "content-type": "application/json", "set-cookie": "a=b" })
          .end(JSON.stringify(value))
      )

/** A run whose way leads to `answer`, and a guest that asks. */
const open = Effect.fnUntraced(function* (answer: Answer) {
  const proxy = yield* ModelProxy
  const { seen, url } = yield* upstream(answer)
  const model = yield* proxy.open(run, { api: anthropic, url, key: Redacted.make(KEY) })
  const ask = (options: {
    readonly token?: string
    readonly issue?: string
    readonly path?: string
    readonly method?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: BodyInit
  }) => {
    const handled = HttpEffect.toWebHandler(
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.interruptible(proxy.handle(request, options.issue ?? "A-1", options.path ?? "/v1/messages"))
      )
    )
    const init = {
      method: options.method ?? "POST",
      headers: {
        "x-api-key": options.token ?? Redacted.value(model.placeholder),
        "content-type": "application/json",
        ...options.headers
      },
      duplex: "half",
      ...(options.method === "GET" ? {} : { body: options.body ?? "{}" })
    }
    return Effect.promise((signal) =>
      handled(
        new Request(`http://127.0.0.1/api/v1/issues/A-1/model${options.path ?? "/v1/messages"}`, {
          ...init,
          signal
        })
      )
    )
  }
  return { ask, model, seen }
})

const text = (response: Response) => Effect.promise(() => response.text())

const live = (name: string, test: () => Effect.Effect<void, unknown, ModelProxy | RunGrants | Scope.Scope>) =>
  it.live(name, () => test().pipe(Effect.scoped, Effect.provide(layer)))

describe("a model behind the proxy", () => {
  live("gets the real key and nothing of the guest's, which gets none of the vendor's cookies", () =>
    Effect.gen(function* () {
      const { ask, model, seen } = yield* open(json({ usage: { input_tokens: 7, output_tokens: 5 } }))
      const response = yield* ask({
        headers: { cookie: "c=d", authorization: "Bearer other", "anthropic-version": "2023-06-01" }
      })
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers.get("set-cookie"), null)
      yield* text(response)
      const [headers] = seen
      assert.strictEqual(headers?.["x-api-key"], KEY)
      assert.strictEqual(headers?.["anthropic-version"], "2023-06-01")
      assert.isUndefined(headers?.authorization)
      assert.isUndefined(headers?.cookie)
      assert.deepStrictEqual(
        Object.keys(headers ?? {}).filter((name) => ["b3", "traceparent", "tracestate"].includes(name)),
        []
      )
      assert.deepStrictEqual(yield* model.takeTokens, { input: 7, output: 5, total: 12, source: "counted" })
      assert.strictEqual((yield* model.takeTokens).source, "none")
    })
  )

  live("is closed to every other token, issue, method and path", () =>
    Effect.gen(function* () {
      const { ask, seen } = yield* open(json({}))
      const other = yield* (yield* RunGrants).issue({ ...run, purpose: "mcp" })
      const statuses = yield* Effect.forEach(
        [
          { token: "wrong" },
          { token: Redacted.value(other) },
          { issue: "A-2" },
          { path: "/v1/files" },
          { path: "/v1/messages/../organizations" },
          { path: "//elsewhere.example/v1/messages" },
          { method: "DELETE" }
        ],
        (options) => Effect.map(ask(options), ({ status }) => status)
      )
      assert.deepStrictEqual(statuses, [401, 401, 401, 404, 404, 404, 404])
      assert.deepStrictEqual(seen, [])
    })
  )

  live("is closed once the run's grants are revoked", () =>
    Effect.gen(function* () {
      const { ask, seen } = yield* open(json({}))
      yield* (yield* RunGrants).revoke(run.runId)
      assert.strictEqual((yield* ask({})).status, 401)
      assert.deepStrictEqual(seen, [])
    })
  )

  live("cannot send the key elsewhere by a redirection", () =>
    Effect.gen(function* () {
      const elsewhere = yield* upstream(json({}))
      const { ask } = yield* open(
        (request, response) =>
          request.resume() && response.writeHead(307, { location: `${elsewhere.url}/v1/messages` }).end()
      )
      assert.strictEqual((yield* ask({})).status, 502)
      assert.deepStrictEqual(elsewhere.seen, [])
    })
  )

  live("passes on what it refuses with, and when to come back", () =>
    Effect.gen(function* () {
      const { ask, model } = yield* open((_request, response) =>
        response.writeHead(429, { "content-type": "application/json", "retry-after": "30" }).end('{"e":1}')
      )
      const response = yield* ask({})
      assert.strictEqual(response.status, 429)
      assert.strictEqual(response.headers.get("retry-after"), "30")
      assert.strictEqual(yield* text(response), '{"e":1}')
      assert.strictEqual((yield* model.takeTokens).source, "none")
    })
  )

  live("streams: what it says is there before it has said more", () =>
    Effect.gen(function* () {
      const event = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`
      let goOn = (): void => {}
      const { ask, model } = yield* open((_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(event({ message: { usage: { input_tokens: 10, cache_read_input_tokens: 4 } } }))
        goOn = () => response.end(event({ usage: { output_tokens: 6 } }))
      })
      const reader = (yield* ask({})).body?.getReader()
      const first = yield* Effect.promise(async () => (await reader?.read())?.value)
      assert.include(new TextDecoder().decode(first), "cache_read_input_tokens")
      goOn()
      yield* Effect.promise(async () => {
        while ((await reader?.read())?.done === false);
      })
      assert.deepStrictEqual(yield* model.takeTokens, { input: 14, output: 6, total: 20, source: "counted" })
    })
  )

  live("is sent a request as it comes, with its length", () =>
    Effect.gen(function* () {
      const parts = yield* Queue.unbounded<string>()
      const { ask, seen } = yield* open((request, response) => {
        request.setEncoding("utf8").on("data", (part: string) => Queue.offerUnsafe(parts, part))
        request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"))
      })
      let write = (_part: string): void => {}
      let close = (): void => {}
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          write = (part) => controller.enqueue(new TextEncoder().encode(part))
          close = () => controller.close()
        }
      })
      const asking = yield* Effect.forkChild(ask({ body, headers: { "content-length": "10" } }))
      write("first")
      assert.strictEqual(yield* Queue.take(parts), "first")
      write("later")
      assert.strictEqual(yield* Queue.take(parts), "later")
      close()
      assert.strictEqual((yield* Fiber.join(asking)).status, 200)
      assert.deepInclude(seen[0], { "content-length": "10" })
    })
  )

  live("that answers before the end of its request is seen is counted all the same", () =>
    Effect.gen(function* () {
      const seen = yield* Deferred.make<void>()
      let finish = (): void => {}
      const { ask, model } = yield* open((request, response) => {
        request.resume()
        response.writeHead(200, { "content-type": "text/event-stream" }).write("data: {}\n\n")
        finish = () => response.end(`data: ${JSON.stringify({ usage: { input_tokens: 10 } })}\n\n`)
      })
      let close = (): void => {}
      const body = new ReadableStream<Uint8Array>(
        {
          start: (controller) => {
            controller.enqueue(new TextEncoder().encode("{}"))
            close = () => controller.close()
          },
          pull: () => void Deferred.doneUnsafe(seen, Exit.void)
        },
        { highWaterMark: 0 }
      )
      const answer = yield* ask({ body, headers: { "content-length": "2" } })
      yield* Deferred.await(seen)
      close()
      yield* Effect.promise(() => new Promise(setImmediate))
      finish()
      yield* text(answer)
      assert.deepInclude(yield* model.takeTokens, { total: 10, source: "counted" })
    })
  )

  live("is not sent a request that is too large, whether or not it says so", () =>
    Effect.gen(function* () {
      const { ask, model } = yield* open((request) => request.resume())
      const declared = yield* ask({ headers: { "content-length": String(MAX_REQUEST_BYTES + 1) } })
      assert.strictEqual(declared.status, 413)
      const mebibyte = new Uint8Array(1024 * 1024)
      let left = MAX_REQUEST_BYTES / mebibyte.length + 1
      const undeclared = yield* ask({
        body: new ReadableStream({
          pull: (controller) => (left-- > 0 ? controller.enqueue(mebibyte) : controller.close())
        })
      })
      assert.strictEqual(undeclared.status, 413)
      assert.strictEqual((yield* model.takeTokens).source, "none")
    })
  )

  live("takes so many requests of a run at a time, and more once one has ended", () =>
    Effect.gen(function* () {
      const answers: Array<ServerResponse> = []
      const { ask } = yield* open((request, response) => {
        request.resume()
        response.writeHead(200, { "content-type": "text/event-stream" }).write("data: {}\n\n")
        answers.push(response)
      })
      const open32 = yield* Effect.all(
        Array.from({ length: MAX_REQUESTS }, () => ask({})),
        { concurrency: "unbounded" }
      )
      const refused = yield* ask({})
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers.get("retry-after"), "1")
      answers[0]?.end()
      yield* Effect.promise(() => Promise.any(open32.map((response) => response.text())))
      assert.strictEqual((yield* ask({})).status, 200)
    })
  )

  it.effect("that has not answered to the end when it is asked is not known to the end", () =>
    Effect.gen(function* () {
      const { ask, model } = yield* open((request, response) => {
        request.resume()
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(`data: ${JSON.stringify({ message: { usage: { input_tokens: 10 } } })}\n\n`)
      })
      const take = Effect.gen(function* () {
        const taking = yield* Effect.forkChild(model.takeTokens, { startImmediately: true })
        yield* TestClock.adjust("2 seconds")
        return yield* Fiber.join(taking)
      })
      const reader = (yield* ask({})).body?.getReader()
      yield* Effect.promise(async () => reader?.read())
      assert.deepInclude(yield* take, { total: 10, source: "partial" })
      assert.deepInclude(yield* take, { total: 0, source: "unknown" })
      yield* Effect.promise(async () => reader?.cancel())
      assert.strictEqual((yield* model.takeTokens).source, "unknown")
      assert.strictEqual((yield* model.takeTokens).source, "none")
    }).pipe(Effect.scoped, Effect.provide(layer))
  )

  live("whose answer ends just after it is asked is known to the end", () =>
    Effect.gen(function* () {
      const { ask, model } = yield* open((request, response) => {
        request.resume()
        response.writeHead(200, { "content-type": "text/event-stream" }).write("data: {}\n\n")
        finish = () => response.end(`data: ${JSON.stringify({ usage: { input_tokens: 10 } })}\n\n`)
      })
      let finish = (): void => {}
      const answer = yield* ask({})
      const taking = yield* Effect.forkChild(model.takeTokens, { startImmediately: true })
      finish()
      yield* text(answer)
      assert.deepInclude(yield* Fiber.join(taking), { total: 10, source: "counted" })
    })
  )

  live("whose guest hangs up is not worked for any longer, and nobody knows what it has used", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const aborted = yield* Deferred.make<void>()
      const { ask, model } = yield* open((request, response) => {
        request.resume()
        request.on("end", () => Deferred.doneUnsafe(asked, Exit.void))
        response.on("close", () => Deferred.doneUnsafe(aborted, Exit.void))
      })
      const asking = yield* Effect.forkChild(ask({}))
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(asking)
      yield* Deferred.await(aborted)
      assert.strictEqual((yield* model.takeTokens).source, "unknown")
    })
  )

  live("that breaks off without a word of its usage leaves the count unknown", () =>
    Effect.gen(function* () {
      const { ask, model } = yield* open((_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write("data: {}\n\n", () => response.destroy())
      })
      const response = yield* ask({})
      yield* Effect.exit(Effect.tryPromise(() => response.text()))
      assert.strictEqual((yield* model.takeTokens).source, "unknown")
    })
  )

  live("that cannot be reached is told apart from a refusal", () =>
    Effect.gen(function* () {
      const proxy = yield* ModelProxy
      const model = yield* proxy.open(run, {
        api: anthropic,
        url: "http://127.0.0.1:1",
        key: Redacted.make(KEY)
      })
      const response = yield* proxy
        .handle(
          HttpServerRequest.fromWeb(
            new Request("http://127.0.0.1/", {
              method: "POST",
              body: "{}",
              headers: { authorization: `Bearer ${Redacted.value(model.placeholder)}` }
            })
          ),
          "A-1",
          "/v1/messages"
        )
        .pipe(Effect.scoped)
      assert.strictEqual(response.status, 502)
      assert.strictEqual((yield* model.takeTokens).source, "none")
      assert.notInclude(yield* text(HttpServerResponse.toWeb(response)), KEY)
    })
  )
})

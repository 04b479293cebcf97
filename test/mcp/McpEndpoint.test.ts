import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Redacted, Ref, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { makeRunId } from "../../src/domain/ids.ts"
import { McpEndpoint } from "../../src/mcp/McpEndpoint.ts"
import { type Grant, RunGrants } from "../../src/mcp/RunGrants.ts"
import { RunTools } from "../../src/mcp/RunTools.ts"
import { Endpoint, Grants, grantOf, Ground, World } from "./support.ts"

const grant = grantOf("DEMO-1")
const pathOf = (issue: string) => `/api/v1/issues/${encodeURIComponent(issue)}/mcp`

const tokenFor = (of: Grant) =>
  Effect.flatMap(RunGrants, (grants) => Effect.map(grants.issue(of), Redacted.value))

interface Post {
  readonly token?: string
  readonly path?: string
  readonly method?: string
  readonly headers?: Record<string, string>
}

const send = Effect.fnUntraced(function* (body: string, post: Post = {}) {
  const endpoint = yield* McpEndpoint
  const method = post.method ?? "POST"
  return yield* endpoint.handle(
    new Request(`http://127.0.0.1${post.path ?? pathOf("DEMO-1")}`, {
      method,
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(post.token === undefined ? {} : { authorization: `Bearer ${post.token}` }),
        ...post.headers
      },
      ...(method === "GET" || method === "HEAD" ? {} : { body })
    })
  )
})

const Answer = Schema.Struct({
  id: Schema.optionalKey(Schema.NullOr(Schema.Union([Schema.Int, Schema.String]))),
  result: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  error: Schema.optionalKey(
    Schema.Struct({ code: Schema.Union([Schema.Int, Schema.String]), message: Schema.String })
  )
})

/** The JSON of an answer, which 2025-era servers send as one event. */
const answerOf = (response: Response) =>
  Effect.promise(() => response.text()).pipe(
    Effect.map((text) => /^data: (.*)$/m.exec(text)?.[1] ?? text),
    Effect.flatMap(Schema.decodeUnknownEffect(Schema.fromJsonString(Answer)))
  )

const rpc = (method: string, params: Record<string, unknown> = {}, id: number | string = 1) =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params })

const LIST = rpc("tools/list")
const DONE = rpc("tools/call", { name: "mark_done", arguments: { title: "Fix", summary: "Fixed." } })

const statusOf = (body: string, post: Post) => Effect.map(send(body, post), (response) => response.status)

describe("the door of the MCP endpoint", () => {
  it.effect("takes nothing but POST", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
        const response = yield* send("", { token, method })
        assert.strictEqual(response.status, 405)
        assert.strictEqual(response.headers.get("allow"), "POST")
      }
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("answers 401 without a token or with one that was never given out", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const refusals = [
        yield* send(LIST),
        yield* send(LIST, { token: "x".repeat(43) }),
        yield* send(LIST, { headers: { authorization: `Basic ${token}` } }),
        yield* send(LIST, { headers: { authorization: token } }),
        yield* send(LIST, { path: `${pathOf("DEMO-1")}?token=${token}` }),
        yield* send(LIST, { headers: { cookie: `token=${token}` } })
      ]
      for (const response of refusals) {
        assert.strictEqual(response.status, 401)
        assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer /)
        assert.strictEqual((yield* answerOf(response)).error?.code, "unauthorized")
      }
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("answers 403 to a token of another issue or for another purpose", () =>
    Effect.gen(function* () {
      const other = yield* tokenFor(grantOf("DEMO-2", 2))
      const bridge = yield* tokenFor(grantOf("DEMO-1", 1, "bridge"))
      const proxy = yield* tokenFor(grantOf("DEMO-1", 1, "proxy"))
      for (const token of [other, bridge, proxy]) {
        assert.strictEqual(yield* statusOf(DONE, { token }), 403)
      }
      for (const path of ["/", "/api/v1/issues//mcp", "/api/v1/issues/%E0%A4%A/mcp", pathOf("DEMO-2/x")]) {
        assert.strictEqual(yield* statusOf(DONE, { token: other, path }), 403)
      }
      assert.deepStrictEqual(yield* Ref.get((yield* World).signals), [])
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("answers 404 to a token still held of a run that has ended, 401 once it is revoked", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      assert.strictEqual(yield* statusOf(LIST, { token }), 200)
      yield* Ref.set((yield* World).ended, new Set([grant.runId]))
      assert.strictEqual(yield* statusOf(DONE, { token }), 404)
      yield* (yield* RunGrants).revoke(grant.runId)
      assert.strictEqual(yield* statusOf(DONE, { token }), 401)
      assert.deepStrictEqual(yield* Ref.get((yield* World).signals), [])
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("answers a flood of any requests with 429 and when to come back, and other runs as ever", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const statuses: Array<number> = []
      for (let n = 0; n < 1000; n++) statuses.push(yield* statusOf("no JSON at all", { token }))
      const served = statuses.indexOf(429)
      // Shaking hands and listing takes an agent ten at most.
      assert.isTrue(served >= 100 && served <= 300, String(served))
      assert.isTrue(statuses.slice(served).every((status) => status === 429))
      const refusal = yield* send(LIST, { token })
      assert.strictEqual(refusal.headers.get("retry-after"), "1")
      assert.strictEqual((yield* answerOf(refusal)).error?.code, "too_many_requests")
      assert.strictEqual(yield* statusOf(LIST, { token: yield* tokenFor(grantOf("DEMO-1", 2)) }), 200)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* statusOf(LIST, { token }), 200)
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("tells of a misused token once a run and reason, however often it is misused", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel === "Warn") told.push(String(message))
      })
      yield* Effect.gen(function* () {
        const other = yield* tokenFor(grantOf("DEMO-2", 2))
        const proxy = yield* tokenFor(grantOf("DEMO-1", 1, "proxy"))
        for (let n = 0; n < 50; n++)
          for (const token of [other, proxy]) assert.strictEqual(yield* statusOf(DONE, { token }), 403)
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.lengthOf(told, 2)
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("tells of a token that is over, once a run, and of one that never was, once in a while", () =>
    Effect.gen(function* () {
      const told: Array<readonly [unknown, unknown, unknown]> = []
      const logger = Logger.make(({ fiber, logLevel, message }) => {
        const of = fiber.getRef(References.CurrentLogAnnotations)
        if (logLevel === "Warn") told.push([String(message), of["issue_identifier"], of["run"]])
      })
      yield* Effect.gen(function* () {
        const over = yield* tokenFor(grant)
        const ending = yield* tokenFor(grantOf("DEMO-1", 2))
        yield* (yield* RunGrants).revoke(grant.runId)
        yield* Ref.set((yield* World).ended, new Set([makeRunId(1, 2)]))
        for (let n = 0; n < 50; n++) {
          assert.strictEqual(yield* statusOf(DONE, { token: over }), 401)
          assert.strictEqual(yield* statusOf(DONE, { token: ending }), 404)
          assert.strictEqual(yield* statusOf(DONE, { token: "x".repeat(43) }), 401)
          assert.strictEqual(yield* statusOf(DONE, {}), 401)
        }
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(told, [
        ["a token of a run that has ended was refused", "DEMO-1", "r1-1"],
        ["a token of a run that has ended was refused", "DEMO-1", "r1-2"],
        ["a call to an agent's tools without a token of ours was refused", "DEMO-1", undefined]
      ])
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("finds an issue whatever its identifier is made of", () =>
    Effect.gen(function* () {
      const issue = "Ünï/код %2F #1"
      const token = yield* tokenFor(grantOf(issue))
      assert.strictEqual(yield* statusOf(LIST, { token, path: pathOf(issue) }), 200)
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("over any requests, a token serves its own issue while it is held and nothing else", () =>
    Effect.gen(function* () {
      const endpoint = yield* Effect.context<McpEndpoint | RunGrants>()
      const issues = ["A", "B", "C"]
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.array(fc.record({ token: fc.nat(2), issue: fc.nat(2), revoke: fc.boolean() }), {
              maxLength: 12
            }),
            (steps) =>
              Effect.gen(function* () {
                const grants = yield* RunGrants
                const held = issues.map((issue, n) => grantOf(issue, n + 1))
                const tokens = yield* Effect.forEach(held, tokenFor)
                const revoked = new Set<number>()
                for (const step of steps) {
                  const of = held[step.token]
                  if (step.revoke && of !== undefined) {
                    yield* grants.revoke(of.runId)
                    revoked.add(step.token)
                  }
                  const status = yield* statusOf(LIST, {
                    token: tokens[step.token] ?? "",
                    path: pathOf(issues[step.issue] ?? "")
                  })
                  const expected = revoked.has(step.token) ? 401 : step.token === step.issue ? 200 : 403
                  assert.strictEqual(status, expected)
                }
              }).pipe(Effect.scoped, Effect.provideContext(endpoint), Effect.runPromise)
          ),
          { numRuns: 50 }
        )
      )
    }).pipe(Effect.provide(Endpoint))
  )
})

describe("the protocol behind it", () => {
  it.effect("an authorized tools/list, and nothing less, ends the wait for it", () =>
    Effect.gen(function* () {
      const grants = yield* RunGrants
      const token = yield* tokenFor(grant)
      const waiting = yield* Effect.forkChild(grants.awaitToolsListed(grant.runId), {
        startImmediately: true
      })
      yield* send(LIST)
      yield* send(LIST, { token, path: pathOf("DEMO-2") })
      yield* send(rpc("ping"), { token })
      yield* send(DONE, { token })
      assert.isUndefined(waiting.pollUnsafe())
      assert.strictEqual(yield* statusOf(LIST, { token }), 200)
      yield* Fiber.join(waiting)
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("negotiates each published 2025 revision, and offers its own to an unknown one", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const initialize = (protocolVersion: string) =>
        send(
          rpc("initialize", { protocolVersion, capabilities: {}, clientInfo: { name: "t", version: "1" } }),
          {
            token
          }
        ).pipe(Effect.flatMap(answerOf))
      for (const revision of ["2025-03-26", "2025-06-18", "2025-11-25"]) {
        const { result } = yield* initialize(revision)
        assert.strictEqual(result?.["protocolVersion"], revision)
        assert.deepInclude(result, { serverInfo: { name: "symphony", version: "0.0.0-test" } })
      }
      assert.match(String((yield* initialize("1999-01-01")).result?.["protocolVersion"]), /^2025-/)
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("answers server/discover of revision 2026-07-28", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" },
        "io.modelcontextprotocol/clientCapabilities": {}
      }
      const response = yield* send(rpc("server/discover", { _meta: meta }), {
        token,
        headers: { "mcp-protocol-version": "2026-07-28", "mcp-method": "server/discover" }
      })
      assert.strictEqual(response.status, 200)
      const { result } = yield* answerOf(response)
      assert.deepStrictEqual(result?.["supportedVersions"], ["2026-07-28"])
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("acknowledges a notification with 202 and no body", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const response = yield* send('{"jsonrpc":"2.0","method":"notifications/initialized"}', { token })
      assert.strictEqual(response.status, 202)
      assert.strictEqual(yield* Effect.promise(() => response.text()), "")
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("keeps the id of a request, be it 0 or a text", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      for (const id of [0, "c0ffee"]) {
        const { id: answered } = yield* Effect.flatMap(send(rpc("ping", {}, id), { token }), answerOf)
        assert.strictEqual(answered, id)
      }
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("tells apart a text that is no JSON, an unknown method and an unknown tool", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const codeOf = (body: string) =>
        send(body, { token }).pipe(
          Effect.flatMap(answerOf),
          Effect.map(({ error }) => error?.code)
        )
      assert.strictEqual(yield* codeOf("{nonsense"), -32700)
      assert.strictEqual(yield* codeOf(""), -32700)
      assert.strictEqual(yield* codeOf(rpc("resources/list")), -32601)
      assert.strictEqual(yield* codeOf(rpc("tools/call", { name: "shell", arguments: {} })), -32602)
      assert.strictEqual(yield* statusOf(LIST, { token, headers: { "content-type": "text/plain" } }), 415)
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("answers bad arguments as a result that the agent can mend", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const body = rpc("tools/call", { name: "mark_done", arguments: { title: "two\nlines" } })
      const { result } = yield* Effect.flatMap(send(body, { token }), answerOf)
      assert.isTrue(result?.["isError"])
      assert.include(JSON.stringify(result?.["content"]), "summary: Missing key")
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("answers a defect of ours as an internal error, without its details", () => {
    const broken = Layer.mock(RunTools, {
      list: () => Effect.succeed([{ name: "mark_done", title: "", description: "", inputSchema: {} }]),
      call: () => Effect.die(new Error("secret detail"))
    })
    return Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const { error } = yield* Effect.flatMap(send(DONE, { token }), answerOf)
      assert.deepStrictEqual(error, { code: -32603, message: "Internal error" })
    }).pipe(
      Effect.provide(
        McpEndpoint.layer("0.0.0-test").pipe(
          Layer.provideMerge(Layer.mergeAll(broken, Grants)),
          Layer.provideMerge(Ground)
        )
      )
    )
  })

  it.effect("refuses a body of more than 1 MiB, and takes one of 1 MiB", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const padded = (bytes: number) => LIST + " ".repeat(bytes - LIST.length)
      assert.strictEqual(yield* statusOf(padded(1024 * 1024), { token }), 200)
      assert.strictEqual(yield* statusOf(padded(1024 * 1024 + 1), { token }), 413)
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("survives JSON nested as deep as a body can hold", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const deep = "[".repeat(250_000) + "]".repeat(250_000)
      for (const body of [
        deep,
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"mark_done","arguments":{"title":${deep}}}}`,
        `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":${deep}}`,
        `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"x":${deep}}}}`
      ]) {
        const status = yield* statusOf(body, { token })
        assert.isTrue(status < 500, `${body.slice(0, 80)}: ${status}`)
      }
    }).pipe(Effect.provide(Endpoint))
  )

  it.effect("answers arbitrary JSON without ever failing inside", () =>
    Effect.gen(function* () {
      const token = yield* tokenFor(grant)
      const context = yield* Effect.context<McpEndpoint>()
      const envelope = fc.record(
        {
          jsonrpc: fc.oneof(fc.constant("2.0"), fc.jsonValue()),
          id: fc.oneof(fc.integer(), fc.string(), fc.jsonValue()),
          method: fc.oneof(
            fc.constantFrom(
              "tools/call",
              "tools/list",
              "initialize",
              "ping",
              "server/discover",
              "logging/setLevel",
              "notifications/cancelled",
              "subscriptions/listen"
            ),
            fc.string()
          ),
          params: fc.oneof(
            fc.jsonValue(),
            fc.record({
              name: fc.constantFrom("mark_done", "transition", "propose_issue", "request_human_steering"),
              arguments: fc.oneof(
                fc.jsonValue(),
                fc.record({ title: fc.jsonValue(), summary: fc.jsonValue(), labels: fc.jsonValue() })
              )
            })
          )
        },
        { requiredKeys: [] }
      )
      const body = fc.oneof(
        fc.json(),
        envelope.map((value) => JSON.stringify(value)),
        fc.array(envelope, { maxLength: 3 }).map((value) => JSON.stringify(value)),
        fc.string()
      )
      const version = fc.constantFrom(undefined, "2025-06-18", "2025-11-25", "2026-07-28", "junk")
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(body, version, async (text, revision) => {
            const headers = revision === undefined ? {} : { "mcp-protocol-version": revision }
            const status = await send(text, { token, headers }).pipe(
              Effect.tap((response) => Effect.promise(() => response.body?.cancel() ?? Promise.resolve())),
              Effect.map((response) => response.status),
              Effect.provideContext(context),
              Effect.runPromise
            )
            assert.isTrue(status < 500, `${text}: ${status}`)
          }),
          { numRuns: 400 }
        )
      )
    }).pipe(Effect.provide(Endpoint))
  )
})

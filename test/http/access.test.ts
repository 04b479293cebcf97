import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Ref } from "effect"
import { HttpApi } from "effect/http-api"
import { Api } from "../../src/http/api/Api.ts"
import { ListenError } from "../../src/http/HttpServerLive.ts"
import { OperatorAuth } from "../../src/http/OperatorAuth.ts"
import { signInUrl } from "../../src/http/signIn.ts"
import { Listener } from "../../src/run/Listener.ts"
import { askingIssue, board } from "./boards.ts"
import {
  Asked,
  form,
  memoryFiles,
  operatorToken,
  origin,
  RUN_TOKEN,
  send,
  sendRaw,
  server,
  statusOf
} from "./support.ts"

const ISSUES = board([askingIssue("DEMO-1")])
const run = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, server({ board: ISSUES }))

type Route = readonly ["GET" | "POST", string]

const apiRoutes: Array<Route> = []
HttpApi.reflect(Api, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) => {
    const path = endpoint.path.replace(":identifier", "DEMO-1").replace(":run", "r1-1")
    if (endpoint.method === "GET" || endpoint.method === "POST") apiRoutes.push([endpoint.method, path])
  }
})

const closedRoutes: ReadonlyArray<Route> = [
  ...apiRoutes,
  ["GET", "/"],
  ["GET", "/issues"],
  ["GET", "/issues/DEMO-1"],
  ["GET", "/keys"],
  ["GET", "/metrics"],
  ["GET", "/api/v1/openapi.json"],
  ["GET", "/api/v1/events"],
  ["GET", "/api/v1/partials/header"],
  ["POST", "/issues"],
  ["POST", "/issues/DEMO-1/answer"],
  ["POST", "/issues/DEMO-1/stop"],
  ["POST", "/do/pause"],
  ["POST", "/sign-out"],
  ["GET", "/no/such/page"]
]

describe("without the operator's token", () => {
  it.live("every route refuses: none, a wrong one, and the token of a run", () =>
    run(
      Effect.gen(function* () {
        for (const [method, path] of closedRoutes) {
          for (const headers of [
            {},
            { authorization: "Bearer wrong" },
            { authorization: `Bearer ${RUN_TOKEN}` },
            { authorization: `Basic ${yield* operatorToken}` },
            { cookie: `${(yield* OperatorAuth).cookieName}=${yield* operatorToken}` }
          ]) {
            const response = yield* send(method, path, { headers })
            assert.strictEqual(response.status, 401, `${method} ${path} ${JSON.stringify(headers)}`)
            assert.notInclude(yield* response.text, "Which colour", `${method} ${path}`)
          }
        }
        assert.deepStrictEqual(yield* Ref.get((yield* Asked).commands), [])
        assert.deepStrictEqual(yield* Ref.get((yield* Asked).created), [])
      })
    )
  )

  it.live("no spelling of a path gets round that", () =>
    run(
      Effect.gen(function* () {
        const ways = ["/api/v1/issues/DEMO-1", "/api/v1/state", "/issues/DEMO-1", "/"].flatMap((path) =>
          [
            ";/mcp",
            ";x/mcp",
            ";/model/v1",
            "/;/mcp",
            "?/mcp",
            "%3b/mcp",
            "%2fmcp",
            "/%6dcp",
            "//mcp",
            ";/assets/x"
          ].map((end) => path + end)
        )
        for (const path of [
          ...ways,
          "//issues",
          "/healthz;",
          "/healthz/../issues",
          "/assets/..%2f..%2fissues"
        ]) {
          for (const method of ["GET", "POST"]) {
            const answer = yield* sendRaw(
              `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`
            )
            assert.include([400, 401, 404], statusOf(answer), `${method} ${path}`)
            assert.notInclude(answer, "Which colour", `${method} ${path}`)
          }
        }
      })
    )
  )

  it.live("only /healthz, the sign-in page and its looks answer, and tell nothing", () =>
    run(
      Effect.gen(function* () {
        const health = yield* send("GET", "/healthz")
        assert.strictEqual(health.status, 204)
        assert.strictEqual(yield* health.text, "")
        const page = yield* (yield* send("GET", "/")).text
        assert.include(page, "/project/.symphony/token")
        assert.notInclude(page, "DEMO-1")
        assert.strictEqual((yield* send("GET", "/assets/dashboard.css")).status, 200)
      })
    )
  )

  it.live("the token of a run opens its own endpoint, the operator's does not", () =>
    run(
      Effect.gen(function* () {
        const path = "/api/v1/issues/DEMO-1/mcp"
        assert.strictEqual(
          (yield* send("POST", path, { headers: { authorization: `Bearer ${RUN_TOKEN}` } })).status,
          200
        )
        assert.strictEqual(
          (yield* send("POST", path, { headers: { authorization: `Bearer ${yield* operatorToken}` } }))
            .status,
          401
        )
      })
    )
  )

  it.live("with server.auth: none everything is open, and the page says so", () =>
    Effect.gen(function* () {
      const response = yield* send("GET", "/")
      assert.strictEqual(response.status, 200)
      assert.include(yield* response.text, "server.auth is none")
    }).pipe(Effect.provide(server({ board: ISSUES, config: { server: { auth: "none" } } })))
  )
})

describe("signing in", () => {
  const cookieOf = (header: string | undefined): string => header?.split(";")[0] ?? ""

  it.live("trades the token for a cookie that is not the token, and goes where one wanted to go", () =>
    run(
      Effect.gen(function* () {
        const token = yield* operatorToken
        const entered = yield* send("POST", "/sign-in", form({ token, next: "/issues/DEMO-1" }))
        assert.strictEqual(entered.status, 303)
        assert.strictEqual(entered.headers["location"], "/issues/DEMO-1")
        const cookie = entered.headers["set-cookie"]
        assert.match(cookie ?? "", /HttpOnly/)
        assert.match(cookie ?? "", /SameSite=Strict/)
        assert.notInclude(cookie ?? "", token)
        const home = yield* send("GET", "/", { headers: { cookie: cookieOf(cookie) } })
        assert.strictEqual(home.status, 200)
        yield* send("POST", "/sign-out", { headers: { cookie: cookieOf(cookie) } })
        assert.strictEqual((yield* send("GET", "/", { headers: { cookie: cookieOf(cookie) } })).status, 401)
      })
    )
  )

  it.live("refuses a wrong token, and leads nowhere else than here", () =>
    run(
      Effect.gen(function* () {
        assert.strictEqual((yield* send("POST", "/sign-in", form({ token: "wrong" }))).status, 401)
        assert.strictEqual((yield* send("POST", "/sign-in", form({}))).status, 400)
        for (const next of ["//evil.example", "https://evil.example", "/\\evil.example"]) {
          const entered = yield* send("POST", "/sign-in", form({ token: yield* operatorToken, next }))
          assert.strictEqual(entered.headers["location"], "/", next)
        }
      })
    )
  )

  it.live("a link works once", () =>
    run(
      Effect.gen(function* () {
        const link = (yield* signInUrl(yield* origin)).slice((yield* origin).length)
        assert.strictEqual((yield* send("GET", link)).status, 303)
        assert.strictEqual((yield* send("GET", link)).status, 401)
        assert.strictEqual((yield* send("GET", "/sign-in?code=made-up")).status, 401)
      })
    )
  )

  it.live("a session and the token outlive a restart", () =>
    Effect.gen(function* () {
      const files = memoryFiles()
      const first = yield* Effect.gen(function* () {
        const token = yield* operatorToken
        const entered = yield* send("POST", "/sign-in", form({ token }))
        return { token, cookie: cookieOf(entered.headers["set-cookie"]) }
      }).pipe(Effect.provide(server({ board: ISSUES, files })))
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* operatorToken, first.token)
        assert.strictEqual((yield* send("GET", "/", { headers: { cookie: first.cookie } })).status, 200)
      }).pipe(Effect.provide(server({ board: ISSUES, files })))
    })
  )
})

describe("what no client of ours would send", () => {
  const authorized = Effect.map(
    operatorToken,
    (token) => `Authorization: Bearer ${token}\r\nConnection: close\r\n`
  )
  const ask = (line: string, headers: string) =>
    Effect.flatMap(authorized, (authorization) =>
      sendRaw(`${line} HTTP/1.1\r\n${headers}${authorization}\r\n`)
    )

  it.live("a foreign Host is 421, a missing one 400, and a request target cannot replace it", () =>
    run(
      Effect.gen(function* () {
        assert.strictEqual(statusOf(yield* ask("GET /api/v1/state", "Host: 127.0.0.1\r\n")), 200)
        assert.strictEqual(statusOf(yield* ask("GET /api/v1/state", "Host: evil.example\r\n")), 421)
        assert.strictEqual(statusOf(yield* ask("GET /healthz", "Host: evil.example\r\n")), 421)
        assert.strictEqual(
          statusOf(yield* ask("GET http://evil.example/api/v1/state", "Host: 127.0.0.1\r\n")),
          421
        )
        const missing = yield* ask("GET /api/v1/state", "")
        assert.strictEqual(statusOf(missing), 400)
        assert.include(missing, '{"error":{"code":"bad_request"')
      })
    )
  )

  it.live("an agent's endpoint is not reached from a page either", () =>
    run(
      Effect.gen(function* () {
        const response = yield* send("POST", "/api/v1/issues/DEMO-1/mcp", {
          headers: { authorization: `Bearer ${RUN_TOKEN}`, origin: "http://evil.example" }
        })
        assert.strictEqual(response.status, 403)
      })
    )
  )

  it.live("a malformed percent-encoding is 400", () =>
    run(
      Effect.gen(function* () {
        assert.strictEqual(statusOf(yield* ask("GET /api/v1/%zz", "Host: localhost\r\n")), 400)
        assert.strictEqual(statusOf(yield* ask("GET /api/v1/%ff", "Host: localhost\r\n")), 400)
      })
    )
  )

  it.live("a body over the cap is 413, declared or not", () =>
    run(
      Effect.gen(function* () {
        const headers = "Host: localhost\r\nContent-Type: application/json\r\n"
        const declared = yield* ask("POST /api/v1/issues", `${headers}Content-Length: 9000000\r\n`)
        assert.strictEqual(statusOf(declared), 413)
        const chunk = "x".repeat(600_000)
        const size = chunk.length.toString(16)
        const chunked = yield* sendRaw(
          `POST /api/v1/issues HTTP/1.1\r\n${headers}Transfer-Encoding: chunked\r\n${yield* authorized}\r\n` +
            `${size}\r\n${chunk}\r\n${size}\r\n${chunk}\r\n0\r\n\r\n`
        )
        assert.strictEqual(statusOf(chunked), 413)
      })
    )
  )

  it.live("a page can neither be framed nor run what is not ours", () =>
    run(
      Effect.gen(function* () {
        const { headers } = yield* send("GET", "/")
        assert.include(headers["content-security-policy"], "default-src 'none'")
        assert.include(headers["content-security-policy"], "frame-ancestors 'none'")
        assert.notInclude(headers["content-security-policy"], "unsafe")
        assert.strictEqual(headers["x-content-type-options"], "nosniff")
        assert.strictEqual(headers["cache-control"], "no-store")
      })
    )
  )
})

describe("listening", () => {
  it.live("a port in use is one clear error", () =>
    run(
      Effect.gen(function* () {
        const { port } = yield* (yield* Listener).address
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(server({ board: ISSUES, port }))))
        assert.isTrue(Exit.isFailure(exit))
        const error = yield* Effect.flip(exit)
        assert.instanceOf(error, ListenError)
        assert.include(error.message, `cannot listen on 127.0.0.1:${port}: the port is in use`)
      })
    )
  )
})

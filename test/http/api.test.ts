import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref } from "effect"
import { makeRunId } from "../../src/domain/ids.ts"
import { Transcripts } from "../../src/journal/Transcripts.ts"
import { CommandRefused } from "../../src/scheduler/Scheduler.ts"
import { askingIssue, board, boardIssue, NOON, workingIssue } from "./boards.ts"
import { Asked, form, json, sendAuthorized, server } from "./support.ts"

const WAITING = boardIssue("DEMO-3", {
  retryable: true,
  retry: { attempt: 2, dueAt: NOON + 20_000, kind: "retry", error: "stall" }
})
const PARKED = boardIssue("DEMO-4", {
  status: "stopped",
  state: "Triage",
  role: "holding",
  why: { code: "Held", text: "five failures in a row" }
})
const PROBLEM = {
  source: "tracker",
  severity: "error",
  where: "Todo/bad.md:3:1",
  message: "not YAML",
  hint: null
} as const
const BOARD = board([askingIssue("DEMO-1"), workingIssue("DEMO-2", 2), WAITING, PARKED], {
  problems: [PROBLEM]
})

const run = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, server({ board: BOARD }))

const errorCode = (body: unknown): unknown =>
  typeof body === "object" && body !== null && "error" in body && typeof body.error === "object"
    ? (body.error as { readonly code?: unknown } | null)?.code
    : undefined

describe("GET /api/v1/state", () => {
  it.live("has the fields of 0.1.0, and why everything else does not run", () =>
    run(
      Effect.gen(function* () {
        const response = yield* sendAuthorized("GET", "/api/v1/state")
        assert.strictEqual(response.status, 200)
        const state = (yield* response.json) as Record<string, unknown> & {
          readonly running: ReadonlyArray<Record<string, unknown>>
        }
        assert.deepInclude(state, {
          generated_at: "2026-11-22T12:00:00.000Z",
          mode: "running",
          badge: "attention",
          rate_limits: null,
          problems: [PROBLEM],
          counts: {
            running: 2,
            retrying: 1,
            needs_you: 1,
            ready_for_review: 0,
            waiting: 1,
            parked: 1,
            closed: 0
          },
          codex_totals: {
            input_tokens: 4999,
            output_tokens: 1,
            total_tokens: 5000,
            source: "reported",
            cost: { amounts: { USD: 1.25, credits: 3 }, partial: true },
            seconds_running: 3725
          },
          retrying: [
            {
              issue_id: "id-DEMO-3",
              issue_identifier: "DEMO-3",
              attempt: 2,
              kind: "retry",
              due_at: "2026-11-22T12:00:20.000Z",
              error: "stall"
            }
          ],
          waiting: [
            {
              issue_id: "id-DEMO-3",
              issue_identifier: "DEMO-3",
              issue_title: "Title of DEMO-3",
              state: "Todo",
              status: "waiting",
              reason: { code: "GlobalCap", text: "all 2 slots are in use" },
              changed_at: "2026-11-22T10:00:00.000Z"
            }
          ]
        })
        assert.deepInclude(state.running[0], {
          issue_identifier: "DEMO-1",
          issue_body: "Text of DEMO-1",
          turn_count: 2,
          steering_requested: true,
          steering_question: "Which colour?",
          steering_context: "Both fit.",
          started_at: "2026-11-22T11:55:00.000Z"
        })
      })
    )
  )
})

describe("issues", () => {
  it.live("are listed by identifier", () =>
    run(
      Effect.gen(function* () {
        const { issues } = (yield* (yield* sendAuthorized("GET", "/api/v1/issues")).json) as {
          readonly issues: ReadonlyArray<{ readonly identifier: string }>
        }
        assert.deepStrictEqual(
          issues.map((issue) => issue.identifier),
          ["DEMO-1", "DEMO-2", "DEMO-3", "DEMO-4"]
        )
      })
    )
  )

  for (const path of ["/api/v1/DEMO-2", "/api/v1/issues/DEMO-2"]) {
    it.live(`${path} shows the run with its last 50 events`, () =>
      run(
        Effect.gen(function* () {
          const transcripts = yield* Transcripts
          const { identifier } = workingIssue("DEMO-2")
          for (let n = 0; n < 60; n++) {
            yield* transcripts.append(identifier, makeRunId(1, 2), 1, { _tag: "Message", text: `word ${n}` })
          }
          const detail = (yield* (yield* sendAuthorized("GET", path)).json) as {
            readonly running: { readonly run_id: string }
            readonly recent_events: ReadonlyArray<{ readonly message: string }>
          }
          assert.strictEqual(detail.running.run_id, "r1-2")
          assert.strictEqual(detail.recent_events.length, 50)
          assert.strictEqual(detail.recent_events.at(-1)?.message, "word 59")
        })
      )
    )
  }

  it.live("a title alone makes one", () =>
    run(
      Effect.gen(function* () {
        const response = yield* sendAuthorized("POST", "/api/v1/issues", json({ title: "Mend it" }))
        assert.strictEqual(response.status, 201)
        assert.deepStrictEqual(yield* response.json, {
          path: "/project/issues/Todo/DEMO-7.md",
          identifier: "DEMO-7",
          state: "Todo"
        })
      })
    )
  )
})

describe("commands", () => {
  const commands = [
    ["/api/v1/pause", undefined, { _tag: "Pause" }],
    ["/api/v1/drain", undefined, { _tag: "Drain" }],
    ["/api/v1/resume", undefined, { _tag: "Resume" }],
    ["/api/v1/issues/DEMO-2/stop", undefined, { _tag: "Stop", issue: "id-DEMO-2" }],
    ["/api/v1/issues/DEMO-3/retry", undefined, { _tag: "RetryNow", issue: "id-DEMO-3" }],
    ["/api/v1/issues/DEMO-3/move", { to: "Done" }, { _tag: "Move", issue: "id-DEMO-3", to: "Done" }],
    [
      "/api/v1/issues/DEMO-1/steering-reply",
      { text: " Blue. " },
      { _tag: "Answer", issue: "id-DEMO-1", question: null, text: "Blue." }
    ],
    [
      "/api/v1/issues/DEMO-1/steering-reply",
      { text: "Blue.", question: "q-r1-1-1" },
      { _tag: "Answer", issue: "id-DEMO-1", question: "q-r1-1-1", text: "Blue." }
    ]
  ] as const

  for (const [path, body, command] of commands) {
    it.live(`POST ${path} asks for ${command._tag}`, () =>
      run(
        Effect.gen(function* () {
          const response = yield* sendAuthorized("POST", path, body === undefined ? {} : json(body))
          assert.strictEqual(response.status, 202, yield* response.text)
          assert.deepStrictEqual(yield* Ref.get((yield* Asked).commands), [command] as never)
        })
      )
    )
  }

  it.live("POST /api/v1/refresh says what it queued", () =>
    run(
      Effect.gen(function* () {
        const response = yield* sendAuthorized("POST", "/api/v1/refresh")
        assert.strictEqual(response.status, 202)
        assert.deepInclude((yield* response.json) as object, {
          queued: true,
          coalesced: false,
          operations: ["poll", "reconcile"]
        })
      })
    )
  )

  it.live("a form answers with htmx and gets the queue back; what went wrong is in it", () =>
    run(
      Effect.gen(function* () {
        const path = "/api/v1/issues/DEMO-1/steering-reply"
        const htmx = (fields: Readonly<Record<string, string>>) => {
          const { body, headers } = form(fields)
          return sendAuthorized("POST", path, { body, headers: { ...headers, "hx-request": "true" } })
        }
        const answered = yield* htmx({ text: "Blue.", question: "q-r1-1-1" })
        assert.strictEqual(answered.status, 200)
        assert.include(yield* answered.text, "Which colour?")
        const empty = yield* htmx({ text: " ", question: "q-r1-1-1" })
        assert.strictEqual(empty.status, 200)
        const text = yield* empty.text
        assert.match(text, /<textarea[^>]*aria-describedby="(reply-[^"]+)-problem"/)
        assert.match(text, /<p id="reply-q-r1-1-1-problem"[^>]*>text is required/)
      })
    )
  )

  it.live("what is refused names the field at fault", () =>
    run(
      Effect.gen(function* () {
        for (const [body, field] of [
          [{ title: " " }, "title"],
          [{ title: "x", identifier: "TAKEN" }, "identifier"],
          [{ title: "x", priority: "high" }, "priority"]
        ] as const) {
          const response = yield* sendAuthorized("POST", "/api/v1/issues", json(body))
          const { error } = (yield* response.json) as { readonly error: { readonly field?: string } }
          assert.strictEqual(error.field, field)
        }
      })
    )
  )
})

describe("what is refused", () => {
  const reply = "/api/v1/issues/DEMO-1/steering-reply"
  const text = (type: string) => ({ body: '{"title":"x","text":"y"}', headers: { "content-type": type } })
  const refusals = [
    ["POST", "/api/v1/issues", text("text/plain"), 415, "unsupported_media_type"],
    ["POST", "/api/v1/issues", text("multipart/form-data; boundary=x"), 415, "unsupported_media_type"],
    ["POST", "/api/v1/issues", form({ title: "x" }), 415, "unsupported_media_type"],
    ["POST", "/api/v1/pause", text("text/plain"), 415, "unsupported_media_type"],
    ["POST", reply, text("text/plain"), 415, "unsupported_media_type"],
    ["POST", reply, form({ text: "y" }), 403, "forbidden"],
    ["POST", "/api/v1/issues", { ...json({}), body: "{" }, 400, "bad_request"],
    ["POST", "/api/v1/issues", json({}), 400, "bad_request"],
    ["POST", "/api/v1/issues", json({ title: " " }), 400, "bad_request"],
    ["POST", "/api/v1/issues", json({ title: "x", priority: "high" }), 400, "bad_request"],
    ["POST", "/api/v1/issues", json({ title: "x", identifier: "TAKEN" }), 409, "create_failed"],
    ["POST", reply, json({ text: "  " }), 400, "bad_request"],
    ["POST", reply, json({ text: "y", question: "what" }), 400, "bad_request"],
    ["POST", "/api/v1/issues/NO-1/steering-reply", json({ text: "y" }), 404, "issue_not_found"],
    ["POST", "/api/v1/issues/DEMO-2/move", json({}), 400, "bad_request"],
    ["GET", "/api/v1/NO-1", {}, 404, "issue_not_found"],
    ["GET", "/api/v1/issues/NO-1", {}, 404, "issue_not_found"],
    ["GET", "/api/v1/no/such/route", {}, 404, "not_found"]
  ] as const

  for (const [method, path, options, status, code] of refusals) {
    it.live(`${method} ${path} ${JSON.stringify(options)}: ${status} ${code}`, () =>
      run(
        Effect.gen(function* () {
          const response = yield* sendAuthorized(method, path, options)
          assert.strictEqual(response.status, status, yield* response.text)
          assert.strictEqual(errorCode(yield* response.json), code)
          assert.deepStrictEqual(yield* Ref.get((yield* Asked).commands), [])
        })
      )
    )
  }

  it.live("a field of a new issue is told with what it may be", () =>
    run(
      Effect.gen(function* () {
        for (const [field, what] of [
          ["identifier", "a text"],
          ["priority", "a whole number"]
        ] as const) {
          const body = json({ title: "x", [field]: [] })
          const response = yield* sendAuthorized("POST", "/api/v1/issues", body)
          assert.deepInclude(yield* response.json, {
            error: { code: "bad_request", message: `${field}: Expected ${what} or null`, field }
          })
        }
      })
    )
  )

  const methods = [
    ["POST", "/api/v1/state", "GET, HEAD"],
    ["GET", "/api/v1/refresh", "POST"],
    ["GET", "/api/v1/pause", "POST"],
    ["DELETE", "/api/v1/issues", "GET, HEAD, POST"],
    ["PUT", "/api/v1/DEMO-1", "GET, HEAD"],
    ["GET", "/api/v1/issues/DEMO-1/steering-reply", "POST"],
    ["POST", "/api/v1/partials/header", "GET, HEAD"],
    ["POST", "/metrics", "GET, HEAD"],
    ["DELETE", "/issues/DEMO-1", "GET, HEAD"],
    ["POST", "/", "GET, HEAD"]
  ] as const
  for (const [method, path, allow] of methods) {
    it.live(`${method} ${path}: 405, allowed is ${allow}`, () =>
      run(
        Effect.gen(function* () {
          const response = yield* sendAuthorized(method, path)
          assert.strictEqual(response.status, 405)
          assert.strictEqual(response.headers["allow"], allow)
          assert.strictEqual(errorCode(yield* response.json), "method_not_allowed")
        })
      )
    )
  }

  const statuses: Readonly<Record<CommandRefused["reason"], number>> = {
    issue_not_found: 404,
    no_pending_steering: 409,
    already_answered: 409,
    not_running: 409,
    nothing_to_review: 409,
    nothing_to_hand_over: 409,
    nothing_to_retry: 409,
    unknown_state: 400,
    name_taken: 409,
    run_active: 409,
    not_durable: 503,
    stopping: 503
  }
  it.live("each refusal of the scheduler has its status", () =>
    run(
      Effect.gen(function* () {
        const { refusal } = yield* Asked
        for (const [reason, status] of Object.entries(statuses)) {
          yield* Ref.set(refusal, reason as CommandRefused["reason"])
          const response = yield* sendAuthorized("POST", reply, json({ text: "y" }))
          assert.strictEqual(response.status, status, reason)
          assert.strictEqual(errorCode(yield* response.json), reason)
        }
      })
    )
  )
})

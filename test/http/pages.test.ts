import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Latch, Ref, Stream, SubscriptionRef } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { BoardIssue } from "../../src/board/Board.ts"
import { BoardEditor } from "../../src/board/MemoryBoard.ts"
import { makeQuestionId, makeRunId } from "../../src/domain/ids.ts"
import { loginDiff, loginWork, LOGIN, talk } from "../browser/scenes.ts"
import type { HandoffDiff } from "../../src/handoff/Handoff.ts"
import { Transcripts } from "../../src/journal/Transcripts.ts"
import { hostile, ioFailure } from "../../src/handoff/failures.ts"
import {
  askingIssue,
  board,
  boardIssue,
  closedIssue,
  finishedIssue,
  heldIssue,
  NOON,
  proposedIssue,
  workingIssue
} from "./boards.ts"
import { version } from "../../src/package.ts"
import { MAX_BODY_BYTES } from "../../src/http/guard.ts"
import { document, operations, undocumented } from "./document.ts"
import {
  Asked,
  form,
  json,
  operatorToken,
  origin,
  send,
  sendAuthorized,
  sendRaw,
  server,
  statusOf
} from "./support.ts"

const HOSTILE = `<img src=x onerror=alert(1)>"'><script>alert(1)</script>\u202Eevil\u001b[2J`

const RETRY = { attempt: 2, dueAt: NOON + 60_000, kind: "retry", error: "stalled" } as const

const QUESTION = {
  id: makeQuestionId(makeRunId(1, 1), 1),
  text: "Which colour?",
  context: null,
  askedAt: NOON - 60_000,
  turn: 1,
  reply: null
}

const UNREAD = {
  code: "Unreadable",
  text: "its file cannot be read: issues/Todo/BAD-1.md:3:1: front matter is not YAML"
}

const BOARD = board([
  askingIssue("DEMO-1"),
  workingIssue("DEMO-2", 2),
  proposedIssue("DEMO-3", "DEMO-2"),
  boardIssue("DEMO-4", { state: "Triage", role: "holding", status: "stopped" }),
  LOGIN
])

const run = <A, E, R>(effect: Effect.Effect<A, E, R>, options: Partial<Parameters<typeof server>[0]> = {}) =>
  Effect.provide(effect, server({ board: BOARD, ...options }))

const page = (path: string) =>
  Effect.gen(function* () {
    const response = yield* sendAuthorized("GET", path, { headers: { accept: "text/html" } })
    return { status: response.status, text: yield* response.text }
  })

describe("pages", () => {
  for (const [path, status, text] of [
    ["/", 200, "Which colour?"],
    ["/", 200, "5.0k tokens, cost ≥ $1.25 + 3.00 credits"],
    ["/issues?q=demo-2", 200, "Title of DEMO-2"],
    ["/issues/DEMO-1", 200, "Which colour?"],
    ["/issues/NO-1", 404, "There is no issue NO-1"],
    ["/issues/DEMO-2", 200, "<td>1.2k</td><td>—</td>"],
    ["/issues/WEB-7", 200, "<td>41k</td><td>$0.42</td>"],
    ["/issues/DEMO-2/stop", 200, "turn 2, at work for 5m, is cut off"],
    ["/issues/DEMO-2/move?to=Done", 200, "What the agent has not written to a file yet is lost"],
    ["/issues/DEMO-2", 200, "Look at the work so far"],
    ["/issues/DEMO-3/work", 404, "DEMO-3 has no workspace"],
    ["/issues/DEMO-2/work", 200, "Nothing is committed yet."],
    ["/issues/WEB-7/diff?commit=4f1c2d3e4b5a69788796a5b4c3d2e1f001122334", 200, "commit 2 of 2"],
    ["/issues/WEB-7/diff?commit=9e8d7c6b5a4938271605f4e3d2c1b0a998877665", 200, "Next commit"],
    ["/issues/WEB-7/diff?commit=main", 404, "names no commit"],
    ["/issues/DEMO-2/move", 400, "names no state"],
    ["/issues/DEMO-3", 200, "Approve: move to Todo"],
    ["/", 200, "Approve: move to Todo"],
    ["/", 200, "proposed by the agent of DEMO-2: approve or discard it"],
    ["/do/drain", 200, "to wait for; nothing is lost"],
    ["/issues/WEB-7/diff", 200, "npm run check"],
    ["/issues/WEB-7/diff", 200, "continuous integration: .github/workflows/test.yml"],
    ["/issues/WEB-7/runs/r1-3", 200, "failed: stall_timeout: no sign of life for 300 s"],
    ["/issues/WEB-7/runs/r1-3", 200, ">50m</time> ago"],
    ["/issues/WEB-7/runs/r1-7", 200, "waiting, run 1"],
    ["/issues/DEMO-2/runs/r1-2", 200, "conversing, run 1"],
    ["/issues/DEMO-2/runs/r1-2", 200, 'last sign of life <time datetime="2026-11-22T11:59:56.000Z"'],
    ["/issues/DEMO-2/runs/r9-99/status", 404, "names no run of DEMO-2"],
    ["/issues/WEB-7/runs/nonsense", 404, "names no run"],
    ["/issues/WEB-7/runs/r9-99", 404, "names no run of WEB-7"],
    ["/issues/WEB-7/runs/r1-7/last-error", 404, "Nothing has failed"],
    ["/nowhere", 404, "There is nothing at this address."]
  ] as const) {
    it.live(`${path} is ${status} and says ${text}`, () =>
      run(
        Effect.gen(function* () {
          const shown = yield* page(path)
          assert.strictEqual(shown.status, status)
          assert.include(shown.text, text)
        }),
        { diff: loginDiff }
      )
    )
  }

  it.live("only what an agent proposed is there to approve, and says by whom", () =>
    run(
      Effect.gen(function* () {
        const [proposed, filed] = [yield* page("/issues/DEMO-3"), yield* page("/issues/DEMO-4")]
        assert.match(proposed.text, /proposed by<\/dt><dd[^>]*>DEMO-2</)
        assert.notInclude(filed.text, "Approve")
        assert.notInclude(filed.text, "proposed by")
      })
    )
  )

  it.live("a retry is offered where it would change something only", () =>
    run(
      Effect.gen(function* () {
        for (const path of ["/issues/HELD-1", "/issues/LATE-1", "/issues/DOWN-1"])
          assert.include((yield* page(path)).text, "Retry now", path)
        for (const path of ["/issues/DEMO-1", "/issues/FREE-1", "/issues/LATE-2"])
          assert.notInclude((yield* page(path)).text, "Retry now", path)
        assert.strictEqual((yield* page("/")).text.match(/Retry now/g)?.length, 1)
      }),
      {
        board: board([
          askingIssue("DEMO-1"),
          boardIssue("FREE-1"),
          heldIssue("HELD-1"),
          boardIssue("LATE-1", { retry: RETRY, retryable: true }),
          // Its moment has come, and it waits for a slot.
          boardIssue("LATE-2", { retry: RETRY }),
          boardIssue("DOWN-1", { why: { code: "AdapterBlocked", text: "cannot sign in" }, retryable: true })
        ])
      }
    )
  )

  it.live(
    "an issue that was stopped while it asked says why it rests and offers a retry, not an answer box",
    () =>
      run(
        Effect.gen(function* () {
          const [open, answered] = [yield* page("/issues/HELD-1"), yield* page("/issues/HELD-2")]
          for (const { text } of [open, answered]) {
            assert.include(plain(text), "stopped Todo stopped by the operator")
            assert.include(text, "Retry now")
            assert.include(text, "Which colour?")
            assert.notInclude(text, "Answer</")
            assert.notInclude(text, "<textarea")
          }
          assert.include(open.text, "retried, it asks this again")
          assert.include(open.text, 'data-done="HELD-1 asks its question again."')
          assert.include(answered.text, "the agent gets it once the issue is retried")
          assert.notInclude((yield* page("/issues/HELD-1/work")).text, "Answer with this")
          assert.include(
            plain((yield* page("/issues/DEMO-1/stop")).text),
            "Its open question “Which colour?” waits for no answer then; a retry asks it again."
          )
        }),
        {
          board: board([
            askingIssue("DEMO-1"),
            heldIssue("HELD-1", { question: QUESTION, workspace: "/project/.symphony/workspaces/HELD-1" }),
            heldIssue("HELD-2", { question: { ...QUESTION, reply: "Blue." } })
          ])
        }
      )
  )

  for (const [mode, issue, words] of [
    ["running", heldIssue("HELD-1"), "as soon as a slot is free."],
    ["paused", heldIssue("HELD-1"), "once symphony is resumed: it is paused."],
    ["draining", heldIssue("HELD-1"), "once symphony is resumed: it is draining."],
    ["draining", boardIssue("HELD-1", { retry: RETRY, retryable: true }), "as soon as a slot is free."]
  ] as const) {
    it.live(
      `a retry of what ${issue.retry === null ? "is held" : "waits"} says, ${mode}, when it comes`,
      () =>
        run(
          Effect.gen(function* () {
            const { text } = yield* page("/issues/HELD-1")
            assert.include(text, `data-done="HELD-1 is tried again ${words}"`)
          }),
          { board: board([issue], { mode }) }
        )
    )
  }

  it.live("an issue whose file cannot be read says so, and offers what works without it only", () =>
    run(
      Effect.gen(function* () {
        const [works, asks] = [yield* page("/issues/BAD-1"), yield* page("/issues/BAD-2")]
        for (const { text } of [works, asks]) {
          assert.include(text, UNREAD.text)
          assert.notInclude(text, "Move to")
          assert.notInclude(text, "The issue has no text")
        }
        assert.include(works.text, "Stop</button>")
        assert.include(asks.text, "Answer BAD-2")
        assert.include((yield* page("/")).text, UNREAD.text)
      }),
      {
        board: board([
          workingIssue("BAD-1", 1, { why: UNREAD, description: null }),
          askingIssue("BAD-2", 2, { why: UNREAD, description: null })
        ])
      }
    )
  )

  it.live("an issue that is not there because of its file is told from one that nobody has filed", () =>
    run(
      Effect.gen(function* () {
        const shown = yield* page("/issues/BAD-1")
        assert.strictEqual(shown.status, 404)
        assert.include(
          shown.text,
          "The file of BAD-1 cannot be read: issues/Todo/BAD-1.md:3:1: front matter is not YAML."
        )
        const asked = yield* sendAuthorized("POST", "/api/v1/issues/BAD-1/stop", json({}))
        assert.include(yield* asked.text, "The file of BAD-1 cannot be read: issues/Todo/BAD-1.md:3:1")
        assert.include((yield* page("/issues/AD-1")).text, "There is no issue AD-1")
      }),
      {
        board: board([], {
          problems: [
            {
              source: "tracker",
              severity: "error",
              where: "issues/Todo/BAD-1.md:3:1",
              message: "front matter is not YAML",
              hint: null
            }
          ]
        })
      }
    )
  )

  it.live("every page says how many problems there are, and leads to them", () => {
    const problem = {
      source: "tracker",
      severity: "error",
      where: "x.md",
      message: "no",
      hint: null
    } as const
    const pages = ["/issues", "/keys", "/issues/DEMO-1", "/issues/WEB-7/diff", "/issues/WEB-7/runs/r1-7"]
    const count = (path: string) =>
      Effect.map(
        page(path),
        ({ text }) => /<a class="problem-count error" href="\/#problems">(.*?)<\/a>/.exec(text)?.[1]
      )
    return run(
      Effect.gen(function* () {
        const editor = yield* BoardEditor
        for (const path of pages) assert.isUndefined(yield* count(path), path)
        for (const [problems, words] of [
          [[problem], "1 problem"],
          [[problem, problem], "2 problems"]
        ] as const) {
          yield* editor.update((now) => ({ ...now, problems }))
          for (const path of [...pages, "/api/v1/partials/badge"])
            assert.strictEqual(plain((yield* count(path)) ?? "").trim(), `▲ ${words}`, path)
        }
        assert.include((yield* page("/")).text, 'id="problems"')
      }),
      { diff: loginDiff }
    )
  })

  it.live("what people read of an issue is its text, without the marks of its notes", () =>
    run(
      Effect.gen(function* () {
        const { text } = yield* page("/issues/BAD-1")
        assert.include(text, "Parked by symphony")
        assert.notInclude(text, "symphony:parked")
      }),
      {
        board: board([
          heldIssue("BAD-1", {
            description: "Mend it.\n\n<!-- symphony:parked-1 -->\n## Parked by symphony\n\n> 2 runs failed.\n"
          })
        ])
      }
    )
  )

  it.live("a short result stands beside its call in a transcript", () =>
    run(
      Effect.gen(function* () {
        yield* talk(9)
        assert.match(
          (yield* page("/issues/WEB-7/runs/r1-7")).text,
          /read src\/login.ts<span class="dim"> → ok</
        )
      })
    )
  )

  it.live("why a run failed is its last error, and said at every depth", () =>
    run(
      Effect.gen(function* () {
        yield* (yield* Transcripts).append(LOGIN.identifier, makeRunId(1, 3), 1, {
          _tag: "Stage",
          name: "ended",
          detail: "failed: stall_timeout: no sign of life for 300 s",
          failed: true
        })
        for (const depth of ["line", "steps", "raw"]) {
          assert.match(
            (yield* page(`/issues/WEB-7/runs/r1-3?depth=${depth}`)).text,
            /class="step failed".*no sign of life for 300 s/
          )
        }
        const led = yield* sendAuthorized("GET", "/issues/WEB-7/runs/r1-3/last-error")
        assert.deepStrictEqual([led.status, led.headers["location"]], [303, "/issues/WEB-7/runs/r1-3#e-0"])
      })
    )
  )

  it.live("every page that shows ages says of when they are, where no script keeps them counting", () =>
    run(
      Effect.gen(function* () {
        for (const path of [
          "/",
          "/issues",
          "/issues/WEB-7",
          "/issues/WEB-7/diff",
          "/issues/WEB-7/work",
          "/issues/WEB-7/runs/r1-7"
        ]) {
          assert.match((yield* page(path)).text, /<noscript>.*as of 12:00:00Z.*<\/noscript>/, path)
        }
      }),
      { diff: loginDiff, work: Effect.succeed(loginWork) }
    )
  )

  it.live("a filter shows what matches only", () =>
    run(
      Effect.gen(function* () {
        const { text } = yield* page("/issues?status=working&q=")
        assert.include(text, "DEMO-2")
        assert.notInclude(text, "DEMO-3")
      })
    )
  )

  it.live("nothing that an issue or an agent says becomes markup, or hides", () =>
    run(
      Effect.gen(function* () {
        for (const path of [
          "/",
          "/issues",
          "/issues/EVIL-1",
          "/issues/EVIL-1/stop",
          "/issues/EVIL-1/diff",
          "/issues/EVIL-1/work"
        ]) {
          const { text } = yield* page(path)
          assert.notInclude(text, "<img", path)
          assert.notInclude(text, "<script>", path)
          assert.notInclude(text, "\u202E", path)
          assert.notInclude(text, "\u001b", path)
        }
      }),
      {
        board: board(
          [
            askingIssue("EVIL-1", 1, {
              title: HOSTILE,
              description: HOSTILE,
              labels: [HOSTILE],
              question: { ...askingIssue("x").question, text: HOSTILE, context: HOSTILE } as never
            })
          ],
          {
            problems: [
              { source: "tracker", severity: "error", where: HOSTILE, message: HOSTILE, hint: HOSTILE }
            ]
          }
        ),
        diff: {
          ...loginDiff,
          title: HOSTILE,
          summary: HOSTILE,
          patch: `diff --git a/x b/${HOSTILE}\n@@ -0,0 +1 @@\n+${HOSTILE}\n`
        },
        work: Effect.succeed({
          ...loginWork,
          commits: [{ id: HOSTILE, subject: HOSTILE, author: HOSTILE }],
          flags: [{ kind: HOSTILE, detail: HOSTILE }],
          uncommitted: [HOSTILE],
          leftOut: [HOSTILE],
          elsewhere: [HOSTILE],
          refusal: HOSTILE
        })
      }
    )
  )

  it.live("a transcript is shown at three depths, a page at a time", () =>
    run(
      Effect.gen(function* () {
        yield* talk(300)
        for (const [depth, text] of [
          ["line", "turn 5"],
          ["steps", "read src/login.ts"],
          ["raw", "&quot;_tag&quot;:&quot;ToolCall&quot;"]
        ] as const) {
          assert.include((yield* page(`/issues/WEB-7/runs/r1-7?depth=${depth}`)).text, text)
        }
        const newest = (yield* page("/issues/WEB-7/runs/r1-7")).text
        assert.include(newest, "100–299 of 300")
        assert.include(newest, "before=100")
        assert.include((yield* page("/issues/WEB-7/runs/r1-7?before=100")).text, "0–99 of 300")
      })
    )
  )
})

/** As the answers of the server are, with the text of a page as a person reads it. */
const plain = (html: string): string =>
  html
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/\s+/g, " ")
    .replaceAll("&quot;", '"')

describe("work that is not handed over yet", () => {
  const dirty = { work: Effect.succeed(loginWork) }

  it.live(
    "is on a page of its own: as of when, what is dangerous first, what no commit has, its commits",
    () =>
      run(
        Effect.gen(function* () {
          const { status, text } = yield* page("/issues/DEMO-2/work")
          assert.strictEqual(status, 200)
          let at = -1
          for (const said of [
            "Not handed over yet. What is in its workspace as of 2026-11-22 12:00:00Z, while its run goes on",
            "2 commits · 2 files",
            "protected continuous integration: .github/workflows/test.yml",
            "could not be done with it as it is: handoff: changed and not committed: src/session.ts",
            "In no commit 2 src/session.ts notes/todo.md",
            "not kept by a handoff 1 fixtures/sessions.sqlite",
            "Beside its branch 1 branch try-cookies",
            "9e8d7c6b5a49 Check in CI, too",
            "+ - run: npm run check"
          ]) {
            const found = plain(text).indexOf(said)
            assert.isAbove(found, at, said)
            at = found
          }
        }),
        dirty
      )
  )

  it.live("is shown instead of nothing where no run has handed anything over", () =>
    run(
      Effect.gen(function* () {
        const { status, text } = yield* page("/issues/DEMO-2/diff")
        assert.strictEqual(status, 404)
        assert.include(text, 'href="/issues/DEMO-2/work"')
        assert.include((yield* page("/issues/DEMO-2")).text, 'href="/issues/DEMO-2/work"')
        // What is handed over has a page already.
        assert.notInclude((yield* page("/issues/WEB-7")).text, "/issues/WEB-7/work")
      }),
      dirty
    )
  )

  it.live("takes comments where somebody reads them: an agent that asks, or the next run", () =>
    run(
      Effect.gen(function* () {
        const [asks, works, held] = [
          yield* page("/issues/DEMO-1/work"),
          yield* page("/issues/DEMO-2/work"),
          yield* page("/issues/DEMO-5/work")
        ]
        assert.include(asks.text, "Answer with this")
        assert.include(held.text, "Send back with this")
        assert.include(works.text, "Comments are taken when its agent asks")
        assert.notInclude(works.text, '<form id="review"')
        assert.notMatch(works.text, /<td class="ln"><button/)
      }),
      {
        ...dirty,
        board: board([
          askingIssue("DEMO-1"),
          workingIssue("DEMO-2", 2),
          heldIssue("DEMO-5", { workspace: "/project/.symphony/workspaces/DEMO-5" })
        ])
      }
    )
  )

  for (const [what, error, status] of [
    ["hostile", hostile("fsck", "the agent's commits are refused: bad tree"), 409],
    ["not to be had", ioFailure("git", "fetching the base branch failed"), 503]
  ] as const) {
    it.live(`that is ${what} is said in words, and still asked about before it would be lost`, () =>
      run(
        Effect.gen(function* () {
          const shown = yield* page("/issues/DEMO-2/work")
          assert.strictEqual(shown.status, status)
          assert.include(plain(shown.text), error.detail)
          const stop = yield* sendAuthorized("POST", "/issues/DEMO-2/stop", form({}))
          assert.strictEqual(stop.headers["location"], "/issues/DEMO-2/stop")
          assert.include(
            plain((yield* page("/issues/DEMO-2/stop")).text),
            `What is in its workspace is not known: handoff: ${error.detail}`
          )
          const api = yield* sendAuthorized("GET", "/api/v1/issues/DEMO-2/work")
          assert.strictEqual(api.status, status)
        }),
        { work: Effect.fail(error) }
      )
    )
  }
})

describe("what would be lost", () => {
  const consequences = (path: string) => Effect.map(page(path), ({ text }) => plain(text))
  const workspace = (name: string) => `/project/.symphony/workspaces/${name}`
  const names = [
    "2 commits that are not handed over: 9e8d7c6b5a49 Check in CI, too; 4f1c2d3e4b5a Post the login to /session.",
    "2 uncommitted files: src/session.ts; notes/todo.md.",
    "1 uncommitted file too large or too many to be kept: fixtures/sessions.sqlite.",
    "Work beside its branch: branch try-cookies has 1 commit that is not handed over."
  ]
  const BOARD = board([
    workingIssue("RUNS"),
    heldIssue("HELD", { workspace: workspace("HELD") }),
    proposedIssue("IDEA", "RUNS"),
    closedIssue("OUT", { state: "Todo", workspace: workspace("OUT"), handoff: LOGIN.handoff }),
    heldIssue("FAILED", {
      workspace: workspace("FAILED"),
      hold: { reason: "handoff", message: "the remote said no", at: NOON }
    })
  ])
  const withWork = { board: BOARD, work: Effect.succeed(loginWork) }

  it.live("is named by a stop, which keeps the workspace", () =>
    run(
      Effect.gen(function* () {
        const text = yield* consequences("/issues/RUNS/stop")
        for (const name of names) assert.include(text, name)
        assert.include(text, `The workspace ${workspace("RUNS")} stays as it is`)
      }),
      withWork
    )
  )

  for (const [issue, to, fate] of [
    ["RUNS", "Triage", "The workspace /project/.symphony/workspaces/RUNS stays as it is"],
    ["RUNS", "Done", "RUNS is removed once its commits are handed over as a patch"],
    ["HELD", "Done", "what is beside its branch, is lost."],
    ["OUT", "Done", "OUT is removed. What it was handed over with is kept; what is named here is lost."],
    ["FAILED", "Done", "FAILED stays: its handoff has failed"]
  ] as const) {
    it.live(`is named by a move of ${issue} to ${to}, with what becomes of it: ${fate}`, () =>
      run(
        Effect.gen(function* () {
          const text = yield* consequences(`/issues/${issue}/move?to=${to}`)
          // What was handed over already is safe.
          for (const name of issue === "OUT" ? names.slice(1) : names) assert.include(text, name)
          assert.strictEqual(text.includes("not handed over: 9e8d"), issue !== "OUT")
          assert.include(text, fate)
        }),
        withWork
      )
    )
  }

  it.live("with handoff.mode: none is nothing: the workspace stays", () =>
    run(
      Effect.gen(function* () {
        const text = yield* consequences("/issues/HELD/move?to=Done")
        assert.include(text, "HELD stays: with handoff.mode: none")
      }),
      { ...withWork, config: { handoff: { mode: "none" } } }
    )
  )

  it.live("is nothing where a proposal is discarded, and the page says what happens to its file", () =>
    run(
      Effect.gen(function* () {
        const text = yield* consequences("/issues/IDEA/move?to=Done")
        assert.include(text, "Discard IDEA?")
        assert.include(
          text,
          "Its file moves from /project/issues/Triage to /project/issues/Done. Nothing in it is deleted, and it can be moved back."
        )
        assert.include(text, "It has no workspace: no work is lost.")
      }),
      withWork
    )
  )

  it.live("names a few of many", () =>
    run(
      Effect.gen(function* () {
        const text = yield* consequences("/issues/RUNS/stop")
        assert.include(text, "300 uncommitted files: f0; f1; f2; f3; f4 and 295 more.")
      }),
      {
        board: BOARD,
        work: Effect.succeed({ ...loginWork, uncommitted: Array.from({ length: 300 }, (_, n) => `f${n}`) })
      }
    )
  )

  for (const [path, fields, asks] of [
    ["/issues/RUNS/stop", {}, "/issues/RUNS/stop"],
    ["/issues/RUNS/move", { to: "Done" }, "/issues/RUNS/move?to=Done"],
    ["/issues/RUNS/move", { to: "Triage" }, "/issues/RUNS/move?to=Triage"],
    ["/issues/HELD/move", { to: "Done" }, "/issues/HELD/move?to=Done"],
    ["/issues/HELD/move", { to: "Todo" }, null],
    ["/issues/HELD/move", { to: "Triage" }, null],
    ["/issues/HELD/stop", {}, null],
    ["/issues/IDEA/move", { to: "Done" }, null]
  ] as const) {
    it.live(
      `${path} ${JSON.stringify(fields)} ${asks === null ? "costs nothing and is done" : "asks first"}`,
      () =>
        run(
          Effect.gen(function* () {
            const asked = yield* Asked
            const first = yield* sendAuthorized("POST", path, form(fields))
            assert.strictEqual(first.status, 303)
            if (asks === null) return assert.strictEqual((yield* Ref.get(asked.commands)).length, 1)
            assert.strictEqual(first.headers["location"], asks)
            const script = form(fields)
            const byScript = yield* sendAuthorized("POST", path, {
              ...script,
              headers: { ...script.headers, "hx-request": "true" }
            })
            assert.deepStrictEqual([byScript.status, byScript.headers["hx-redirect"]], [204, asks])
            assert.isUndefined(byScript.headers["hx-trigger"])
            assert.deepStrictEqual(yield* Ref.get(asked.commands), [])
            yield* sendAuthorized("POST", path, form({ ...fields, confirmed: "yes" }))
            assert.strictEqual((yield* Ref.get(asked.commands)).length, 1)
          }),
          withWork
        )
    )
  }
})

describe("forms, without script", () => {
  it.live("what is refused says why, and leads back to its issue", () =>
    run(
      Effect.gen(function* () {
        yield* Ref.set((yield* Asked).refusal, "nothing_to_retry")
        const refused = yield* post("/issues/DEMO-2/retry")
        assert.strictEqual(refused.status, 409)
        const text = yield* refused.text
        assert.include(text, "refused: nothing_to_retry")
        assert.include(text, 'href="/issues/DEMO-2"')
      })
    )
  )

  const post = (path: string, fields: Readonly<Record<string, string>> = {}) =>
    sendAuthorized("POST", path, form(fields))

  for (const [path, fields, next, command] of [
    [
      "/issues/DEMO-1/answer",
      { text: "Blue.", question: "q-r1-1-1" },
      "/issues/DEMO-1",
      { _tag: "Answer", issue: "id-DEMO-1", question: "q-r1-1-1", text: "Blue." }
    ],
    ["/issues/DEMO-2/stop", {}, "/issues/DEMO-2", { _tag: "Stop", issue: "id-DEMO-2" }],
    ["/issues/DEMO-2/retry", {}, "/issues/DEMO-2", { _tag: "RetryNow", issue: "id-DEMO-2" }],
    [
      "/issues/DEMO-2/move",
      { to: "Done" },
      "/issues/DEMO-2",
      { _tag: "Move", issue: "id-DEMO-2", to: "Done" }
    ],
    ["/do/pause", {}, "/", { _tag: "Pause" }],
    ["/do/drain", {}, "/", { _tag: "Drain" }],
    ["/do/resume", {}, "/", { _tag: "Resume" }]
  ] as const) {
    it.live(`${path} asks for ${command._tag} and leads on`, () =>
      run(
        Effect.gen(function* () {
          const response = yield* post(path, fields)
          assert.strictEqual(response.status, 303)
          assert.strictEqual(response.headers["location"], next)
          assert.deepStrictEqual(yield* Ref.get((yield* Asked).commands), [command] as never)
        })
      )
    )
  }

  it.live("a new issue needs a title only, and what it lacks is said", () =>
    run(
      Effect.gen(function* () {
        const filed = yield* post("/issues", {
          title: "Mend it",
          description: "",
          priority: "",
          labels: "a, b"
        })
        assert.strictEqual(filed.headers["location"], "/issues/DEMO-7")
        assert.deepInclude((yield* Ref.get((yield* Asked).created))[0], {
          title: "Mend it",
          description: null,
          priority: null,
          labels: ["a", "b"]
        })
      }),
      { board: board([boardIssue("DEMO-7")]) }
    )
  )

  it.live("a new issue leads on to its page once the board has it", () =>
    run(
      Effect.gen(function* () {
        const [asked, editor] = [yield* Asked, yield* BoardEditor]
        const filing = yield* Effect.forkChild(post("/issues", { title: "Mend it" }))
        yield* Ref.get(asked.created).pipe(Effect.repeat({ until: (created) => created.length === 1 }))
        // Whoever asks later is answered meanwhile.
        for (const path of ["/", "/issues"]) assert.strictEqual((yield* page(path)).status, 200)
        assert.isUndefined(filing.pollUnsafe())
        yield* editor.update((now) => ({ ...now, issues: [...now.issues, boardIssue("DEMO-7")] }))
        const filed = yield* Fiber.join(filing)
        assert.strictEqual((yield* page(filed.headers["location"] ?? "")).status, 200)
      })
    )
  )

  it.live("a new issue leads on although the board does not hear of it", () =>
    run(
      Effect.gen(function* () {
        const filed = yield* post("/issues", { title: "Mend it" })
        assert.strictEqual(filed.headers["location"], "/issues/DEMO-7")
      })
    )
  )

  const typed = {
    title: 'Mend "it" & more',
    description: "First line.\n\n- a point",
    state: "In Progress",
    priority: "2",
    labels: "a, b",
    identifier: "WEB-99"
  }
  /** What stands in the fields of a page, by name. */
  const filledIn = (html: string): Readonly<Record<string, string>> => {
    const text = (escaped: string) =>
      escaped.replaceAll("&lt;", "<").replaceAll("&quot;", '"').replaceAll("&amp;", "&")
    const inputs = [...html.matchAll(/<input[^>]*>/g)].flatMap(([tag]) => {
      const name = / name="([^"]*)"/.exec(tag)?.[1]
      return name === undefined ? [] : [[name, text(/ value="([^"]*)"/.exec(tag)?.[1] ?? "")] as const]
    })
    const areas = [...html.matchAll(/<textarea[^>]* name="([^"]*)"[^>]*>([^<]*)<\/textarea>/g)].map(
      ([, name = "", value = ""]) => [name, text(value)] as const
    )
    const selects = [...html.matchAll(/<select[^>]* name="([^"]*)"[^>]*>(.*?)<\/select>/g)].map(
      ([, name = "", options = ""]) =>
        [
          name,
          /<option[^>]*selected[^>]* value="([^"]*)"|<option[^>]* value="([^"]*)"[^>]*selected/
            .exec(options)
            ?.slice(1)
            .find((value) => value !== undefined) ?? ""
        ] as const
    )
    return Object.fromEntries([...inputs, ...areas, ...selects])
  }
  /** Which field a page calls wrong, and with what words. */
  const complaint = (html: string): readonly [string | undefined, string | undefined] => {
    const tag = /<(?:input|textarea|select)[^>]*aria-invalid="true"[^>]*>/.exec(html)?.[0] ?? ""
    const words = / aria-describedby="([^"]*)"/.exec(tag)?.[1]
    return [/ name="([^"]*)"/.exec(tag)?.[1], new RegExp(`<p id="${words}"[^>]*>([^<]*)<`).exec(html)?.[1]]
  }

  for (const [fields, status, field, words] of [
    [{ title: " " }, 400, "title", "title: is empty"],
    [{ priority: "high" }, 400, "priority", "priority is not a whole number."],
    [{ identifier: "TAKEN" }, 409, "identifier", "Todo/TAKEN.md exists already"]
  ] as const) {
    it.live(`a new issue that is refused comes back with all that was typed, wrong in its ${field}`, () =>
      run(
        Effect.gen(function* () {
          const refused = yield* post("/issues", { ...typed, ...fields })
          assert.strictEqual(refused.status, status)
          const html = yield* refused.text
          assert.deepStrictEqual(filledIn(html), { ...typed, ...fields })
          assert.deepStrictEqual(complaint(html), [field, words])
        })
      )
    )
  }

  it.live("an answer that is refused comes back in its box, and can be sent again", () =>
    run(
      Effect.gen(function* () {
        const text = "Blue, as in <the> logo.\nNot green."
        yield* Ref.set((yield* Asked).refusal, "not_durable")
        const refused = yield* post("/issues/DEMO-1/answer", { text, question: "q-r1-1-1" })
        assert.strictEqual(refused.status, 503)
        const html = yield* refused.text
        assert.deepStrictEqual(filledIn(html), { text, question: "q-r1-1-1" })
        assert.deepStrictEqual(complaint(html), ["text", "refused: not_durable"])
        assert.include(html, 'action="/issues/DEMO-1/answer"')
        assert.include(html, "Which colour?")
      })
    )
  )

  for (const [path, question, status] of [
    ["/issues/DEMO-1/answer", "q-r1-1-9", 409],
    ["/issues/GONE-1/answer", "q-r1-1-1", 404]
  ] as const) {
    it.live(`an answer to what nobody asks any more is not lost: ${path} of ${question}`, () =>
      run(
        Effect.gen(function* () {
          yield* Ref.set((yield* Asked).refusal, "no_pending_steering")
          const refused = yield* post(path, { text: "Blue, and here is why.", question })
          assert.strictEqual(refused.status, status)
          assert.match(yield* refused.text, /<textarea[^>]*readonly[^>]*>Blue, and here is why.<\/textarea>/)
        })
      )
    )
  }

  for (const where of ["work", "diff"] as const) {
    it.live(`a review on /${where} answers the question that is shown above it, and no other`, () =>
      run(
        Effect.gen(function* () {
          const { text } = yield* page(`/issues/WEB-7/${where}`)
          assert.isBelow(text.indexOf("Keep the old /login route"), text.indexOf('<ol id="comments"'))
          assert.isAbove(text.indexOf("Keep the old /login route"), 0)
          assert.deepInclude(filledIn(text), { page: where, question: "q-r1-7-1" })
          yield* post("/issues/WEB-7/review", {
            run: "r1-7",
            page: where,
            purpose: "answer",
            question: "q-r1-7-1",
            text: "Remove it."
          })
          assert.deepStrictEqual(yield* Ref.get((yield* Asked).commands), [
            {
              _tag: "Answer",
              issue: LOGIN.id,
              question: makeQuestionId(makeRunId(1, 7), 1),
              text: "Remove it."
            }
          ])
        }),
        {
          diff: loginDiff,
          board: board([{ ...LOGIN, workspace: "/project/.symphony/workspaces/WEB-7" }])
        }
      )
    )
  }

  it.live("a review that answers another question comes back below the one that is asked now", () =>
    run(
      Effect.gen(function* () {
        yield* Ref.set((yield* Asked).refusal, "no_pending_steering")
        const refused = yield* post("/issues/WEB-7/review", {
          run: "r1-7",
          page: "diff",
          purpose: "answer",
          question: "q-r1-6-1",
          text: "Blue."
        })
        assert.strictEqual(refused.status, 409)
        const html = yield* refused.text
        assert.include(html, "Keep the old /login route")
        assert.deepStrictEqual(filledIn(html), {
          run: "r1-7",
          page: "diff",
          question: "q-r1-7-1",
          text: "Blue."
        })
      })
    )
  )

  it.live("a review that is refused comes back as the one message it becomes", () =>
    run(
      Effect.gen(function* () {
        yield* Ref.set((yield* Asked).refusal, "not_durable")
        const refused = yield* post("/issues/WEB-7/review", {
          run: "r1-7",
          page: "work",
          purpose: "answer",
          at: "src/a.ts:3",
          comment: "Hash it.",
          text: "Nearly."
        })
        assert.strictEqual(refused.status, 503)
        const html = yield* refused.text
        assert.deepStrictEqual(filledIn(html), {
          run: "r1-7",
          page: "work",
          question: "q-r1-7-1",
          text: "src/a.ts:3\nHash it.\n\nNearly."
        })
        assert.include(html, 'href="/issues/WEB-7/work"')
        assert.deepStrictEqual(complaint(html), ["text", "refused: not_durable"])
        assert.include(html, 'name="purpose" value="answer"')
      })
    )
  )

  it.live("comments on a diff become one message", () =>
    run(
      Effect.gen(function* () {
        const { body } = form({ run: "r1-7", purpose: "answer", text: "Nearly." })
        const comments = ["src/a.ts:3", "src/b.ts:9", "src/c.ts:1"]
          .map((at, n) => new URLSearchParams({ at, comment: n === 2 ? " " : `remark ${n}` }).toString())
          .join("&")
        const answered = yield* sendAuthorized("POST", "/issues/WEB-7/review", {
          ...form({}),
          body: `${body}&${comments}`
        })
        assert.strictEqual(answered.status, 303)
        assert.deepStrictEqual(yield* Ref.get((yield* Asked).commands), [
          {
            _tag: "Answer",
            issue: LOGIN.id,
            question: null,
            text: "src/a.ts:3\nremark 0\n\nsrc/b.ts:9\nremark 1\n\nNearly."
          }
        ])
      })
    )
  )

  it.live("comments on finished work are written into the issue, which goes back", () =>
    run(
      Effect.gen(function* () {
        yield* post("/issues/DEMO-3/review", { run: "r1-7", purpose: "send_back", text: "Once more." })
        const asked = yield* Asked
        const written = (yield* Ref.get(asked.notes)).map(({ heading, text }) => [heading, text])
        assert.deepStrictEqual(written, [["Review of r1-7", "Once more."]])
        assert.deepStrictEqual(yield* Ref.get(asked.commands), [
          { _tag: "Move", issue: "id-DEMO-3", to: "Todo" }
        ] as never)
      })
    )
  )
})

describe("what is said of an issue is so:", () => {
  const analysis: BoardIssue["handoff"] = {
    verdict: "analysis",
    head: null,
    commits: 0,
    files: 0,
    flags: [],
    patch: null,
    report: "/project/.symphony/patches/agent_DONE-1/HANDOFF.md"
  }
  const account = { title: "It leaks", summary: "The cache is never emptied." }
  const noCommit: HandoffDiff = {
    ...loginDiff,
    exported: { ...loginDiff.exported, verdict: "analysis", head: null, commits: 0, files: [], flags: [] },
    commits: [],
    patch: ""
  }
  const said = (issue: BoardIssue, words: ReadonlyArray<string>, not: ReadonlyArray<string>, where = "") =>
    run(
      Effect.gen(function* () {
        const { text } = yield* page(`/issues/${issue.identifier}${where}`)
        for (const each of words) assert.include(plain(text), each)
        for (const each of not) assert.notInclude(plain(text), each)
        return text
      }),
      { board: board([issue]), diff: noCommit }
    )

  it.live("a result without a commit is to be looked at, and reviewed", () =>
    Effect.gen(function* () {
      const result = finishedIssue("DONE-1", { history: LOGIN.history, handoff: analysis, account })
      const words = ["No commit: the summary is the result.", "Look at the result"]
      assert.include(yield* said(result, words, ["Look at the diff"]), 'href="/issues/DONE-1/diff"')
      const review = ["No commit: the summary is the result.", "Send back with this"]
      yield* said(result, review, ["Press a line number"], "/diff")
    })
  )

  it.live("what a person finished has no account and, without a commit, no result", () => {
    const byHand = closedIssue("DONE-1", { history: LOGIN.history, handoff: analysis })
    const not = ["the summary is the result", "were taken over"]
    return Effect.andThen(
      said(byHand, ["finished without its agent", "No commit was there to be handed over."], not),
      said(byHand, ["No commit was there to be handed over."], not, "/diff")
    )
  })

  it.live("commits that were taken over when a person finished it are named as such", () =>
    said(
      closedIssue("DONE-1", { handoff: LOGIN.handoff }),
      ["its commits were taken over when it was finished without its agent", "Look at the diff"],
      []
    )
  )

  it.live("what symphony hands nothing over of is not called a result", () =>
    said(
      finishedIssue("DONE-1", {
        handoff: { ...analysis, verdict: "none", report: null },
        account,
        workspace: "/project/.symphony/workspaces/DONE-1"
      }),
      ["Nothing is handed over by symphony.", "Look at the work so far"],
      ["the summary is the result", "Look at the result"]
    )
  )

  it.live("while a second run is under way, what the first handed over is still to be had", () =>
    Effect.map(
      said(
        workingIssue("DONE-1", 9, { history: LOGIN.history, earlierHandoff: LOGIN.handoff }),
        [
          "This run has handed over nothing yet.",
          "Look at what was handed over before",
          "git am /project/.symphony/patches/agent_WEB-7.patch"
        ],
        ["Nothing is handed over yet."]
      ),
      (text) => assert.include(text, 'href="/issues/DONE-1/diff"')
    )
  )

  it.live("a question is of the turn that asked it, whatever turn its run is at", () =>
    Effect.andThen(
      said(askingIssue("ASK-1", 1, { question: { ...QUESTION, turn: 1 } }), ["turn 1, asked 1m ago"], []),
      said(askingIssue("ASK-1", 1, { question: { ...QUESTION, turn: null } }), ["Question asked 1m ago"], [])
    )
  )

  for (const [to, status, words] of [
    ["Bogus", 404, "There is no state Bogus. Declared: Todo, In Progress, Triage, Done."],
    ["todo", 400, "DEMO-4 is in Todo already."],
    ["Done", 200, "Done is where issues end"]
  ] as const) {
    it.live(`a move to ${to} is ${status} and says ${words}`, () =>
      run(
        Effect.gen(function* () {
          const shown = yield* page(`/issues/DEMO-4/move?to=${to}`)
          assert.deepStrictEqual([shown.status, shown.text.includes(words)], [status, true])
        }),
        { board: board([boardIssue("DEMO-4")]) }
      )
    )
  }

  it.live("a page before the first entry of a run is empty, its run is not", () =>
    run(
      Effect.gen(function* () {
        assert.include((yield* page("/issues/WEB-7/runs/r1-7?before=0")).text, "nothing yet")
        yield* talk(20)
        assert.include((yield* page("/issues/WEB-7/runs/r1-7?before=0")).text, "none of 20 here")
      })
    )
  )
})

describe("comments of a reviewer", () => {
  const review = (fields: Readonly<Record<string, string>>) =>
    sendAuthorized("POST", "/issues/DONE-1/review", form({ purpose: "note", text: "Not yet.", ...fields }))
  const byScript = sendAuthorized(
    "POST",
    "/api/v1/issues/DONE-1/review",
    json({ purpose: "note", text: "Not yet." })
  )
  const again = finishedIssue("DONE-1", { history: [...LOGIN.history] })
  const first = finishedIssue("DONE-1", { history: LOGIN.history.slice(0, 1) })

  it.live("count once for each run that they are about, however often they are sent", () =>
    run(
      Effect.gen(function* () {
        const [asked, editor] = [yield* Asked, yield* BoardEditor]
        for (const next of [first, again]) {
          yield* editor.set(board([next]))
          for (const send of [review({ run: "r1-3" }), review({ run: "r1-5" }), byScript]) {
            yield* send
            yield* send
          }
        }
        assert.deepStrictEqual(
          (yield* Ref.get(asked.notes)).map(({ heading }) => heading),
          ["Review of r1-3", "Review of r1-5", "Review", "Review of r1-3", "Review of r1-5", "Review"]
        )
      })
    )
  )

  it.live("are not taken on a diff while a newer run is under way, which is said", () =>
    run(
      Effect.gen(function* () {
        const { text } = yield* page("/issues/DONE-1/diff")
        assert.include(plain(text), "A newer run is under way")
        assert.include(text, 'href="/issues/DONE-1/runs/r1-9"')
        assert.include(text, "Comments are taken when its agent asks, or when its run has ended.")
        assert.notInclude(text, '<form id="review"')
        assert.notMatch(text, /<td class="ln"><button/)
        const late = yield* review({ run: "r1-7", purpose: "send_back" })
        assert.strictEqual(late.status, 409)
        assert.include(yield* late.text, "Not yet.</textarea>")
        assert.deepStrictEqual(yield* Ref.get((yield* Asked).notes), [])
      }),
      { diff: loginDiff, board: board([workingIssue("DONE-1", 9, { history: LOGIN.history })]) }
    )
  )

  it.live("wait, where the answer to a question is on its way or its issue is stopped", () =>
    run(
      Effect.gen(function* () {
        for (const [identifier, words] of [
          ["HELD-1", "Retried, it asks again"],
          ["REPLY-1", "The answer to its question is on its way"]
        ] as const) {
          const { text } = yield* page(`/issues/${identifier}/work`)
          assert.include(text, words)
          assert.notInclude(text, '<form id="review"')
        }
      }),
      {
        board: board([
          heldIssue("HELD-1", { question: QUESTION, workspace: "/project/.symphony/workspaces/HELD-1" }),
          boardIssue("REPLY-1", {
            question: { ...QUESTION, reply: "Blue." },
            workspace: "/project/.symphony/workspaces/REPLY-1"
          })
        ])
      }
    )
  )
})

describe("for programs", () => {
  it.live("what the API answers is what its document says", () =>
    run(
      Effect.gen(function* () {
        const served = yield* (yield* sendAuthorized("GET", "/api/v1/openapi.json")).json
        assert.deepStrictEqual(served, JSON.parse(JSON.stringify(document)))
        yield* talk(30)
        for (const path of [
          "/api/v1/state",
          "/api/v1/issues",
          "/api/v1/DEMO-1",
          "/api/v1/issues/WEB-7",
          "/api/v1/issues/WEB-7/diff",
          "/api/v1/issues/DEMO-2/work",
          "/api/v1/issues/WEB-7/runs/r1-7/transcript"
        ]) {
          assert.strictEqual((yield* sendAuthorized("GET", path)).status, 200)
        }
      }),
      { diff: loginDiff, work: Effect.succeed(loginWork) }
    )
  )

  it("an answer that the document does not have is seen", () => {
    const answer = (status: number, body: unknown) => ({
      status,
      type: "application/json",
      text: JSON.stringify(body)
    })
    const error = (code: string) => ({ error: { code, message: "no" } })
    assert.isNull(undocumented("POST", "/api/v1/issues/A/stop", answer(409, error("not_running"))))
    assert.isNull(undocumented("PUT", "/api/v1/issues/A", answer(405, error("method_not_allowed"))))
    for (const [method, path, said] of [
      ["POST", "/api/v1/issues/A/stop", answer(418, error("teapot"))],
      ["POST", "/api/v1/issues/A/stop", answer(409, error("invented"))],
      ["GET", "/api/v1/state", answer(404, error("not_found"))],
      ["GET", "/api/v1/state", answer(200, {})]
    ] as const) {
      assert.isNotNull(undocumented(method, path, said), `${method} ${path} ${said.status}`)
    }
  })

  it("the document describes every route of the API, and how to be let in", () => {
    assert.match(document.openapi, /^3\.1/)
    assert.strictEqual(document.info.version, version)
    assert.deepStrictEqual(document.security, [{ operator: [] }])
    assert.deepStrictEqual(Object.keys(document.paths["/api/v1/issues"]?.post?.responses ?? {}).sort(), [
      "201",
      "400",
      "401",
      "403",
      "405",
      "409",
      "413",
      "415",
      "421",
      "500",
      "503"
    ])
    assert.includeMembers(Object.keys(document.paths), [
      "/api/v1/state",
      "/api/v1/refresh",
      "/api/v1/{identifier}",
      "/api/v1/issues/{identifier}/steering-reply",
      "/api/v1/issues/{identifier}/runs/{run}/transcript"
    ])
  })

  for (const { method, responses, template } of operations) {
    const path = template.replace("{identifier}", "DEMO-1").replace("{run}", "r1-1")
    const name = method.toUpperCase() === "GET" ? "GET" : "POST"
    it.live(`${name} ${template} refuses as documented`, () =>
      run(
        Effect.gen(function* () {
          const body = "x".repeat(MAX_BODY_BYTES + 1)
          const other = name === "GET" ? "DELETE" : "PATCH"
          const refusals = [
            [401, send(name, path)],
            [403, sendAuthorized(name, path, { headers: { origin: "http://evil.example" } })],
            [405, sendAuthorized(other, path)],
            ...(name === "GET"
              ? []
              : ([
                  [413, sendAuthorized(name, path, { body })],
                  [415, sendAuthorized(name, path, { body: "{}" })]
                ] as const))
          ] as const
          for (const [status, refused] of refusals) {
            assert.strictEqual((yield* refused).status, status)
            assert.property(responses, String(status))
          }
          const answer = yield* sendRaw(
            `${name} ${path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`
          )
          assert.strictEqual(statusOf(answer), 421)
          assert.property(responses, "421")
          if (template.includes("{identifier}")) {
            const body = name === "GET" ? {} : json({ text: "x", to: "Todo", purpose: "note" })
            const missing = yield* sendAuthorized(name, path.replace("DEMO-1", "NO-1"), body)
            assert.strictEqual(missing.status, 404)
          }
        })
      )
    )
  }

  it.live("the diff and the transcript are there as JSON", () =>
    run(
      Effect.gen(function* () {
        yield* talk(30)
        const diff = yield* sendAuthorized("GET", "/api/v1/issues/WEB-7/diff")
        assert.deepInclude((yield* diff.json) as object, { run_id: "r1-7", title: "Move login to /session" })
        const transcript = yield* sendAuthorized(
          "GET",
          "/api/v1/issues/WEB-7/runs/r1-7/transcript?limit=2&before=10"
        )
        const page = (yield* transcript.json) as {
          readonly total: number
          readonly entries: ReadonlyArray<{ readonly seq: number }>
        }
        assert.deepStrictEqual([page.total, page.entries.map(({ seq }) => seq)], [30, [8, 9]])
        assert.strictEqual(
          (yield* sendAuthorized("GET", "/api/v1/issues/WEB-7/runs/nonsense/transcript")).status,
          400
        )
        assert.strictEqual(
          (yield* sendAuthorized("GET", "/api/v1/issues/WEB-7/runs/r1-7/transcript?limit=0")).status,
          400
        )
      }),
      { diff: loginDiff }
    )
  )

  it.live("work that is not handed over is there as JSON, whole and by commit", () =>
    run(
      Effect.gen(function* () {
        const work = yield* sendAuthorized("GET", "/api/v1/issues/DEMO-2/work")
        assert.deepInclude((yield* work.json) as object, {
          taken_at: "2026-11-22T12:00:00.000Z",
          uncommitted: ["src/session.ts", "notes/todo.md"],
          left_out: ["fixtures/sessions.sqlite"],
          commits: loginWork.commits,
          commit: null
        })
        for (const of of ["DEMO-2/work", "WEB-7/diff"]) {
          const id = loginWork.commits[0]?.id
          const one = yield* sendAuthorized("GET", `/api/v1/issues/${of}?commit=${id}`)
          assert.deepInclude((yield* one.json) as object, { commit: id })
          assert.strictEqual((yield* sendAuthorized("GET", `/api/v1/issues/${of}?commit=HEAD`)).status, 404)
        }
        assert.strictEqual((yield* sendAuthorized("GET", "/api/v1/issues/DEMO-3/work")).status, 404)
      }),
      { diff: loginDiff, work: Effect.succeed(loginWork) }
    )
  )
})

describe("the stream of changes", () => {
  const events = Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const response = yield* client.execute(
      HttpClientRequest.get(`${yield* origin}/api/v1/events`).pipe(
        HttpClientRequest.setHeader("authorization", `Bearer ${yield* operatorToken}`)
      )
    )
    return response.stream.pipe(
      Stream.decodeText,
      Stream.splitLines,
      Stream.filter((line) => line === "event: refreshed")
    )
  })

  it.live("tells of each change, and of a burst a few times", () =>
    run(
      Effect.gen(function* () {
        const editor = yield* BoardEditor
        const told = yield* SubscriptionRef.make(0)
        const reading = yield* (yield* events).pipe(
          Stream.runForEach(() => SubscriptionRef.update(told, (count) => count + 1)),
          Effect.forkChild
        )
        const toldAtLeast = (count: number) =>
          SubscriptionRef.changes(told).pipe(
            Stream.takeUntil((now) => now >= count),
            Stream.runDrain
          )
        const change = editor.update((snapshot) => ({ ...snapshot, generatedAt: snapshot.generatedAt + 1 }))
        yield* toldAtLeast(1)
        yield* change
        yield* toldAtLeast(2)
        yield* Effect.repeat(Effect.andThen(change, Effect.yieldNow), { times: 1000 })
        yield* toldAtLeast(3)
        assert.isBelow(yield* SubscriptionRef.get(told), 20)
        yield* Fiber.interrupt(reading)
      })
    )
  )

  it.live("ends with the listener, which does not wait for it", () =>
    Effect.gen(function* () {
      const stopped = yield* Effect.timed(
        Effect.gen(function* () {
          const started = yield* Latch.make()
          yield* (yield* events).pipe(
            Stream.runForEach(() => started.open),
            Effect.ignore,
            Effect.forkDetach
          )
          yield* started.await
        }).pipe(Effect.provide(server({ board: BOARD })))
      )
      assert.isBelow(Duration.toMillis(stopped[0]), 2500)
    })
  )
})

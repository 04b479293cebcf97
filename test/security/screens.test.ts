import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref } from "effect"
import { Identifier, makeQuestionId, makeRunId } from "../../src/domain/ids.ts"
import type { Exported } from "../../src/handoff/Handoff.ts"
import { askingIssue, board, boardRun, NOON, workingIssue } from "../http/boards.ts"
import {
  Asked,
  form,
  json,
  operatorToken,
  RUN_TOKEN,
  send,
  sendAuthorized,
  sendRaw,
  server,
  statusOf,
  untouched
} from "../http/support.ts"
import { stateOf, symphony, withProject } from "../support/program.ts"

const quiet = board([askingIssue("DEMO-1")])

describe("the listener", () => {
  it.live(
    "28. a rebound name, forms and fetches of a foreign page, an unknown caller: refused, and nothing is done",
    () =>
      Effect.gen(function* () {
        const token = yield* operatorToken
        const bearer = `Authorization: Bearer ${token}\r\nConnection: close\r\n\r\n`
        // The page's own name now points to us: its requests are same-origin, also with a token.
        for (const host of [
          "evil.example",
          "evil.example:80",
          "127.0.0.1.nip.io",
          "localhost.evil.example"
        ]) {
          const answer = yield* sendRaw(
            `GET /api/v1/state HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}\r\n${bearer}`
          )
          assert.strictEqual(statusOf(answer), 421, host)
        }
        const command = json({ text: "yes" })
        const attempts: ReadonlyArray<Readonly<Record<string, string>>> = [
          { origin: "http://evil.example" },
          { origin: "null" },
          { origin: "https://localhost.evil.example" },
          { "sec-fetch-site": "cross-site" },
          { "sec-fetch-site": "same-site", origin: "http://other.localhost" }
        ]
        for (const headers of attempts) {
          const response = yield* sendAuthorized("POST", "/api/v1/issues/DEMO-1/steering-reply", {
            ...command,
            headers: { ...command.headers, ...headers }
          })
          assert.include([400, 403], response.status, JSON.stringify(headers))
          const page = yield* sendAuthorized("POST", "/do/pause", {
            ...form({}),
            headers: { ...form({}).headers, ...headers }
          })
          assert.include([400, 403], page.status, JSON.stringify(headers))
        }
        // What a page can send without asking first.
        for (const type of [
          "text/plain",
          "application/x-www-form-urlencoded",
          "multipart/form-data; boundary=x"
        ]) {
          const response = yield* sendAuthorized("POST", "/api/v1/issues/DEMO-1/steering-reply", {
            body: '{"text":"yes"}',
            headers: { "content-type": type }
          })
          assert.include([400, 415], response.status, type)
        }
        for (const headers of [{}, { authorization: `Bearer ${RUN_TOKEN}` }, { cookie: `token=${token}` }]) {
          assert.strictEqual((yield* send("POST", "/do/pause", { ...form({}), headers })).status, 401)
        }
        const preflight = yield* sendRaw(
          "OPTIONS /api/v1/state HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n"
        )
        assert.notMatch(preflight, /access-control-allow/i)
        assert.isEmpty(yield* Ref.get((yield* Asked).commands))
      }).pipe(Effect.provide(server({ board: quiet })))
  )

  it.live("28. JSON as deep as a body can hold: refused, and the listener lives", () =>
    Effect.gen(function* () {
      const { headers } = json({})
      for (const body of ["[".repeat(900_000), `{"text":${"[".repeat(400_000)}${"]".repeat(400_000)}}`]) {
        const response = yield* sendAuthorized("POST", "/api/v1/issues/DEMO-1/steering-reply", {
          body,
          headers
        })
        assert.strictEqual(response.status, 400)
      }
      assert.strictEqual((yield* sendAuthorized("GET", "/api/v1/state")).status, 200)
    }).pipe(Effect.provide(server({ board: quiet })))
  )
})

/** Each would act in a page, a frame, an attribute, an address or htmx. */
const payloads = [
  "<script>canary()</script>",
  '"><img src=x onerror=canary()>',
  "' onmouseover='canary()",
  "<svg/onload=canary()>",
  '<a href="javascript:canary()">x</a>',
  '<div hx-get="/do/stop" hx-trigger="load">x</div>',
  "[x](javascript:canary())",
  "</textarea></title></pre><script>canary()</script>",
  "<!--<script>canary()//"
]
const hostile = payloads.join(" ")

const exported: Exported = {
  verdict: "verified",
  base: "0".repeat(40),
  head: "1".repeat(40),
  tree: "2".repeat(40),
  commits: 1,
  files: [{ path: hostile, added: 1, removed: 0 }],
  flags: [{ kind: "symlink", detail: hostile }],
  patch: "/x.patch",
  bundle: "/x.bundle",
  report: "/HANDOFF.md"
}

const hostileIssue = (identifier: string, n: number) =>
  workingIssue(identifier, n, {
    title: hostile,
    description: hostile,
    labels: [hostile],
    status: "needs you",
    why: { code: "WaitingForHuman", text: hostile },
    run: boardRun({ lastMessage: hostile, lastEvent: hostile }),
    question: {
      id: makeQuestionId(makeRunId(1, n), 1),
      text: hostile,
      context: hostile,
      askedAt: NOON,
      turn: 1,
      reply: null
    },
    retry: null,
    url: "javascript:canary()",
    pullRequest: "javascript:canary()",
    blockedBy: [{ id: null, identifier: Identifier.make(hostile), state: hostile }]
  })

/** Elements and attributes that only the payloads could have brought, as a browser reads them. */
const acts = (html: string): ReadonlyArray<string> =>
  [
    /<script(?![^>]*\bsrc=)[^>]*>/gi,
    /<img\b/gi,
    /<svg[^>]*onload/gi,
    /<[a-z][^>]*\son\w+\s*=/gi,
    /\b(?:href|src|action)\s*=\s*["']?\s*javascript:/gi,
    /<[a-z][^>]*hx-get="\/do\/stop"/gi,
    /<!--/g
  ].flatMap((shape) => html.match(shape) ?? [])

describe("pages", () => {
  it("have a fixture that would act where it is not escaped", () => {
    assert.isAtLeast(acts(`<p title="${hostile}">${hostile}</p>`).length, 6)
  })

  it.live(
    "29. hostile titles, questions, messages, paths, diffs, links and htmx attributes: text and nothing else",
    () =>
      Effect.gen(function* () {
        const pages = [
          "/",
          "/issues",
          "/issues/DEMO-1",
          "/issues/DEMO-1/runs/r1-1",
          "/issues/DEMO-1/stop",
          "/issues/DEMO-1/diff",
          "/issues/DEMO-1/work",
          `/issues/${encodeURIComponent(hostile)}`
        ]
        let shown = 0
        for (const page of pages) {
          const response = yield* sendAuthorized("GET", page)
          const html = yield* response.text
          assert.deepEqual(acts(html), [], page)
          if (html.includes("&lt;script")) shown += 1
          if (response.status !== 200) continue
          const policy = response.headers["content-security-policy"] ?? ""
          assert.include(policy, "default-src 'none'", page)
          assert.notMatch(policy, /unsafe-(inline|eval)/, page)
        }
        assert.isAtLeast(shown, 3, "the hostile text was on no page")
      }).pipe(
        Effect.provide(
          server({
            board: board([hostileIssue("DEMO-1", 1), hostileIssue(hostile, 2)], {
              generatedAt: NOON,
              problems: [
                { source: "tracker", severity: "error", where: hostile, message: hostile, hint: hostile }
              ]
            }),
            diff: {
              runId: makeRunId(1, 1),
              title: hostile,
              summary: hostile,
              exported,
              commits: [{ id: hostile, subject: hostile, author: hostile }],
              commit: null,
              patch: `diff --git a/x b/x\n--- a/x\n+++ b/${hostile}\n@@ -0,0 +1 @@\n+${hostile}\n`
            },
            work: Effect.succeed({
              ...untouched,
              commits: [{ id: hostile, subject: hostile, author: hostile }],
              flags: [{ kind: hostile, detail: hostile }],
              uncommitted: [hostile],
              leftOut: [hostile],
              elsewhere: [hostile],
              refusal: hostile,
              patch: `diff --git a/x b/x\n--- a/x\n+++ b/${hostile}\n@@ -0,0 +1 @@\n+${hostile}\n`
            })
          })
        )
      )
  )
})

/** Clears the screen, sets the clipboard, hides a link, goes back over the line, turns text around, hides in it. */
const escapes =
  "\u001b[2J\u001b]52;c;Y2FuYXJ5\u0007\u001b]8;;http://evil.example\u0007x\r\u202Eevil\u200B\u009b2J"

describe("terminals and logs", () => {
  it("30. control characters, links, clipboard writes, bidi marks in titles, messages and failures: shown, never sent", () =>
    withProject(
      {
        workflow: "sandbox: { kind: host }",
        issues: {
          TITLE: {
            front: `title: ${JSON.stringify(`Title ${escapes}`)}\nlabels: [${JSON.stringify(escapes)}]`,
            script: `say ${escapes}\nstderr ${escapes}\nrun echo a > a.txt\ncommit Work ${escapes}\ndone Done | Summary ${escapes}`
          },
          FAILS: { script: `fail ${escapes} ts=2026-01-01T00:00:00Z level=info msg=forged` }
        }
      },
      async (project) => {
        fs.writeFileSync(path.join(project.source, "issues/Todo/\u001b[2J.md"), "x")
        const ended = await symphony(project)
        assert.strictEqual(ended.code, 1, ended.stderr)
        const again = await symphony(project, ["handoff", "TITLE"])
        for (const output of [ended.stdout, ended.stderr, again.stdout, again.stderr]) {
          assert.notMatch(output, /[^\n\P{C}]|[\u2028\u2029]/u)
        }
        assert.strictEqual(stateOf(project, "TITLE"), "Done")
        assert.match(ended.stderr, /\u241b\[2J|U\+202E/)
        // Lines that are no log lines are the program's own last words.
        const lines = ended.stderr.split("not finished:")[0]?.trimEnd().split("\n") ?? []
        for (const line of lines) assert.match(line, /^ts=\S+ level=\w+ msg=/)
        assert.isEmpty(
          lines.filter((line) => /\smsg=forged\b/.test(line.replaceAll(/"(?:[^"\\]|\\.)*"/g, "")))
        )
      }
    ))
})

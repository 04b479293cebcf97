import {
  askingIssue,
  board,
  boardIssue,
  boardRun,
  NOON,
  proposedIssue,
  workingIssue
} from "../http/boards.ts"
import { makeQuestionId, makeRunId } from "../../src/domain/ids.ts"
import { Effect } from "effect"
import type { HandoffDiff, WorkPreview } from "../../src/handoff/Handoff.ts"
import { type TranscriptEvent, Transcripts } from "../../src/journal/Transcripts.ts"
import type { BoardIssue } from "../../src/board/Board.ts"

const SAID = [
  "reading src/session.ts and the tests that cover it",
  "npm test -- --run session",
  "the migration needs a default for existing rows",
  "writing a failing test first",
  "12 of 14 tests pass"
]

const working = (n: number): BoardIssue =>
  workingIssue(`WEB-${n}`, n, {
    title:
      ["Cache the session lookup", "Paginate the audit log", "Retry webhooks with backoff", "Drop Node 18"][
        n % 4
      ] ?? "",
    run: boardRun({
      run: makeRunId(1, n),
      turn: (n % 5) + 1,
      lastMessage: SAID[n % SAID.length] ?? "",
      lastEventAt: NOON - (n % 7) * 3000,
      tokens: { input: n * 4000, output: n * 300, total: n * 4300, source: "reported" }
    })
  })

const asking = (n: number, title: string, text: string): BoardIssue =>
  askingIssue(`WEB-${n}`, n, {
    title,
    why: { code: "Running", text: "waiting, run 1" },
    question: {
      id: makeQuestionId(makeRunId(1, n), 1),
      text,
      context: "The old endpoint is used by two clients; both are in this repository.",
      askedAt: NOON - n * 40_000,
      turn: 1,
      reply: null
    }
  })

const reported = (total: number) => ({ input: total, output: 0, total, source: "reported" }) as const

export const LOGIN: BoardIssue = {
  ...asking(7, "Move login to the new endpoint", "Keep the old /login route as a redirect, or remove it?"),
  description:
    "The old endpoint answers with a session id in the query.\n\n- move the form to /session\n- keep the tests green",
  blockedBy: [],
  attempts: 3,
  history: [
    {
      run: makeRunId(1, 3),
      attempt: 1,
      kind: "first",
      startedAt: NOON - 3_600_000,
      endedAt: NOON - 3_000_000,
      outcome: {
        _tag: "Failed",
        class: "agent",
        reason: "stall_timeout",
        message: "no sign of life for 300 s",
        resetAt: null
      },
      tokens: { ...reported(41_000), cost: { amounts: { USD: 0.42 }, partial: false } },
      turns: 3
    },
    {
      run: makeRunId(1, 5),
      attempt: 2,
      kind: "retry",
      startedAt: NOON - 2_900_000,
      endedAt: NOON - 1_000_000,
      outcome: { _tag: "Continue", reason: "max_turns" },
      tokens: reported(120_000),
      turns: 20
    }
  ],
  handoff: {
    verdict: "verified",
    head: "4f1c2d3e4b5a69788796a5b4c3d2e1f001122334",
    commits: 2,
    files: 2,
    flags: ["protected: continuous integration: .github/workflows/test.yml"],
    patch: "/project/.symphony/patches/agent_WEB-7.patch",
    report: "/project/.symphony/patches/agent_WEB-7.md"
  }
}

export const loginDiff: HandoffDiff = {
  runId: makeRunId(1, 7),
  title: "Move login to /session",
  summary: "The form posts to /session. The old route answers 308.",
  exported: {
    verdict: "verified",
    base: "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
    head: "4f1c2d3e4b5a69788796a5b4c3d2e1f001122334",
    tree: null,
    commits: 2,
    files: [
      { path: "src/login.ts", added: 3, removed: 2 },
      { path: ".github/workflows/test.yml", added: 1, removed: 0 }
    ],
    flags: [{ kind: "protected", detail: "continuous integration: .github/workflows/test.yml" }],
    patch: "/project/.symphony/patches/agent_WEB-7.patch",
    bundle: null,
    report: "/project/.symphony/patches/agent_WEB-7.md"
  },
  commits: [
    { id: "9e8d7c6b5a4938271605f4e3d2c1b0a998877665", subject: "Check in CI, too", author: "Agent" },
    { id: "4f1c2d3e4b5a69788796a5b4c3d2e1f001122334", subject: "Post the login to /session", author: "Agent" }
  ],
  commit: null,
  patch: `diff --git a/.github/workflows/test.yml b/.github/workflows/test.yml
index 1111111..2222222 100644
--- a/.github/workflows/test.yml
+++ b/.github/workflows/test.yml
@@ -8,3 +8,4 @@ jobs:
     steps:
       - run: npm ci
       - run: npm test
+      - run: npm run check
diff --git a/src/login.ts b/src/login.ts
index 3333333..4444444 100644
--- a/src/login.ts
+++ b/src/login.ts
@@ -12,7 +12,8 @@ export const login = (request: Request): Response => {
   const form = parse(request)
-  const session = open(form.name)
-  return redirect("/?session=" + session.id)
+  const session = open(form.name, form.password)
+  if (session === undefined) return unauthorized()
+  return redirect("/", cookie(session))
 }
`
}

/** What the agents of `busyBoard` have in their workspaces. */
export const loginWork: WorkPreview = {
  takenAt: NOON,
  base: loginDiff.exported.base,
  head: loginDiff.exported.head,
  commits: loginDiff.commits,
  commit: null,
  files: loginDiff.exported.files,
  flags: [
    ...loginDiff.exported.flags,
    { kind: "uncommitted", detail: "not in the commits: src/session.ts, notes/todo.md" }
  ],
  uncommitted: ["src/session.ts", "notes/todo.md"],
  leftOut: ["fixtures/sessions.sqlite"],
  elsewhere: ["branch try-cookies has 1 commit that is not handed over"],
  refusal: "handoff: changed and not committed: src/session.ts - commit these files or restore them",
  patch: loginDiff.patch
}

const CALLS = ["read src/login.ts", "grep -rn session src", "npm test", "edit src/login.ts", "npm test"]

/** As many events as asked for, in the transcript of the run of `LOGIN`. */
export const talk = (events: number) =>
  Effect.gen(function* () {
    const transcripts = yield* Transcripts
    for (let n = 0; n < events; n++) {
      const call = Math.floor(n / 3)
      const title = CALLS[call % CALLS.length] ?? ""
      const failed = call % 7 === 2
      const event: TranscriptEvent =
        n % 3 === 0
          ? { _tag: "Message", text: SAID[call % SAID.length] ?? "" }
          : n % 3 === 1
            ? { _tag: "ToolCall", id: `call-${call}`, title, status: "in_progress" }
            : {
                _tag: "ToolUpdate",
                id: `call-${call}`,
                status: failed ? "failed" : "completed",
                text: failed ? "1 failing\n\n  login redirects\n    expected 302 to be 303" : "ok"
              }
      yield* transcripts.append(LOGIN.identifier, makeRunId(1, 7), 1 + Math.floor(n / 60), event)
    }
  })

export const busyBoard = board(
  [
    LOGIN,
    asking(
      4,
      "Rename the billing tables",
      "The rename locks invoices for about a minute. Do it now or at night?"
    ),
    asking(2, "Choose a date library", "Temporal needs a polyfill on Node 20. Polyfill, or date-fns?"),
    ...Array.from({ length: 9 }, (_, n) => working(n + 10)),
    proposedIssue("WEB-33", "WEB-11", { title: "Cache the session lookup" }),
    boardIssue("WEB-30", { title: "Export as CSV", why: { code: "Blocked", text: "blocked by WEB-11" } }),
    boardIssue("WEB-31", { title: "Dark mode for mails" }),
    boardIssue("WEB-32", {
      title: "Flaky upload test",
      why: { code: "Backoff", text: "tried again at 2026-11-22T12:02:00Z: the agent stalled for 5 minutes" },
      retryable: true,
      retry: {
        attempt: 3,
        dueAt: NOON + 120_000,
        kind: "retry",
        error: "stall_timeout: no sign of life for 300 s"
      }
    }),
    boardIssue("WEB-20", {
      title: "Rate limit the search",
      state: "Done",
      role: "terminal",
      status: "ready for review",
      why: { code: "Finished", text: "finished: it is in Done" }
    }),
    boardIssue("WEB-21", {
      title: "Upgrade to Postgres 18",
      state: "Triage",
      role: "holding",
      status: "stopped",
      why: {
        code: "Held",
        text: "5 runs failed in a row, the last one: the agent ended its turn with a refusal"
      }
    })
  ],
  {
    slots: { used: 12, limit: 16 },
    problems: [
      {
        source: "tracker",
        severity: "error",
        where: "issues/Todo/WEB-40.md:3:1",
        message: "front matter is not YAML: a tab is used for indentation",
        hint: "indent with spaces"
      }
    ]
  }
)

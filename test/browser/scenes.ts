import { askingIssue, board, boardIssue, boardRun, NOON, workingIssue } from "../http/boards.ts"
import { makeQuestionId, makeRunId } from "../../src/domain/ids.ts"
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
    question: {
      id: makeQuestionId(makeRunId(1, n), 1),
      text,
      context: "The old endpoint is used by two clients; both are in this repository.",
      askedAt: NOON - n * 40_000,
      reply: null
    }
  })

export const busyBoard = board(
  [
    asking(7, "Move login to the new endpoint", "Keep the old /login route as a redirect, or remove it?"),
    asking(
      4,
      "Rename the billing tables",
      "The rename locks invoices for about a minute. Do it now or at night?"
    ),
    asking(2, "Choose a date library", "Temporal needs a polyfill on Node 20. Polyfill, or date-fns?"),
    ...Array.from({ length: 9 }, (_, n) => working(n + 10)),
    boardIssue("WEB-30", { title: "Export as CSV", why: { code: "Blocked", text: "blocked by WEB-11" } }),
    boardIssue("WEB-31", { title: "Dark mode for mails" }),
    boardIssue("WEB-32", {
      title: "Flaky upload test",
      why: { code: "Backoff", text: "tried again at 2026-11-22T12:02:00Z: the agent stalled for 5 minutes" },
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

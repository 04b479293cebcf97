import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { BoardSnapshot } from "../../src/board/Board.ts"
import { makeQuestionId, makeRunId } from "../../src/domain/ids.ts"
import { type TranscriptEvent, Transcripts } from "../../src/journal/Transcripts.ts"
import { LOGIN } from "../browser/scenes.ts"
import {
  askingIssue,
  board,
  boardIssue,
  finishedIssue,
  heldIssue,
  NOON,
  proposedIssue,
  workingIssue
} from "./boards.ts"
import { sendAuthorized, server } from "./support.ts"

const LIMIT = 100_000

/** A page, which is no heavier than a page may be. */
const light = Effect.fnUntraced(function* (path: string) {
  const response = yield* sendAuthorized("GET", path, { headers: { accept: "text/html" } })
  const html = yield* response.text
  assert.strictEqual(response.status, 200, path)
  assert.isAtMost(Buffer.byteLength(html), LIMIT, path)
  return html
})

/** From a page on to those that its links of that name lead to, each of them light. */
const walk = (path: string, name: string): Effect.Effect<ReadonlyArray<string>, unknown, Services> =>
  Effect.gen(function* () {
    const html = yield* light(path)
    const link = new RegExp(`<a[^>]* href="([^"]*)"[^>]*>${name}</a>`).exec(html)?.[1]
    return link === undefined ? [html] : [html, ...(yield* walk(link.replaceAll("&amp;", "&"), name))]
  })

type Services = Effect.Services<ReturnType<typeof light>>

const over = (snapshot: BoardSnapshot) => Effect.provide(server({ board: snapshot }))

const numbersIn = (pages: ReadonlyArray<string>, id: RegExp): ReadonlyArray<number> =>
  pages.flatMap((html) => [...html.matchAll(id)].map(([, number]) => Number(number)))

const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => n)

const HOSTILE = `<&">\u202E`
/** Words as people write them, and the dearest that somebody can think of. */
const TEXTS = [
  ["words", (length: number) => "a few plain words ".repeat(length / 18 + 1).slice(0, length)],
  ["marks", (length: number) => HOSTILE.repeat(length / HOSTILE.length + 1).slice(0, length)]
] as const

describe("a page is within 100 kB and leads to the rest:", () => {
  for (const [kind, text] of TEXTS) {
    const tools = (n: number): TranscriptEvent => {
      const id = `call-${Math.floor(n / 5)}`
      return n % 5 === 0
        ? { _tag: "ToolCall", id, title: text(300), status: "pending" }
        : { _tag: "ToolUpdate", id, status: "completed", text: text(15_000) }
    }
    const talked = Effect.gen(function* () {
      const transcripts = yield* Transcripts
      for (const n of upTo(100)) {
        yield* transcripts.append(LOGIN.identifier, makeRunId(1, 7), n, tools(n))
      }
    })

    for (const depth of ["steps", "raw", "line"]) {
      it.live(`a transcript of long ${kind} at the depth ${depth}`, () =>
        Effect.gen(function* () {
          yield* talked
          const path = `/issues/WEB-7/runs/r1-7?depth=${depth}`
          const older = yield* walk(path, "older")
          const shown = numbersIn(older, /(\d+)–\d+ of 100/g)
          assert.strictEqual(shown.at(-1), 0)
          if (depth === "raw") {
            const seen = numbersIn(older, /<li id="e-(\d+)"/g)
            assert.deepStrictEqual(
              [...seen].sort((a, b) => a - b),
              upTo(100)
            )
          }
          const newer = yield* walk(`${path}&from=0`, "newer")
          assert.deepStrictEqual(numbersIn(newer.slice(-1), /\d+–(\d+) of 100/g), [99])
        }).pipe(over(board([LOGIN])))
      )
    }

    it.live(`an issue with a long text of ${kind}`, () => {
      const long = upTo(300)
        .map((n) => `line ${n}: ${text(430)}`)
        .join("\n")
      const asks = askingIssue("DEMO-1", 1, {
        title: text(300),
        description: long,
        question: {
          id: makeQuestionId(makeRunId(1, 1), 1),
          text: text(2000),
          context: text(20_000),
          askedAt: NOON,
          turn: 1,
          reply: null
        }
      })
      return Effect.gen(function* () {
        const html = yield* light("/issues/DEMO-1")
        assert.include(html, 'href="/issues/DEMO-1/text"')
        assert.notInclude(html, "line 299:")
        const pages = yield* walk("/issues/DEMO-1/text", "next")
        assert.deepStrictEqual(numbersIn(pages, /line (\d+):/g), upTo(300))
      }).pipe(over(board([asks])))
    })

    it.live(`many issues with long ${kind}`, () =>
      Effect.gen(function* () {
        const pages = yield* walk("/issues?status=stopped", "next")
        assert.deepStrictEqual(numbersIn(pages, /id="row-id-DEMO-(\d+)"/g), upTo(300))
      }).pipe(
        over(
          board(
            upTo(300).map((n) =>
              heldIssue(`DEMO-${n}`, { title: text(120), why: { code: "Held", text: text(300) } })
            )
          )
        )
      )
    )

    it.live(`a busy home with long ${kind}`, () => {
      const why = { code: "Held", text: text(300) } as const
      const many = (count: number) => upTo(count).map((n) => n + 1)
      const snapshot = board(
        [
          ...many(15).map((n) =>
            askingIssue(`ASK-${n}`, n, {
              title: text(120),
              description: text(4000),
              question: {
                id: makeQuestionId(makeRunId(1, n), 1),
                text: text(500),
                context: text(4000),
                askedAt: NOON,
                turn: 1,
                reply: null
              }
            })
          ),
          ...many(8).map((n) =>
            proposedIssue(`NEW-${n}`, "ASK-1", { title: text(120), description: text(4000) })
          ),
          ...many(50).map((n) => workingIssue(`RUN-${n}`, 100 + n, { title: text(120) })),
          ...many(30).map((n) =>
            boardIssue(`TRY-${n}`, {
              title: text(120),
              why,
              retryable: true,
              retry: { attempt: 2, dueAt: NOON + 60_000, kind: "retry", error: text(300) }
            })
          ),
          ...many(60).flatMap((n) => [
            finishedIssue(`DONE-${n}`, { title: text(120), why }),
            heldIssue(`HELD-${n}`, { title: text(120), why }),
            boardIssue(`WAIT-${n}`, { title: text(120), why })
          ])
        ],
        {
          problems: many(200).map((n) => ({
            source: "tracker",
            severity: "error",
            where: `Todo/BAD-${n}.md:1:1`,
            message: text(300),
            hint: text(100)
          }))
        }
      )
      return Effect.gen(function* () {
        const html = yield* light("/")
        assert.match(html, /Needs you <span class="count">23</)
        if (kind === "words") {
          for (const n of many(15)) assert.include(html, `href="/issues/ASK-${n}"`)
          for (const n of many(8)) assert.include(html, `href="/issues/NEW-${n}"`)
        } else assert.include(html, 'href="/issues?status=needs+you"')
        assert.include(html, 'id="reply-q-r1-1-1"')
        assert.match(html, /Sessions <span class="count">65</)
        assert.include(html, 'href="/issues?status=stopped"')
      }).pipe(over(snapshot))
    })
  }
})

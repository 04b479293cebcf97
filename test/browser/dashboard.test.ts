import { assert, describe, layer } from "@effect/vitest"
import { Effect, Ref, Schedule } from "effect"
import type { BoardIssue } from "../../src/board/Board.ts"
import { BoardEditor } from "../../src/board/MemoryBoard.ts"
import type { Request } from "playwright-core"
import { Identifier, makeQuestionId, makeRunId } from "../../src/domain/ids.ts"
import { Transcripts } from "../../src/journal/Transcripts.ts"
import {
  askingIssue,
  board,
  boardIssue,
  closedIssue,
  finishedIssue,
  NOON,
  proposedIssue,
  workingIssue
} from "../http/boards.ts"
import { Asked, server } from "../http/support.ts"
import { hasChromium } from "../support/capabilities.ts"
import { Chromium, DESKTOP, openWindow, PHONE, quickest, run, until, violations, visit } from "./browser.ts"
import { LOGIN, loginDiff, loginWork, talk } from "./scenes.ts"

/** The seed's regions and what the operator does in them. */
const crowd: ReadonlyArray<BoardIssue> = [
  ...[1, 2, 3].map((n) => askingIssue(`ASK-${n}`, n)),
  ...Array.from({ length: 50 }, (_, n) => workingIssue(`RUN-${n}`, n + 10)),
  ...Array.from({ length: 20 }, (_, n) => boardIssue(`IDLE-${n}`))
]

const calm = board([boardIssue("DEMO-1")])
const asking = board([askingIssue("DEMO-1"), workingIssue("DEMO-2", 2)])

const HOSTILE = [
  "<script>window.hacked = 1</script>",
  '<img src="http://evil.example/x.png" onerror="window.hacked = 1">',
  '" onmouseover="window.hacked = 1" x="',
  '<div hx-get="http://evil.example/" hx-trigger="load">x</div>',
  '<a href="javascript:window.hacked=1">x</a>',
  "[link](javascript:window.hacked=1) ![x](http://evil.example/y.png)",
  "\u202Egnp.exe\u001b[31m"
].join("\n")

const replied = (issue: BoardIssue): BoardIssue =>
  issue.question === null ? issue : { ...issue, question: { ...issue.question, reply: "Blue." } }

describe.skipIf(!hasChromium("the dashboard in a browser"))("the dashboard", () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    for (const [name, size] of [
      ["1280×800", DESKTOP],
      ["390×844", PHONE]
    ] as const) {
      it.effect(`50 running and 3 waiting: the 3 are in sight at ${name}`, () =>
        Effect.gen(function* () {
          const { page } = yield* visit("/", size)
          for (const n of [1, 2, 3]) {
            const box = yield* run(() => page.locator(`#ask-q-r1-${n}-1 textarea`).boundingBox())
            assert.isNotNull(box)
            assert.isAtMost((box?.y ?? Infinity) + (box?.height ?? 0), size.height)
          }
          assert.strictEqual(yield* run(() => page.locator(".session").count()), 53)
        }).pipe(Effect.provide(server({ board: board(crowd) })))
      )
    }

    it.effect("a change is on the page within 250 ms, without a reload and without a twitch", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const editor = yield* BoardEditor
        yield* run(() =>
          page.evaluate(`(() => {
            window.stays = true
            document.querySelector(".idle .title").mark = "same node"
          })()`)
        )
        const delay = Effect.fnUntraced(function* (title: string) {
          yield* run(() =>
            page.evaluate(`(() => {
              window.seen = new Promise((resolve) => {
                new MutationObserver(() => {
                  if (document.body.textContent.includes(${JSON.stringify(title)})) {
                    resolve(performance.timeOrigin + performance.now())
                  }
                }).observe(document.body, { subtree: true, childList: true, characterData: true })
              })
            })()`)
          )
          const changed = performance.timeOrigin + performance.now()
          yield* editor.set(board([boardIssue("DEMO-1", { title })]))
          return (yield* run(() => page.evaluate<number>("window.seen"))) - changed
        })
        assert.isBelow(yield* quickest((n) => delay(`Changed words ${n}`)), 250)
        assert.isTrue(yield* run(() => page.evaluate<boolean>("window.stays")))
        assert.strictEqual(
          yield* run(() => page.evaluate("document.querySelector('.idle .title').mark")),
          "same node"
        )
      }).pipe(Effect.provide(server({ board: calm })))
    )

    it.effect("a long question and many problems scroll within their place, by keyboard, too", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/", PHONE)
        assert.deepStrictEqual(yield* violations(page), [])
        for (const place of [".question", ".problems .listing"]) {
          yield* run(async () => {
            await page.focus(place)
            await page.keyboard.press("End")
          })
          yield* until(page, `document.querySelector(${JSON.stringify(place)}).scrollTop > 0`)
        }
      }).pipe(
        Effect.provide(
          server({
            board: board(
              [
                askingIssue("DEMO-1", 1, {
                  question: {
                    id: makeQuestionId(makeRunId(1, 1), 1),
                    text: "A long question, in many words. ".repeat(20),
                    context: null,
                    askedAt: NOON,
                    turn: 1,
                    reply: null
                  }
                })
              ],
              {
                problems: Array.from({ length: 12 }, (_, n) => ({
                  source: "tracker" as const,
                  severity: "error" as const,
                  where: `issues/Todo/BAD-${n}.md:3:1`,
                  message: "front matter is not YAML",
                  hint: null
                }))
              }
            )
          })
        )
      )
    )

    it.effect("a title of one long word is read whole on a phone", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/", PHONE)
        for (const card of ["#ask-q-r1-1-1", "#decide-id-DEMO-2"]) {
          const [needs, has] = yield* run(() =>
            page
              .locator(`${card} .title`)
              .evaluate<[number, number], HTMLElement>((title) => [
                title.getBoundingClientRect().right,
                title.closest("article")?.getBoundingClientRect().right ?? 0
              ])
          )
          assert.isAtMost(needs, has)
        }
      }).pipe(
        Effect.provide(
          server({
            board: board([
              askingIssue("DEMO-1", 1, { title: "Donaudampfschifffahrt".repeat(5) }),
              proposedIssue("DEMO-2", "DEMO-1", { title: "Donaudampfschifffahrt".repeat(5) })
            ])
          })
        )
      )
    )

    it.effect("all that need a person are counted in the tab, those without a card, too", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const editor = yield* BoardEditor
        yield* editor.update(({ issues, ...snapshot }) => ({
          ...snapshot,
          issues: [...issues, askingIssue("DEMO-30", 30)]
        }))
        yield* run(() => page.waitForSelector("#attention .idle a[href='/issues/DEMO-30']"))
        yield* until(page, "document.title === '(31) symphony'")
      }).pipe(
        Effect.provide(
          server({
            board: board(
              Array.from({ length: 30 }, (_, n) => askingIssue(`DEMO-${n}`, n, { title: `Decide ${n}` }))
            )
          })
        )
      )
    )

    it.effect("the attention region is there only while somebody is needed", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const editor = yield* BoardEditor
        assert.strictEqual(yield* run(() => page.locator("#attention").innerText()), "")
        assert.strictEqual(yield* run(() => page.locator(".badge").innerText()), "working")
        yield* editor.set(asking)
        yield* run(() => page.waitForSelector(".ask"))
        assert.strictEqual(
          yield* run(() =>
            page.evaluate("getComputedStyle(document.querySelector('.ask')).transitionProperty")
          ),
          "max-height"
        )
        yield* until(page, "document.querySelector('.badge').textContent === 'attention'")
      }).pipe(Effect.provide(server({ board: calm })))
    )

    it.effect("Enter sends an answer, Shift+Enter does not; what is typed survives refreshes", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const editor = yield* BoardEditor
        const box = page.locator("#reply-q-r1-1-1")
        yield* run(async () => {
          await box.click()
          await page.keyboard.type("Blue")
          await page.keyboard.press("Shift+Enter")
          await page.keyboard.type("and green")
        })
        yield* editor.update((snapshot) => ({
          ...snapshot,
          issues: [...snapshot.issues, boardIssue("NEW-1", { title: "Arrived meanwhile" })]
        }))
        yield* run(() => page.waitForSelector("text=Arrived meanwhile"))
        assert.strictEqual(yield* run(() => box.inputValue()), "Blue\nand green")
        yield* run(() => box.blur())
        yield* editor.update((snapshot) => ({
          ...snapshot,
          issues: [...snapshot.issues, boardIssue("NEW-2", { title: "Arrived later" })]
        }))
        yield* run(() => page.waitForSelector("text=Arrived later"))
        assert.strictEqual(yield* run(() => box.inputValue()), "Blue\nand green")
        yield* run(() => page.reload())
        assert.strictEqual(yield* run(() => box.inputValue()), "Blue\nand green")
        yield* run(async () => {
          const answered = page.waitForResponse((response) => response.url().endsWith("/steering-reply"))
          await box.press("Enter")
          await answered
        })
        assert.deepStrictEqual(yield* Ref.get((yield* Asked).commands), [
          {
            _tag: "Answer",
            issue: askingIssue("DEMO-1").id,
            question: makeQuestionId(makeRunId(1, 1), 1),
            text: "Blue\nand green"
          }
        ])
        yield* editor.set(board(asking.issues.map(replied)))
        yield* run(() => page.waitForSelector("text=the agent gets it with its next prompt"))
      }).pipe(Effect.provide(server({ board: asking })))
    )

    for (const path of ["/", "/issues/DEMO-1"]) {
      it.effect(
        `an answer that is refused is said at its box and stays in it, refreshed or not, on ${path}`,
        () =>
          Effect.gen(function* () {
            const { page } = yield* visit(path)
            const editor = yield* BoardEditor
            const { refusal } = yield* Asked
            const problem = "#reply-q-r1-1-1-problem"
            yield* Ref.set(refusal, "not_durable")
            yield* run(async () => {
              await page.fill("#reply-q-r1-1-1", "Blue.")
              await page.click(".answer button")
              await page.waitForSelector(problem)
            })
            yield* editor.update((snapshot) => ({
              ...snapshot,
              issues: snapshot.issues.map((issue) => ({ ...issue, title: "Another title" }))
            }))
            yield* run(() => page.waitForSelector("text=Another title"))
            assert.include(yield* run(() => page.locator(problem).innerText()), "not_durable")
            assert.strictEqual(yield* run(() => page.inputValue("#reply-q-r1-1-1")), "Blue.")
            yield* Ref.set(refusal, null)
            yield* run(async () => {
              await page.click(".answer button")
              await page.waitForSelector(problem, { state: "detached" })
            })
            assert.strictEqual(yield* run(() => page.inputValue("#reply-q-r1-1-1")), "")
          }).pipe(Effect.provide(server({ board: asking })))
      )
    }

    it.effect("an issue that is refused keeps all that was typed, and says what is wrong at its field", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        yield* run(async () => {
          await page.click("#new-issue summary")
          await page.fill("#new-title", "Mend it")
          await page.fill("#new-identifier", "TAKEN")
          await page.selectOption("#new-state", "In Progress")
          await page.click("text=File it")
          await page.waitForSelector("#new-identifier-problem >> text=exists already")
        })
        const values = () =>
          Promise.all(["title", "identifier", "state"].map((name) => page.inputValue(`#new-${name}`)))
        const typed = ["Mend it", "TAKEN", "In Progress"]
        assert.deepStrictEqual(yield* run(values), typed)
        yield* run(() => page.reload())
        assert.deepStrictEqual(yield* run(values), typed)
        assert.isTrue(yield* run(() => page.locator("#new-title").isVisible()))
        yield* run(async () => {
          await page.fill("#new-identifier", "FREE-1")
          await page.click("text=File it")
          await page.waitForSelector("text=Filed as FREE-1")
        })
        assert.strictEqual(yield* run(() => page.locator(".problem").count()), 0)
        assert.deepStrictEqual(yield* run(values), ["", "", "Todo"])
      }).pipe(Effect.provide(server({ board: calm })))
    )

    it.effect("without script, too, an issue that is refused comes back filled in, and can be filed", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/", PHONE, { javaScriptEnabled: false })
        yield* run(async () => {
          await page.click("#new-issue summary")
          await page.fill("#new-title", "Mend it")
          await page.fill("#new-description", "\n  Two lines,\nas typed.")
          await page.fill("#new-identifier", "TAKEN")
          await page.click("text=File it")
          await page.waitForSelector("#new-identifier-problem >> text=exists already")
        })
        assert.strictEqual(yield* run(() => page.inputValue("#new-description")), "\n  Two lines,\nas typed.")
        yield* run(async () => {
          await page.fill("#new-identifier", "FREE-1")
          await page.click("text=File it")
          await page.waitForURL("**/issues/FREE-1")
        })
        assert.strictEqual((yield* Ref.get((yield* Asked).created))[0]?.title, "Mend it")
      }).pipe(Effect.provide(server({ board: calm })))
    )

    it.effect("a new issue is filed as JSON, by its title alone", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const type = yield* run(async () => {
          await page.click("#new-issue summary")
          await page.fill("#new-title", "Mend it")
          const filed = page.waitForRequest((request) => request.url().endsWith("/api/v1/issues"))
          await page.keyboard.press("Enter")
          return (await filed).headers()["content-type"]
        })
        assert.strictEqual(type, "application/json")
        yield* run(() => page.waitForSelector("text=Filed as DEMO-7"))
        assert.strictEqual((yield* Ref.get((yield* Asked).created))[0]?.title, "Mend it")
      }).pipe(Effect.provide(server({ board: calm })))
    )

    it.effect("what is being filed is not filed twice, and where it went is said in sight", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        yield* run(async () => {
          await page.click("#new-issue summary")
          await page.fill("#new-title", "Mend it")
          await page.evaluate(`(() => {
            const form = document.querySelector("form[data-json]")
            form.requestSubmit()
            form.requestSubmit()
          })()`)
          await page.waitForSelector("#notice a[href='/issues/DEMO-7']")
        })
        assert.strictEqual((yield* Ref.get((yield* Asked).created)).length, 1)
        const box = yield* run(() => page.locator("#notice").boundingBox())
        assert.isAtLeast(box?.y ?? -1, 0)
        assert.isAtMost((box?.y ?? Infinity) + (box?.height ?? 0), DESKTOP.height)
      }).pipe(Effect.provide(server({ board: board(crowd) })))
    )

    it.effect("a title that was begun survives a reload", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        yield* run(async () => {
          await page.click("#new-issue summary")
          await page.locator("#new-title").pressSequentially("Half a ti")
          await page.reload()
        })
        assert.strictEqual(yield* run(() => page.inputValue("#new-title")), "Half a ti")
      }).pipe(Effect.provide(server({ board: calm })))
    )

    it.effect("words for a question that is answered elsewhere meanwhile are not taken away", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const editor = yield* BoardEditor
        yield* run(() => page.locator("#reply-q-r1-1-1").pressSequentially("Because of the"))
        yield* editor.set(board([workingIssue("DEMO-1"), workingIssue("DEMO-2", 2)]))
        yield* run(() => page.waitForSelector("text=answered or withdrawn meanwhile"))
        assert.strictEqual(yield* run(() => page.inputValue("#reply-q-r1-1-1")), "Because of the")
        assert.isTrue(yield* run(() => page.locator(".answer button").isDisabled()))
      }).pipe(Effect.provide(server({ board: asking })))
    )

    it.effect("the focus stays on its issue when the rows above it go", () =>
      Effect.gen(function* () {
        const rows = ["IDLE-1", "IDLE-2", "IDLE-3"].map((name) => boardIssue(name))
        const { page } = yield* visit("/")
        const editor = yield* BoardEditor
        yield* editor.set(board(rows))
        yield* run(async () => {
          await page.waitForSelector("#idle-id-IDLE-3")
          await page.focus("#idle-id-IDLE-2 a")
        })
        yield* editor.set(board(rows.slice(1)))
        yield* run(() => page.waitForSelector("#idle-id-IDLE-1", { state: "detached" }))
        assert.strictEqual(
          yield* run(() => page.evaluate<string>("document.activeElement.textContent")),
          "IDLE-2"
        )
      }).pipe(Effect.provide(server({ board: calm })))
    )

    for (const [how, problems, said] of [
      ["gone", [], "There is no issue DEMO-1 in /project/issues."],
      [
        "in a file that cannot be read",
        [
          {
            source: "tracker",
            severity: "error",
            where: "issues/Todo/DEMO-1.md:2:1",
            message: "front matter is not a map",
            hint: null
          }
        ],
        "The file of DEMO-1 cannot be read: issues/Todo/DEMO-1.md:2:1: front matter is not a map."
      ]
    ] as const) {
      it.effect(`an issue that is ${how} is said to be so, and the page stays live`, () =>
        Effect.gen(function* () {
          const { page } = yield* visit("/issues/DEMO-1")
          const editor = yield* BoardEditor
          yield* editor.set(board([workingIssue("DEMO-2", 2)], { problems }))
          yield* run(() => page.waitForSelector(`text=no longer there. ${said}`))
          assert.isTrue(yield* run(() => page.locator("#stale").isHidden()))
        }).pipe(Effect.provide(server({ board: asking })))
      )
    }

    it.effect("where the stream of changes is cut, the page asks every two seconds", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/sign-in")
        const editor = yield* BoardEditor
        yield* run(async () => {
          await page.route("**/api/v1/events", (route) => route.abort())
          await page.goto(`${new URL(page.url()).origin}/`)
        })
        yield* editor.set(asking)
        yield* run(() => page.waitForSelector(".ask"))
        assert.isTrue(yield* run(() => page.locator("#stale").isHidden()))
      }).pipe(Effect.provide(server({ board: calm })))
    )

    it.effect("the regions of the seed: header, attention with retries, sessions, on disk, totals", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const text = (selector: string) => run(() => page.locator(selector).innerText())
        const header = yield* text("#header")
        for (const fact of ["attention", "/project/WORKFLOW.md", "/project/issues", "1/10"])
          assert.include(header, fact)
        assert.match(yield* text(".retry"), /LATE-1\s+attempt 3\s+due in \d+m?s?\s+stalled for 5 minutes/)
        assert.match(
          yield* text(".session"),
          /DEMO-2[\s\S]+working[\s\S]+turn 2[\s\S]+1\.2k[\s\S]+running the tests/
        )
        assert.match(yield* text("#waiting"), /FREE-1[\s\S]+all 2 slots are in use/)
        assert.match(yield* text("#ready-for-review"), /DONE-1/)
        assert.match(
          yield* text("#attention"),
          /NEW-1[\s\S]+proposed by the agent of DEMO-2[\s\S]+Approve: move to Todo/
        )
        assert.include(yield* text("#totals"), "5.0k tokens")
        assert.notInclude(yield* text("main"), "OLD-1")
      }).pipe(
        Effect.provide(
          server({
            board: board(
              [
                proposedIssue("NEW-1", "DEMO-2"),
                workingIssue("DEMO-2", 2),
                finishedIssue("DONE-1"),
                boardIssue("FREE-1"),
                boardIssue("LATE-1", {
                  why: { code: "Backoff", text: "next try at noon" },
                  retryable: true,
                  retry: { attempt: 3, dueAt: NOON + 90_000, kind: "retry", error: "stalled for 5 minutes" }
                }),
                closedIssue("OLD-1")
              ],
              { badge: "attention" }
            )
          })
        )
      )
    )

    it.effect("s stops and v reviews what one is at; a key with nothing to do says so", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/DONE-1")
        yield* run(async () => {
          await page.keyboard.press("s")
          await page.waitForSelector("text=Nothing here for s: stop the issue.")
          await page.keyboard.press("v")
          await page.waitForSelector("text=DONE-1 is closed.")
        })
        assert.strictEqual((yield* Ref.get((yield* Asked).commands))[0]?._tag, "Review")
        yield* run(async () => {
          await page.goto(`${new URL(page.url()).origin}/issues/DEMO-2`)
          await page.keyboard.press("s")
          await page.waitForSelector("text=DEMO-2 is stopped.")
          await page.keyboard.press("/")
          await page.waitForURL("**/issues#filter")
        })
        assert.strictEqual(yield* run(() => page.evaluate("document.activeElement.id")), "filter")
      }).pipe(Effect.provide(server({ board: board([finishedIssue("DONE-1"), workingIssue("DEMO-2", 2)]) })))
    )

    it.effect(
      "the lines of a transcript cover the whole run, each leads to its steps, e to the last error",
      () =>
        Effect.gen(function* () {
          yield* talk(3000)
          const { page } = yield* visit("/issues/WEB-7/runs/r1-7?depth=line")
          assert.strictEqual(yield* run(() => page.locator("#log > li").count()), 50)
          yield* run(async () => {
            await page.click("#log > li:first-child a")
            await page.waitForSelector("#e-0")
            await page.keyboard.press("e")
            await page.waitForURL("**/runs/r1-7#e-*")
          })
          assert.include(yield* run(() => page.locator(".step:target").innerText()), "failed")
        }).pipe(Effect.provide(server({ board: board([LOGIN]) })))
    )

    it.effect("without script everything can be read, and a question answered", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/", DESKTOP, { javaScriptEnabled: false })
        assert.include(yield* run(() => page.locator("#sessions").innerText()), "Title of DEMO-2")
        yield* run(async () => {
          await page.fill("#reply-q-r1-1-1", "Blue.")
          await page.click(".answer button")
          await page.waitForURL("**/issues/DEMO-1")
        })
        assert.strictEqual((yield* Ref.get((yield* Asked).commands))[0]?._tag, "Answer")
      }).pipe(Effect.provide(server({ board: asking })))
    )

    it.effect("everything by keyboard: ? lists the keys, a answers, n files, j and k walk, Enter opens", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const focused = () =>
          page.evaluate<string>("document.activeElement.id || document.activeElement.textContent")
        yield* run(async () => {
          await page.keyboard.press("?")
          await page.waitForSelector("dialog[open]")
          await page.keyboard.press("Escape")
          await page.keyboard.press("a")
        })
        assert.strictEqual(yield* run(focused), "reply-q-r1-1-1")
        yield* run(async () => {
          await page.keyboard.press("Escape")
          await page.keyboard.press("n")
        })
        assert.strictEqual(yield* run(focused), "new-title")
        yield* run(async () => {
          await page.keyboard.press("Escape")
          await page.keyboard.press("j")
          await page.keyboard.press("j")
          await page.keyboard.press("k")
        })
        assert.strictEqual(yield* run(focused), "DEMO-1")
        yield* run(async () => {
          await page.keyboard.press("Enter")
          await page.waitForURL("**/issues/DEMO-1")
        })
      }).pipe(Effect.provide(server({ board: asking })))
    )

    /** Beside those of every page. */
    const keysOf: Readonly<Record<string, string>> = {
      "/": "a y x t p",
      "/issues": "",
      "/keys": "",
      "/issues/WEB-7": "a s m d",
      "/issues/NEW-1": "y x m",
      "/issues/LATE-1": "s t m",
      "/issues/DONE-1": "v m",
      "/issues/WEB-7/stop": "",
      "/issues/WEB-7/diff": "c",
      "/issues/WEB-7/work": "c",
      "/issues/WEB-7/runs/r1-7?before=100": "e G",
      "/issues/WEB-7/runs/r1-7?depth=raw&before=100": "e G"
    }
    for (const [path, own] of Object.entries(keysOf)) {
      it.effect(
        `? lists the keys of ${path}: ${own === "" ? "no others than everywhere" : own}; each does something`,
        () =>
          Effect.gen(function* () {
            yield* talk(120)
            const { page } = yield* visit(path)
            const home = page.url()
            const listed = yield* run(async () => {
              await page.keyboard.press("?")
              await page.waitForSelector("dialog[open]")
              return page.locator("#keys [data-for]:visible kbd").allInnerTexts()
            })
            const walks = path === "/keys" ? [] : ["j", "k", "Enter"]
            assert.sameMembers(listed, [
              ..."? Esc h i / n r".split(" "),
              ...walks,
              ...own.split(" ").filter((key) => key !== "")
            ])
            const state = `JSON.stringify([
            document.activeElement === document.body ? null : document.activeElement.outerHTML,
            scrollY,
            document.querySelector("dialog").open,
            document.getElementById("notice").textContent
          ])`
            // What works everywhere is the same everywhere: it is pressed on one page.
            const pressed = path === "/issues/WEB-7" ? listed : own.split(" ")
            for (const key of pressed.filter((one) => !["Enter", "Esc", ""].includes(one))) {
              yield* run(async () => {
                await page.goto(`${new URL(home).origin}/keys`)
                await page.goto(home)
                await page.evaluate("scrollTo(0, 0)")
              })
              const before = yield* run(() => page.evaluate<string>(state))
              let asked = false
              const listen = (request: Request) => {
                asked ||= request.method() === "POST" || request.isNavigationRequest() || key === "r"
              }
              page.on("request", listen)
              yield* run(() => page.keyboard.press(key))
              yield* Effect.suspend(() =>
                asked
                  ? Effect.void
                  : run(() => page.evaluate<string>(state).catch(() => "gone")).pipe(
                      Effect.flatMap((after) => (after === before ? Effect.fail("nothing yet") : Effect.void))
                    )
              ).pipe(
                Effect.retry(Schedule.spaced("20 millis")),
                Effect.timeoutOrElse({
                  duration: "3 seconds",
                  orElse: () => Effect.die(new Error(`${key} does nothing on ${path}`))
                })
              )
              const said = yield* run(() =>
                page
                  .locator("#notice")
                  .innerText()
                  .catch(() => "")
              )
              assert.notInclude(said, "Nothing here", key)
              page.off("request", listen)
            }
          }).pipe(
            Effect.provide(
              server({
                board: board([
                  LOGIN,
                  proposedIssue("NEW-1", "DEMO-2"),
                  boardIssue("LATE-1", {
                    why: { code: "Backoff", text: "next try at noon" },
                    retryable: true,
                    retry: { attempt: 3, dueAt: NOON + 90_000, kind: "retry", error: "stalled" }
                  }),
                  finishedIssue("DONE-1")
                ]),
                diff: loginDiff,
                work: Effect.succeed(loginWork)
              })
            )
          )
      )
    }

    it.effect("the keys can be read without script, too", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/", DESKTOP, { javaScriptEnabled: false })
        yield* run(() => page.click("footer >> text=keys"))
        const text = yield* run(() => page.locator("main").innerText())
        for (const what of ["list the keys of the page", "approve the proposal", "go to the last error"])
          assert.include(text, what)
      }).pipe(Effect.provide(server({ board: calm })))
    )

    it.effect("a key never goes for another issue than the one that one is at", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        yield* run(async () => {
          await page.keyboard.press("y")
          await page.waitForSelector("text=y could mean several here")
          await page.focus("#idle-id-IDLE-1 a")
          await page.keyboard.press("y")
          await page.waitForSelector("text=Nothing here for y")
          await page.focus("#decide-id-NEW-2 a")
          await page.keyboard.press("y")
          await page.waitForSelector("text=NEW-2 is approved.")
        })
        assert.deepInclude(yield* Ref.get((yield* Asked).commands), {
          _tag: "Move",
          issue: proposedIssue("NEW-2", "A").id,
          to: "Todo"
        })
      }).pipe(
        Effect.provide(
          server({
            board: board([proposedIssue("NEW-1", "A"), proposedIssue("NEW-2", "A"), boardIssue("IDLE-1")])
          })
        )
      )
    )

    it.effect("stopping asks first where work would be lost, and names it", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/DEMO-2")
        yield* run(async () => {
          await page.click("text=Stop")
          await page.waitForURL("**/issues/DEMO-2/stop")
        })
        const consequences = yield* run(() => page.locator(".consequences").innerText())
        for (const loss of ["turn 2", "Check in CI, too", "2 uncommitted files: src/session.ts"])
          assert.include(consequences, loss)
        assert.deepStrictEqual(yield* Ref.get((yield* Asked).commands), [])
        yield* run(async () => {
          await page.click("text=Stop it")
          await page.waitForURL("**/issues/DEMO-2")
        })
        assert.strictEqual((yield* Ref.get((yield* Asked).commands))[0]?._tag, "Stop")
      }).pipe(Effect.provide(server({ board: asking, work: Effect.succeed(loginWork) })))
    )

    it.effect("what costs no work is done at once, and said", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/DEMO-2")
        yield* run(async () => {
          await page.keyboard.press("s")
          await page.waitForSelector("text=DEMO-2 is stopped.")
          await page.selectOption("#move-to", "Done")
          await page.click("form.inline >> text=Move >> nth=-1")
          await page.waitForSelector("text=DEMO-2 is moved.")
          await page.goto(`${new URL(page.url()).origin}/`)
          await page.click("text=Discard: move to Done")
          await page.waitForSelector("text=NEW-1 is discarded: its file is in Done.")
        })
        assert.deepStrictEqual(
          (yield* Ref.get((yield* Asked).commands)).map(({ _tag }) => _tag),
          ["Stop", "Move", "Move"]
        )
      }).pipe(Effect.provide(server({ board: board([...asking.issues, proposedIssue("NEW-1", "DEMO-2")]) })))
    )

    it.effect(
      "comments on work that is not handed over yet answer its agent's question, all in one message",
      () =>
        Effect.gen(function* () {
          const { page } = yield* visit("/issues/DEMO-1")
          yield* run(async () => {
            await page.keyboard.press("d")
            await page.waitForURL("**/issues/DEMO-1/work")
            await page.click('table[data-path="src/login.ts"] tr.added button >> text="13"')
            await page.keyboard.type("Hash it first.")
            await page.click(".commits >> text=4f1c2d3e4b5a")
            await page.waitForURL("**/work?commit=*")
            await page.click('table[data-path="src/login.ts"] tr.removed button >> text="13"')
            await page.keyboard.type("Keep this.")
            await page.click("text=Answer with this")
            await page.waitForSelector("text=Your comments are on their way.")
          })
          const [command, ...more] = yield* Ref.get((yield* Asked).commands)
          assert.deepStrictEqual(more, [])
          assert.strictEqual(
            command?._tag === "Answer" ? command.text : "",
            [
              "src/login.ts:13 | +  const session = open(form.name, form.password)",
              "Hash it first.",
              "",
              "src/login.ts:13 (removed) in 4f1c2d3e4b5a | -  const session = open(form.name)",
              "Keep this."
            ].join("\n")
          )
        }).pipe(Effect.provide(server({ board: asking, work: Effect.succeed(loginWork) })))
    )

    it.effect("comments that were not sent stay with the run that they are about", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/DEMO-1/work")
        const editor = yield* BoardEditor
        const texts = () =>
          page.evaluate<ReadonlyArray<string>>(
            "[...document.querySelectorAll('#review textarea')].map(({ value }) => value)"
          )
        yield* run(async () => {
          await page.click('table[data-path="src/login.ts"] tr.added button >> text="13"')
          await page.keyboard.type("Hash it first.")
          await page.fill("#review textarea[name=text]", "Nearly.")
          await page.reload()
        })
        assert.deepStrictEqual(yield* run(texts), ["Hash it first.", "Nearly."])
        yield* editor.set(board([askingIssue("DEMO-1", 8)]))
        yield* run(() => page.reload())
        assert.deepStrictEqual(yield* run(texts), [""])
      }).pipe(Effect.provide(server({ board: asking, work: Effect.succeed(loginWork) })))
    )

    it.effect("without script a change is read commit by commit, what is dangerous on top of each", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/WEB-7/diff", DESKTOP, { javaScriptEnabled: false })
        yield* run(async () => {
          await page.click("text=9e8d7c6b5a49")
          await page.waitForURL("**/diff?commit=9e8d*")
          await page.click("text=Next commit")
          await page.waitForURL("**/diff?commit=4f1c*")
        })
        assert.include(yield* run(() => page.locator(".flags").innerText()), "test.yml")
        assert.include(yield* run(() => page.locator("main").innerText()), "commit 2 of 2")
        yield* run(async () => {
          await page.click("text=All of them")
          await page.waitForURL("**/issues/WEB-7/diff")
        })
      }).pipe(Effect.provide(server({ board: board([LOGIN]), diff: loginDiff })))
    )

    it.effect("comments on lines of a diff become one message, and are kept until it has arrived", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/WEB-7/diff")
        yield* run(async () => {
          const remark = async (at: string, text: string) => {
            await page.click(`table[data-path="src/login.ts"] tr:not(.removed) button >> text="${at}"`)
            await page.keyboard.type(text)
          }
          await remark("13", "Hash it first.")
          await remark("15", "And set Secure.")
          await page.reload()
        })
        yield* Ref.set((yield* Asked).refusal, "not_durable")
        yield* run(async () => {
          await page.click("text=Answer with this")
          await page.waitForSelector("#notice.error >> text=not_durable")
        })
        assert.strictEqual(yield* run(() => page.locator("#comments textarea").count()), 2)
        yield* Ref.set((yield* Asked).refusal, null)
        yield* run(async () => {
          await page.click("text=Answer with this")
          await page.waitForSelector("text=Your comments are on their way.")
          await page.reload()
        })
        assert.strictEqual(yield* run(() => page.locator("#comments textarea").count()), 0)
        const [command, ...more] = yield* Ref.get((yield* Asked).commands)
        assert.deepStrictEqual(more, [])
        assert.include(command?._tag === "Answer" ? command.text : "", "Hash it first.")
        assert.include(command?._tag === "Answer" ? command.text : "", "src/login.ts:15 | +  return redirect")
      }).pipe(Effect.provide(server({ board: board([LOGIN]), diff: loginDiff })))
    )

    it.effect(
      "a transcript of 10,000 events opens at once, follows its end, and lets go when one scrolls up",
      () =>
        Effect.gen(function* () {
          yield* talk(10_000)
          const { page } = yield* visit("/issues/WEB-7/runs/r1-7")
          const editor = yield* BoardEditor
          const loaded = yield* run(() =>
            page.evaluate<number>("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
          )
          assert.isBelow(loaded, 1000)
          const atEnd = "innerHeight + scrollY >= document.documentElement.scrollHeight - 100"
          yield* until(page, atEnd)
          yield* talk(30)
          yield* editor.update((snapshot) => ({ ...snapshot, generatedAt: NOON + 1 }))
          yield* run(() => page.waitForSelector("text=of 10030", { state: "attached" }))
          yield* until(page, atEnd)
          yield* run(() => page.evaluate("scrollTo(0, 0)"))
          yield* until(page, "scrollY === 0")
          yield* talk(30)
          yield* editor.update((snapshot) => ({ ...snapshot, generatedAt: NOON + 2 }))
          yield* run(() => page.waitForSelector("#pill:not([hidden])"))
          yield* run(() => page.click("#pill"))
          yield* until(page, atEnd)
        }).pipe(Effect.provide(server({ board: board([LOGIN]) })))
    )

    it.effect("what one reads stays where it is, however much is written below", () =>
      Effect.gen(function* () {
        yield* talk(400)
        const { page } = yield* visit("/issues/WEB-7/runs/r1-7")
        const editor = yield* BoardEditor
        yield* run(() => page.mouse.move(600, 400))
        yield* run(() => page.mouse.wheel(0, -1500))
        const read = () =>
          page.evaluate<{ readonly id: string; readonly top: number }>(`(() => {
            const row = document.elementFromPoint(600, 400).closest("#log > li")
            return { id: row.id, top: row.getBoundingClientRect().top }
          })()`)
        yield* until(page, "innerHeight + scrollY < document.documentElement.scrollHeight - 1000")
        const before = yield* run(read)
        for (let n = 1; n <= 10; n++) {
          yield* talk(30)
          yield* editor.update((snapshot) => ({ ...snapshot, generatedAt: NOON + n }))
          yield* run(() => page.waitForSelector(`text=${400 + 30 * n} entries`))
          const now = yield* run(read)
          assert.strictEqual(now.id, before.id)
          assert.closeTo(now.top, before.top, 2)
        }
        assert.isTrue(yield* run(() => page.isVisible("#pill")))
        yield* run(() => page.click("#pill"))
        yield* run(() => page.waitForSelector("#e-699, #e-698, #e-697"))
        yield* until(page, "innerHeight + scrollY >= document.documentElement.scrollHeight - 100")
        assert.isFalse(yield* run(() => page.isVisible("#pill")))
      }).pipe(Effect.provide(server({ board: board([LOGIN]) })))
    )

    it.effect("nothing an agent says runs, loads or hides", () =>
      Effect.gen(function* () {
        yield* (yield* Transcripts).append(Identifier.make("EVIL"), makeRunId(1, 7), 1, {
          _tag: "ToolCall",
          id: "1",
          title: HOSTILE,
          status: HOSTILE
        })
        for (const path of [
          "/",
          "/issues",
          "/issues/EVIL",
          "/issues/EVIL/diff",
          "/issues/EVIL/work",
          "/issues/EVIL/stop",
          "/issues/EVIL/runs/r1-7",
          "/issues/EVIL/runs/r1-7?depth=raw",
          "/issues/EVIL/runs/r1-7?depth=line"
        ]) {
          const { foreign, page } = yield* visit(path)
          yield* run(async () => {
            for (const details of await page.locator("details").all()) {
              await details.evaluate("(it) => { it.open = true }")
            }
            await page.hover("main", { position: { x: 100, y: 100 } })
            await page.waitForLoadState("networkidle").catch(() => null)
          })
          assert.isUndefined(yield* run(() => page.evaluate("window.hacked")), path)
          assert.deepStrictEqual(foreign, [], path)
          const text = yield* run(() => page.locator("body").innerText())
          assert.notInclude(text, "\u202E", path)
          assert.notInclude(text, "\u001b", path)
        }
      }).pipe(
        Effect.provide(
          server({
            board: board([
              askingIssue("EVIL", 7, {
                title: HOSTILE,
                description: HOSTILE,
                labels: [HOSTILE],
                question: {
                  id: makeQuestionId(makeRunId(1, 7), 1),
                  text: HOSTILE,
                  context: HOSTILE,
                  askedAt: NOON,
                  turn: 1,
                  reply: null
                }
              })
            ]),
            diff: {
              ...loginDiff,
              title: HOSTILE,
              summary: HOSTILE,
              patch: `diff --git a/x b/<b>x\n@@ -0,0 +1,7 @@\n${HOSTILE.split("\n")
                .map((line) => `+${line}`)
                .join("\n")}\n`
            }
          })
        )
      )
    )

    it.effect("opens fast and light, and asks to sign in first", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const paint = yield* quickest(() =>
          run(async () => {
            await page.reload()
            return page.evaluate<number>(
              "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? performance.now()"
            )
          })
        )
        assert.isBelow(paint, 200)
        const size = yield* run(() =>
          page.evaluate<number>("performance.getEntriesByType('navigation')[0].decodedBodySize")
        )
        assert.isBelow(size, 100_000)
        const stranger = yield* openWindow()
        yield* run(async () => {
          await stranger.page.goto(page.url())
          await stranger.page.waitForSelector("#token")
        })
        assert.notInclude(yield* run(() => stranger.page.content()), "ASK-1")
      }).pipe(Effect.provide(server({ board: board(crowd) })))
    )
  })
})

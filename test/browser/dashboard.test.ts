import { assert, describe, layer } from "@effect/vitest"
import { Effect, Ref } from "effect"
import type { BoardIssue } from "../../src/board/Board.ts"
import { BoardEditor } from "../../src/board/MemoryBoard.ts"
import { makeQuestionId, makeRunId } from "../../src/domain/ids.ts"
import { askingIssue, board, boardIssue, NOON, workingIssue } from "../http/boards.ts"
import { Asked, server } from "../http/support.ts"
import { hasChromium } from "../support/capabilities.ts"
import { Chromium, DESKTOP, openWindow, PHONE, quickest, run, until, visit } from "./browser.ts"
import { LOGIN, loginDiff, talk } from "./scenes.ts"

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

    it.effect("an answer that is refused is said, and stays in its box", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        yield* Ref.set((yield* Asked).refusal, "not_durable")
        yield* run(async () => {
          await page.fill("#reply-q-r1-1-1", "Blue.")
          await page.click(".answer button")
          await page.waitForSelector("#attention .banner")
        })
        assert.include(yield* run(() => page.locator("#attention .banner").innerText()), "not_durable")
        assert.strictEqual(yield* run(() => page.inputValue("#reply-q-r1-1-1")), "Blue.")
      }).pipe(Effect.provide(server({ board: asking })))
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

    it.effect("stopping asks first, and names what would be lost", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/DEMO-2")
        yield* run(() => page.click("text=Stop…"))
        assert.include(yield* run(() => page.locator(".consequences").innerText()), "turn 2")
        assert.deepStrictEqual(yield* Ref.get((yield* Asked).commands), [])
        yield* run(async () => {
          await page.click("text=Stop it")
          await page.waitForURL("**/issues/DEMO-2")
        })
        assert.strictEqual((yield* Ref.get((yield* Asked).commands))[0]?._tag, "Stop")
      }).pipe(Effect.provide(server({ board: asking })))
    )

    it.effect("comments on lines of a diff become one message", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/WEB-7/diff")
        yield* run(async () => {
          const remark = async (at: string, text: string) => {
            await page.click(`button[data-at="${at}"]`)
            await page.keyboard.type(text)
          }
          await remark("src/login.ts:13", "Hash it first.")
          await remark("src/login.ts:15", "And set Secure.")
          await page.reload()
          await page.click("text=Answer with this")
          await page.waitForURL("**/issues/WEB-7")
        })
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

    it.effect("nothing an agent says runs, loads or hides", () =>
      Effect.gen(function* () {
        for (const path of ["/", "/issues", "/issues/EVIL", "/issues/EVIL/diff", "/issues/EVIL/stop"]) {
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

import { assert, describe, layer } from "@effect/vitest"
import { Effect, Ref } from "effect"
import type { Page } from "playwright-core"
import { BoardEditor } from "../../src/board/MemoryBoard.ts"
import { askingIssue, board, boardIssue, workingIssue } from "../http/boards.ts"
import { Asked, server } from "../http/support.ts"
import { hasChromium } from "../support/capabilities.ts"
import { Chromium, DESKTOP, PHONE, run, until, visit } from "./browser.ts"
import { LOGIN, loginDiff, loginWork } from "./scenes.ts"

const asking = board([askingIssue("DEMO-1"), workingIssue("DEMO-2", 2)])
const answered = board([workingIssue("DEMO-1"), workingIssue("DEMO-2", 2)])
const running = board([workingIssue("DEMO-2", 2)])
const stopped = board([
  boardIssue("DEMO-2", { status: "stopped", why: { code: "Held", text: "you stopped it" }, retryable: true })
])

const BOX = "#reply-q-r1-1-1"

const commands = Effect.gen(function* () {
  return (yield* Ref.get((yield* Asked).commands)).map(({ _tag }) => _tag)
})

/** The paths that were posted to, as far as the page is. */
const postsOf = (page: Page): ReadonlyArray<string> => {
  const posts: Array<string> = []
  page.on("request", (request) => {
    if (request.method() === "POST") posts.push(new URL(request.url()).pathname)
  })
  return posts
}

/** A line on which what is posted to these paths waits until it is let through. */
const slowLine = (page: Page, paths: string) =>
  Effect.gen(function* () {
    let letThrough = (): void => undefined
    const open = new Promise<void>((resolve) => (letThrough = resolve))
    yield* run(() =>
      page.route(paths, async (route) => {
        if (route.request().method() === "POST") await open
        await route.continue()
      })
    )
    return Effect.sync(() => letThrough())
  })

/** Everything that happened before is on the page when it has fetched its regions anew. */
const refreshed = (page: Page) =>
  run(async () => {
    const fetched = page.waitForResponse((response) => response.request().headers()["hx-request"] === "true")
    await page.evaluate(`document.body.dispatchEvent(new CustomEvent("refreshed"))`)
    await (await fetched).finished()
  })

describe.skipIf(!hasChromium("forms in a browser"))("forms of the dashboard", () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    it.effect("a double click sends once", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/DEMO-2")
        const posts = postsOf(page)
        yield* run(async () => {
          await page.dblclick("text=Stop")
          await page.waitForSelector("#notice >> text=DEMO-2 is stopped.")
        })
        yield* refreshed(page)
        assert.deepStrictEqual(posts, ["/issues/DEMO-2/stop"])
        assert.deepStrictEqual(yield* commands, ["Stop"])
      }).pipe(Effect.provide(server({ board: running })))
    )

    it.effect("comments that are sent by a double click arrive once, and no error is said of them", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/WEB-7/diff")
        const posts = postsOf(page)
        yield* run(async () => {
          await page.click('table[data-path="src/login.ts"] tr.added button >> text="13"')
          await page.keyboard.type("Hash it first.")
          await page.dblclick("text=Answer with this")
          await page.waitForSelector("#notice >> text=Your comments are on their way.")
        })
        yield* refreshed(page)
        assert.deepStrictEqual(posts, ["/issues/WEB-7/review"])
        assert.strictEqual(yield* run(() => page.locator("#notice.error").count()), 0)
      }).pipe(Effect.provide(server({ board: board([LOGIN]), diff: loginDiff })))
    )

    it.effect(
      "the second click of two presses nothing that has taken the place of what the first one did",
      () =>
        Effect.gen(function* () {
          const { page } = yield* visit("/issues/DEMO-2")
          const editor = yield* BoardEditor
          const retry = page.locator('button:has-text("Retry now")')
          yield* run(async () => {
            await page.click("text=Stop")
            await page.waitForSelector("#notice >> text=DEMO-2 is stopped.")
          })
          yield* editor.set(stopped)
          yield* run(async () => {
            await retry.hover()
            await page.mouse.down({ clickCount: 2 })
            await page.mouse.up({ clickCount: 2 })
          })
          yield* refreshed(page)
          assert.deepStrictEqual(yield* commands, ["Stop"])
          yield* run(async () => {
            await retry.click()
            await page.waitForSelector("#notice >> text=DEMO-2 is tried again")
          })
          assert.deepStrictEqual(yield* commands, ["Stop", "RetryNow"])
        }).pipe(Effect.provide(server({ board: running })))
    )

    it.effect("what is on its way says so, is not sent again, and is spoken of as what it was", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/DEMO-2")
        const editor = yield* BoardEditor
        const posts = postsOf(page)
        const letThrough = yield* slowLine(page, "**/stop")
        yield* run(() => page.click("text=Stop"))
        yield* editor.set(stopped)
        yield* run(async () => {
          await page.waitForSelector('button:has-text("Retry now")')
          await page.waitForSelector('button[aria-busy=true]:has-text("Stop")')
          await page.evaluate(`document.querySelector("[aria-busy=true]").form.requestSubmit()`)
        })
        yield* letThrough
        yield* run(async () => {
          await page.waitForSelector("#notice >> text=DEMO-2 is stopped.")
          await page.waitForSelector('button:has-text("Stop")', { state: "detached" })
        })
        assert.deepStrictEqual(posts, ["/issues/DEMO-2/stop"])
        assert.strictEqual(yield* run(() => page.locator("[aria-busy]").count()), 0)
      }).pipe(Effect.provide(server({ board: running })))
    )

    it.effect("an issue that is being filed says so", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const letThrough = yield* slowLine(page, "**/api/v1/issues")
        yield* run(async () => {
          await page.click("#new-issue summary")
          await page.fill("#new-title", "Mend it")
          await page.click("text=File it")
          await page.waitForSelector('button[aria-busy=true]:has-text("File it")')
        })
        yield* letThrough
        yield* run(async () => {
          await page.waitForSelector("#notice >> text=Filed as DEMO-7")
          await page.waitForSelector("[aria-busy]", { state: "detached" })
        })
      }).pipe(Effect.provide(server({ board: running })))
    )

    for (const [name, size] of [
      ["1280×800", DESKTOP],
      ["390×844", PHONE]
    ] as const) {
      it.effect(`the buttons of the header stay where they are when one of them is pressed, at ${name}`, () =>
        Effect.gen(function* () {
          const { page } = yield* visit("/", size)
          const editor = yield* BoardEditor
          const places = () =>
            Promise.all(["pause", "resume", "refresh"].map((what) => placeOf(page, `[action="/do/${what}"]`)))
          const [pause, , refresh] = yield* run(places)
          assert.isNotNull(pause)
          yield* editor.set(board(running.issues, { mode: "paused" }))
          yield* run(() => page.waitForSelector("text=Resume"))
          assert.deepStrictEqual(yield* run(places), [null, pause, refresh])
        }).pipe(Effect.provide(server({ board: running })))
      )
    }

    it.effect(
      "a form that could not be sent says so while that is true, and of its words where there are any",
      () =>
        Effect.gen(function* () {
          const { page } = yield* visit("/")
          yield* run(async () => {
            await page.route("**/steering-reply", (route) => route.abort())
            await page.fill(BOX, "Blue.")
            await page.click(".answer button")
            await page.waitForSelector("#notice.error >> text=What you typed is still here.")
          })
          assert.strictEqual(yield* run(() => page.locator(".problem").count()), 0)
          yield* refreshed(page)
          yield* run(() => page.waitForSelector("#notice:not(.error) >> text=Symphony answers again."))
          assert.strictEqual(yield* run(() => page.inputValue(BOX)), "Blue.")
          yield* run(async () => {
            await page.goto(`${new URL(page.url()).origin}/issues/DEMO-2`)
            await page.route("**/stop", (route) => route.abort())
            await page.click("text=Stop")
            await page.waitForSelector("#notice.error >> text=Symphony does not answer.")
          })
          assert.notInclude(yield* run(() => page.locator("#notice").innerText()), "typed")
        }).pipe(Effect.provide(server({ board: asking })))
    )

    it.effect(
      "words for a question that was answered elsewhere are kept, and count as nobody who waits",
      () =>
        Effect.gen(function* () {
          const { page } = yield* visit("/")
          const editor = yield* BoardEditor
          const posts = postsOf(page)
          assert.strictEqual(yield* run(() => page.title()), "(1) symphony")
          yield* run(async () => {
            await page.locator(BOX).pressSequentially("Because of this")
            await page.keyboard.press("ArrowLeft")
            await page.keyboard.press("ArrowLeft")
          })
          yield* editor.set(answered)
          yield* run(() => page.waitForSelector("text=answered or withdrawn meanwhile"))
          assert.strictEqual(yield* run(() => page.title()), "symphony")
          assert.strictEqual(yield* run(() => page.locator("text=Needs you").count()), 0)
          yield* run(async () => {
            await page.keyboard.type("at th")
            await page.keyboard.press("Enter")
          })
          yield* refreshed(page)
          assert.strictEqual(yield* run(() => page.inputValue(BOX)), "Because of that th\nis")
          assert.isTrue(yield* run(() => page.locator(".answer button").isDisabled()))
          assert.deepStrictEqual(posts, [])
        }).pipe(Effect.provide(server({ board: asking })))
    )

    it.effect("nothing is said to be wrong with a stop that a person is asked about first", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/issues/DEMO-2")
        yield* run(async () => {
          await page.evaluate(`(() => {
            window.said = []
            new MutationObserver(() => window.said.push(document.getElementById("notice").textContent))
              .observe(document.getElementById("notice"), { childList: true })
          })()`)
          await page.route("**/stop", (route) =>
            // The page stays to be looked at.
            route.request().isNavigationRequest() ? route.fulfill({ status: 204 }) : route.continue()
          )
          const answered = page.waitForRequest((request) => request.isNavigationRequest())
          await page.click("text=Stop")
          await answered
        })
        assert.deepStrictEqual(yield* run(() => page.evaluate("window.said")), [])
      }).pipe(Effect.provide(server({ board: running, work: Effect.succeed(loginWork) })))
    )

    it.effect("words for a question that is open again can be sent", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        const editor = yield* BoardEditor
        yield* run(() => page.fill(BOX, "Blue."))
        yield* editor.set(answered)
        yield* run(() => page.waitForSelector("text=answered or withdrawn meanwhile"))
        yield* editor.set(asking)
        yield* run(() => page.waitForSelector("text=answered or withdrawn meanwhile", { state: "detached" }))
        yield* until(page, "document.title === '(1) symphony'")
        assert.strictEqual(yield* run(() => page.locator(BOX).count()), 1)
        yield* run(async () => {
          await page.press(BOX, "Enter")
          await page.waitForSelector("#notice >> text=Sent.")
        })
        assert.deepStrictEqual(yield* commands, ["Answer"])
      }).pipe(Effect.provide(server({ board: asking })))
    )

    it.effect(
      "what was typed on the page of an issue that is gone can be read, and sent once it is back",
      () =>
        Effect.gen(function* () {
          const { page } = yield* visit("/issues/DEMO-1")
          const editor = yield* BoardEditor
          const posts = postsOf(page)
          yield* run(() => page.fill(BOX, "Blue, because"))
          yield* editor.set(running)
          yield* run(() => page.waitForSelector("text=no longer there"))
          yield* refreshed(page)
          assert.strictEqual(yield* run(() => page.locator("text=no longer there").count()), 1)
          assert.isTrue(yield* run(() => page.locator(BOX).isEditable()))
          assert.isTrue(yield* run(() => page.locator(".answer button").isDisabled()))
          yield* run(() => page.press(BOX, "Enter"))
          yield* refreshed(page)
          assert.deepStrictEqual(posts, [])
          assert.strictEqual(yield* run(() => page.inputValue(BOX)), "Blue, because")
          yield* editor.set(asking)
          yield* run(async () => {
            await page.waitForSelector("text=no longer there", { state: "detached" })
            await page.press(BOX, "Enter")
            await page.waitForSelector("#notice >> text=Sent.")
          })
          assert.deepStrictEqual(yield* commands, ["Answer"])
        }).pipe(Effect.provide(server({ board: asking })))
    )

    it.effect("a says so where there is no question to answer, as other keys do", () =>
      Effect.gen(function* () {
        const { page } = yield* visit("/")
        yield* run(async () => {
          await page.keyboard.press("a")
          await page.waitForSelector("#notice >> text=Nothing here for a: answer the first question.")
        })
      }).pipe(Effect.provide(server({ board: running })))
    )
  })
})

/** Where a form is, to the pixel; null: nowhere. */
const placeOf = async (page: Page, form: string) => {
  const found = page.locator(form)
  if ((await found.count()) === 0) return null
  const { height, width, x, y } = (await found.boundingBox()) ?? { height: 0, width: 0, x: 0, y: 0 }
  return [x, y, width, height].map(Math.round)
}

import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { BoardEditor } from "../../src/board/MemoryBoard.ts"
import { askingIssue, board, boardIssue } from "../http/boards.ts"
import { server } from "../http/support.ts"
import { hasChromium } from "../support/capabilities.ts"
import { Chromium, run, visit } from "./browser.ts"

const calm = board([boardIssue("DEMO-1")])
const titled = (title: string) => board([boardIssue("DEMO-1", { title })])

/** Loaded anew, and has asked for the stream of changes. */
const reloaded = (page: Page) =>
  run(async () => {
    const asked = page.waitForRequest("**/api/v1/events")
    await page.reload()
    await asked
  })

describe.skipIf(!hasChromium("windows of one browser"))("windows of one browser", () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    it.effect("more windows than a browser has connections follow the changes, all by one stream", () =>
      Effect.gen(function* () {
        const { context, page: first } = yield* visit("/")
        const editor = yield* BoardEditor
        yield* reloaded(first)
        let streams = 0
        context.on("request", (request) => {
          if (request.url().endsWith("/api/v1/events")) streams += 1
        })
        const others = yield* Effect.forEach([2, 3, 4, 5, 6, 7, 8], () =>
          run(async () => {
            const page = await context.newPage()
            await page.goto(first.url())
            return page
          })
        )
        yield* editor.set(titled("Told to all"))
        yield* Effect.forEach([first, ...others], (page) =>
          run(() => page.waitForSelector("text=Told to all"))
        )
        assert.strictEqual(streams, 0, "the first window has the only stream")

        // The next one takes over.
        yield* run(async () => {
          const taken = context.waitForEvent("request", (request) => request.url().endsWith("/events"))
          await first.close()
          await taken
        })
        yield* editor.set(board([askingIssue("DEMO-1")]))
        yield* Effect.forEach(others, (page) => run(() => page.waitForSelector(".ask")))
        assert.strictEqual(streams, 1)
        for (const page of others) assert.isTrue(yield* run(() => page.locator("#stale").isHidden()))
      }).pipe(Effect.provide(server({ board: calm })))
    )

    it.effect("a window follows the changes on its own where its browser cannot share a stream", () =>
      Effect.gen(function* () {
        const { context, page } = yield* visit("/")
        const editor = yield* BoardEditor
        yield* run(() =>
          context.addInitScript("Object.defineProperty(navigator, 'locks', { value: undefined })")
        )
        yield* reloaded(page)
        yield* editor.set(titled("Told to one"))
        yield* run(() => page.waitForSelector("text=Told to one"))
      }).pipe(Effect.provide(server({ board: calm })))
    )
  })
})

import { mkdirSync } from "node:fs"
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { server } from "../http/support.ts"
import { hasChromium } from "../support/capabilities.ts"
import { Chromium, DESKTOP, PHONE, run, violations, visit } from "./browser.ts"
import { busyBoard, loginDiff, loginWork, talk } from "./scenes.ts"

/** Where pictures of each page go; none are taken without it. `docs/screenshots` holds the last that were kept. */
const folder = process.env["SYMPHONY_SCREENSHOTS"]

const pages = [
  ["home", "/"],
  ["issues", "/issues"],
  ["keys", "/keys"],
  ["issue", "/issues/WEB-7"],
  ["transcript", "/issues/WEB-7/runs/r1-7"],
  ["diff", "/issues/WEB-7/diff"],
  ["commit", "/issues/WEB-7/diff?commit=4f1c2d3e4b5a69788796a5b4c3d2e1f001122334"],
  ["work", "/issues/WEB-4/work"],
  ["stop", "/issues/WEB-4/stop"],
  ["finish", "/issues/WEB-4/move?to=Done"],
  ["discard", "/issues/WEB-33/move?to=Done"]
] as const

const looks = [
  ["desktop", DESKTOP, "light"],
  ["desktop", DESKTOP, "dark"],
  ["phone", PHONE, "light"],
  ["phone", PHONE, "dark"]
] as const

describe.skipIf(!hasChromium("pages in a browser"))("each page", () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    for (const [name, path] of pages) {
      it.effect(`${name}: keeps nobody out and does not scroll sideways, wide or narrow, light or dark`, () =>
        Effect.gen(function* () {
          yield* talk(120)
          const { complaints, foreign, page } = yield* visit(path)
          for (const [screen, size, colorScheme] of looks) {
            yield* run(async () => {
              await page.setViewportSize(size)
              await page.emulateMedia({ colorScheme, reducedMotion: "reduce" })
            })
            assert.isFalse(
              yield* run(() =>
                page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
              ),
              `scrolls sideways on a ${screen}`
            )
            assert.deepStrictEqual(yield* violations(page), [], `${screen}, ${colorScheme}`)
            if (folder !== undefined) {
              mkdirSync(folder, { recursive: true })
              yield* run(() => page.screenshot({ path: `${folder}/${name}-${screen}-${colorScheme}.png` }))
            }
          }
          assert.deepStrictEqual(foreign, [])
          // The sign-in page answers 401, and the browser says so.
          assert.deepStrictEqual(
            complaints.filter((text) => !text.includes("401")),
            []
          )
        }).pipe(
          Effect.provide(server({ board: busyBoard, diff: loginDiff, work: Effect.succeed(loginWork) }))
        )
      )
    }
  })
})

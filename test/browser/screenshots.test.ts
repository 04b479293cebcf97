import { mkdirSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { board } from "../http/boards.ts"
import { server } from "../http/support.ts"
import { hasChromium } from "../support/capabilities.ts"
import { Chromium, DESKTOP, PHONE, run, violations, visit } from "./browser.ts"
import { busyBoard } from "./scenes.ts"

const folder = process.env["SYMPHONY_SCREENSHOTS"]

const pages = [
  ["home", "/"],
  ["issues", "/issues"],
  ["issue", "/issues/WEB-7"]
] as const

describe.skipIf(!hasChromium("screenshots"))("each page", () => {
  for (const [name, path] of pages) {
    for (const [screen, size] of [
      ["desktop", DESKTOP],
      ["phone", PHONE]
    ] as const) {
      for (const colorScheme of ["light", "dark"] as const) {
        it.live(`${name} on a ${screen}, ${colorScheme}: nothing that keeps people out`, () =>
          Effect.gen(function* () {
            const { complaints, foreign, page } = yield* visit(path, size, { colorScheme })
            if (folder !== undefined) {
              mkdirSync(folder, { recursive: true })
              yield* run(() => page.screenshot({ path: `${folder}/${name}-${screen}-${colorScheme}.png` }))
            }
            const overflow = yield* run(() =>
              page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            )
            assert.isFalse(overflow, "scrolls sideways")
            assert.deepStrictEqual(yield* violations(page), [])
            assert.deepStrictEqual(foreign, [])
            assert.deepStrictEqual(
              complaints.filter((text) => !text.includes("401")),
              []
            )
          }).pipe(Effect.provide(Layer.merge(server({ board: busyBoard }), Chromium.layer)))
        )
      }
    }
  }
})
void board

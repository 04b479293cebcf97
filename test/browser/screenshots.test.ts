import { mkdirSync } from "node:fs"
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { server } from "../http/support.ts"
import { hasChromium } from "../support/capabilities.ts"
import { Chromium, DESKTOP, PHONE, run, violations, visit } from "./browser.ts"
import { busyBoard, loginDiff, talk } from "./scenes.ts"

const folder = process.env["SYMPHONY_SCREENSHOTS"]

const pages = [
  ["home", "/"],
  ["issues", "/issues"],
  ["transcript", "/issues/WEB-7/runs/r1-7"],
  ["diff", "/issues/WEB-7/diff"],
  ["stop", "/issues/WEB-7/stop"],
  ["issue", "/issues/WEB-7"]
] as const

describe.skipIf(!hasChromium("screenshots"))("each page", () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    for (const [name, path] of pages) {
      for (const [screen, size] of [
        ["desktop", DESKTOP],
        ["phone", PHONE]
      ] as const) {
        for (const colorScheme of ["light", "dark"] as const) {
          it.effect(`${name} on a ${screen}, ${colorScheme}: nothing that keeps people out`, () =>
            Effect.gen(function* () {
              yield* talk(120)
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
            }).pipe(Effect.provide(server({ board: busyBoard, diff: loginDiff })))
          )
        }
      }
    }
  })
})

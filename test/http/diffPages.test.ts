import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { pagesOf } from "../../src/http/dashboard/diffPages.ts"
import type { DiffFile, DiffLine } from "../../src/http/dashboard/unifiedDiff.ts"
import { loginDiff, LOGIN } from "../browser/scenes.ts"
import { board } from "./boards.ts"
import { sendAuthorized, server } from "./support.ts"

const line = (text: string, n: number): DiffLine => ({ kind: "added", old: null, new: n + 1, text })
const file = (path: string, texts: ReadonlyArray<string>): DiffFile => ({
  path,
  added: texts.length,
  removed: 0,
  lines: texts.map(line)
})

describe("the pages of a diff", () => {
  it("hold every line once and in order, and each holds something", () => {
    const anyFile = fc
      .tuple(fc.string(), fc.array(fc.string({ maxLength: 4000 }), { maxLength: 50 }))
      .map(([path, texts]) => file(path, texts))
    fc.assert(
      fc.property(fc.array(anyFile, { minLength: 1, maxLength: 8 }), (files) => {
        const parts = pagesOf(files).flat()
        assert.deepStrictEqual(
          parts.flatMap(({ lines }) => lines),
          files.flatMap(({ lines }) => lines)
        )
        assert.isTrue(pagesOf(files).every((page) => page.length > 0))
        for (const { before, file, lines } of parts) {
          assert.deepStrictEqual(file.lines.slice(before, before + lines.length), lines)
        }
      })
    )
  })

  it("begin with what people write; what tools write comes last", () => {
    const files = ["package-lock.json", "src/a.ts", "sub/go.sum", "z.ts"].map((path) => file(path, ["x"]))
    assert.deepStrictEqual(
      pagesOf(files)
        .flat()
        .map((part) => part.file.path),
      ["src/a.ts", "z.ts", "package-lock.json", "sub/go.sum"]
    )
  })

  it.live(
    "are each within 100 kB, whatever an agent commits, with what is dangerous on top of every one",
    () =>
      Effect.gen(function* () {
        let seen = 0
        for (let page = 1, more = true; more; page++) {
          const html = yield* (yield* sendAuthorized("GET", `/issues/WEB-7/diff?page=${page}`)).text
          assert.isAtMost(Buffer.byteLength(html), 100_000, `page ${page}`)
          assert.include(html, "continuous integration: .github/workflows/test.yml")
          seen += html.match(/<tr class="added">/g)?.length ?? 0
          more = html.includes("Go on")
        }
        assert.strictEqual(seen, 3000 + 300 + 40)
      }).pipe(
        Effect.provide(
          server({
            board: board([LOGIN]),
            diff: {
              ...loginDiff,
              summary: "s".repeat(20_000),
              commits: Array.from({ length: 2000 }, (_, n) => ({
                id: String(n).padStart(40, "0"),
                subject: "&".repeat(120),
                author: "&".repeat(80)
              })),
              patch: [
                ["many.txt", 3000, "const value = compute(other)"],
                ["dense.txt", 300, '<&">'.repeat(300)],
                ["hidden.txt", 40, "\u202E".repeat(2000)]
              ]
                .map(
                  ([name, count, text]) =>
                    `diff --git a/${name} b/${name}\n--- /dev/null\n+++ b/${name}\n@@ -0,0 +1,${count} @@\n${`+${text}\n`.repeat(Number(count))}`
                )
                .join("")
            }
          })
        )
      )
  )
})

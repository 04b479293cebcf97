import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { parseDiff } from "../../src/http/dashboard/unifiedDiff.ts"

const PATCH = `diff --git a/a.txt b/a.txt
index 1111111..2222222 100644
--- a/a.txt
+++ b/a.txt
@@ -3,3 +3,3 @@ heading
 same
-old
+new
 end
diff --git a/new file.txt b/new file.txt
new file mode 100644
index 0000000..3333333
--- /dev/null
+++ b/new file.txt
@@ -0,0 +1 @@
+only
\\ No newline at end of file
`

describe("a diff", () => {
  it("is read file by file, with the numbers of its lines", () => {
    const [first, second] = parseDiff(PATCH)
    assert.deepInclude(first, { path: "a.txt", added: 1, removed: 1 })
    assert.deepStrictEqual(
      first?.lines.slice(1).map((line) => [line.kind, line.old, line.new, line.text]),
      [
        ["context", 3, 3, "same"],
        ["removed", 4, null, "old"],
        ["added", null, 4, "new"],
        ["context", 5, 5, "end"]
      ]
    )
    assert.deepInclude(second, { path: "new file.txt", added: 1, removed: 0 })
    assert.strictEqual(second?.lines.at(-1)?.kind, "note")
  })

  it("is not misled by lines that look like headers", () => {
    const lines = ["-- a/evil", "diff --git a/x b/x", "@@ -1 +1 @@", "++ b/evil"]
    const [file, ...others] = parseDiff(
      `diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,4 +1,4 @@\n${lines.map((line) => `-${line}`).join("\n")}\n${lines
        .map((line) => `+${line}`)
        .join("\n")}\n`
    )
    assert.deepStrictEqual(others, [])
    assert.deepInclude(file, { path: "a", added: 4, removed: 4 })
  })

  it("never fails, and invents nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (lines) => {
        const patch = lines.join("\n")
        for (const file of parseDiff(patch)) {
          for (const { text } of file.lines) assert.include(patch, text)
        }
      })
    )
  })
})

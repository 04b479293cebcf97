import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { Handoff } from "../../src/handoff/Handoff.ts"
import { safeMessage, sameMessage } from "../../src/handoff/messages.ts"
import { cleanClone, commit, git, treeOf } from "../support/repository.ts"
import { handoff, world } from "./environment.ts"

const ordinary = [
  "Say hello\n",
  "Say hello\n\nBecause nobody heard.\n\n- one\n- two\n",
  "Fix #12: don't crash (really)\n\nCo-authored-by: Bob <bob@example.test>\n",
  `Grüße ${"sehr ".repeat(40)}lang \u{1F600}\n\n\tindented\n  too\n`
]

/** Pieces that a mail reader takes for something. */
const pieces = fc.constantFrom(
  "---",
  "--- a/x",
  "diff --git a/x b/x\nnew file mode 100644\nindex 0000000..ce01362\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+hello",
  "From: Root <root@example.test>",
  "From abc Mon Sep 17 00:00:00 2001",
  ">From me",
  "Subject: another",
  "[x] y",
  "[PATCH 1/2] z",
  "Re: re: hello",
  ": colon",
  "-- >8 --",
  "8< ----",
  "Index: x",
  "\u001b[2J",
  "\u202Ertl",
  "a\r\nb",
  "trailing   ",
  "  leading",
  "",
  "",
  "words and more words",
  "ünïcödé",
  "=?UTF-8?q?=41?=",
  "# comment",
  "\tTab",
  "Date: Thu, 1 Jan 1970 00:00:00 +0000"
)
const message = fc
  .array(fc.oneof(pieces, fc.string({ maxLength: 20 })), { maxLength: 7 })
  .map((lines) => lines.join("\n"))

describe("a commit message", () => {
  it("that is ordinary stays as it is", () => {
    for (const text of ordinary) assert.strictEqual(safeMessage(text), text)
  })

  it("that was made safe is its own safe form", () => {
    fc.assert(fc.property(message, (text) => sameMessage(safeMessage(safeMessage(text)), safeMessage(text))))
  })

  const samples = fc.sample(fc.array(message, { minLength: 1, maxLength: 12 }), {
    numRuns: 8,
    seed: 20260102
  })
  for (const [round, messages] of samples.entries())
    it.live(`comes through as it is, or is rewritten with a note (${round})`, () =>
      Effect.gen(function* () {
        const { root, source, workspace, request } = yield* world()
        const ids = messages.map((text, index) =>
          commit(workspace, text.replaceAll("\0", ""), { [`file-${index % 3}.txt`]: `${round} ${index}\n` })
        )
        const exported = yield* (yield* Handoff).exportRun(request)
        const clone = cleanClone(source, path.join(root, "clone"))
        git(clone, ["am", "-q", exported.patch ?? ""])
        assert.strictEqual(treeOf(clone), treeOf(workspace))
        const flags = exported.flags.map(({ detail }) => detail).join("\n")
        const [got, want] = [clone, workspace].map((repository) =>
          git(repository, ["log", "--reverse", "--format=%B%x00", `-${ids.length}`]).split("\0\n")
        )
        for (const [index, id] of ids.entries()) {
          const same = sameMessage(got?.[index] ?? "", want?.[index] ?? "")
          assert.strictEqual(
            !same,
            flags.includes(id.slice(0, 12)),
            `${JSON.stringify(messages[index])} became ${JSON.stringify(got?.[index])}`
          )
        }
      }).pipe(Effect.provide(handoff))
    )
})

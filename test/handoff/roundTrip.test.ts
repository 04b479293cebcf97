import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { Handoff } from "../../src/handoff/Handoff.ts"
import { quotedPrintable } from "../../src/handoff/mbox.ts"
import { ada, bob, cleanClone, commit, git, treeOf, writeFiles, type Files } from "../support/repository.ts"
import { handoff, world } from "./environment.ts"

const line = fc.constantFrom(
  "one",
  "two = 2",
  "",
  "  ",
  "trailing  ",
  "-- ",
  "---",
  "From x",
  "@@ -1 +1 @@",
  "ä=3D",
  "\\ No newline"
)
const text = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom("\n", "\r\n"), fc.boolean())
  .map(([lines, end, closed]) => lines.join(end) + (closed ? end : ""))
const content = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constant({ link: "README.md" }) }
)
const name = fc.constantFrom(
  "a.txt",
  "b.txt",
  "dir one/c.txt",
  'q"uote.txt',
  "ünï.txt",
  "-dash",
  "_under.txt"
)
const commits = fc.array(
  fc.record({
    author: fc.constantFrom(ada, bob, {
      name: 'Eve "the" O\'Neil, Jr.',
      email: "eve@example.test",
      date: "2026-03-04T05:06:07+0545"
    }),
    files: fc.dictionary(name, content, { maxKeys: 4 }),
    executable: fc.boolean()
  }),
  { minLength: 1, maxLength: 8 }
)

describe("random repositories", () => {
  for (const [round, history] of fc.sample(commits, { numRuns: 8, seed: 20260203 }).entries())
    it.live(`come out of the patch as they went in: tree, authors, dates and count (${round})`, () =>
      Effect.gen(function* () {
        const { root, source, workspace, request } = yield* world()
        const base = git(workspace, ["rev-parse", "HEAD"]).trim()
        for (const [index, { author, files, executable }] of history.entries()) {
          writeFiles(workspace, { "count.txt": `${round} ${index}\n` })
          fs.chmodSync(path.join(workspace, "count.txt"), executable ? 0o755 : 0o644)
          commit(workspace, `Commit ${index}\n`, files as Files, author)
        }
        const exported = yield* (yield* Handoff).exportRun(request)
        const clone = cleanClone(source, path.join(root, "clone"))
        git(clone, ["am", "-q", exported.patch ?? ""])
        assert.strictEqual(treeOf(clone), treeOf(workspace))
        const log = ["log", "--format=%an <%ae> %ad %s %T", "--date=raw", `${base}..HEAD`]
        assert.strictEqual(git(clone, log), git(workspace, log))
      }).pipe(Effect.provide(handoff))
    )

  it("whose mails hold no carriage return travel byte for byte", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const plain = bytes.filter((byte) => byte !== 13)
        assert.deepEqual(quotedPrintable(plain), plain)
      })
    )
  })
})

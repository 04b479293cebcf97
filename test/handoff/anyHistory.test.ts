import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { Handoff } from "../../src/handoff/Handoff.ts"
import { sameMessage } from "../../src/handoff/messages.ts"
import { ada, bob, cleanClone, commit, git, treeOf, writeFiles } from "../support/repository.ts"
import { handoff, world } from "./environment.ts"

const message = fc
  .array(
    fc.constantFrom(
      "Say",
      "---",
      "diff --git a/x b/x",
      "From: Root <r@example.test>",
      "",
      "",
      "Grüße",
      "a\u001b[2J",
      "[x] y"
    ),
    { maxLength: 5 }
  )
  .map((lines) => lines.join("\n"))
const content = fc.constantFrom("one\n", "two\r\nthree\r\n", "Grüße\n", "no end", "$Id$\n", "\0binary")
const attributes = fc.constantFrom(
  "*.txt text eol=crlf\n",
  "* -text\n",
  "*.txt ident\n",
  "*.txt export-subst\n",
  "*.txt -diff\n"
)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      message,
      author: fc.constantFrom(ada, bob),
      name: fc.constantFrom("a.txt", "b.txt", "dir/c.txt"),
      content
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("attributes" as const), content: attributes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("merge" as const), message }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("signed" as const), message }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("latin1" as const) }) }
)

/** As `git commit -S` makes it; nothing on the way looks at whether the signature is one. */
const sign = (workspace: string, text: string): void => {
  commit(workspace, text, { "signed.txt": text })
  const plain = git(workspace, ["cat-file", "commit", "HEAD"])
  const [headers = "", ...body] = plain.split("\n\n")
  const signature = "gpgsig -----BEGIN SSH SIGNATURE-----\n U1NIU0lH\n -----END SSH SIGNATURE-----"
  const signed = git(workspace, ["hash-object", "-t", "commit", "-w", "--stdin"], {
    input: `${headers}\n${signature}\n\n${body.join("\n\n")}`
  })
  git(workspace, ["reset", "-q", "--soft", signed.trim()])
}

const perform = (
  workspace: string,
  index: number,
  it: typeof step extends fc.Arbitrary<infer A> ? A : never
) => {
  // Each changes something, so that no commit is an empty one.
  writeFiles(workspace, { "count.bin": `${index}\n` })
  switch (it.kind) {
    case "commit":
      return commit(workspace, it.message, { [it.name]: it.content }, it.author)
    case "attributes":
      return commit(workspace, "Attributes\n", { ".gitattributes": it.content })
    case "signed":
      return sign(workspace, `Signed ${index}\n\n${it.message}`)
    case "latin1":
      git(workspace, ["add", "-A"])
      return git(workspace, ["-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "-F", "-"], {
        input: Buffer.from("Gr\xfc\xdfe\n\nK\xf6ln\n", "latin1")
      })
    case "merge": {
      commit(workspace, "Before\n", {})
      const branch = git(workspace, ["rev-parse", "--abbrev-ref", "HEAD"]).trim()
      git(workspace, ["checkout", "-q", "-b", `side-${index}`, "HEAD~1"])
      commit(workspace, "Side\n", { [`side-${index}.txt`]: "side\n" })
      git(workspace, ["checkout", "-q", branch])
      return git(workspace, ["merge", "-q", "--no-ff", "-m", `Merge ${it.message}`, `side-${index}`])
    }
  }
}

describe("any history with any messages", () => {
  const histories = fc.sample(fc.array(step, { minLength: 1, maxLength: 6 }), { numRuns: 8, seed: 20260406 })
  for (const [round, steps] of histories.entries())
    it.live(`is handed over as it is, with a note of what is not, or refused (${round})`, () =>
      Effect.gen(function* () {
        const { root, source, workspace, branch, request } = yield* world()
        for (const [index, each] of steps.entries()) perform(workspace, index, each)
        const service = yield* Handoff
        const outcome = yield* Effect.result(service.exportRun(request))
        if (outcome._tag === "Failure") return assert.strictEqual(outcome.failure.reason, "unverified")
        const exported = outcome.success
        const noted = (id: string) =>
          exported.flags.some(
            ({ kind, detail }) => kind === "message_rewritten" && detail.includes(id.slice(0, 12))
          )
        const log = (folder: string, range: string) =>
          git(folder, [
            "log",
            "--reverse",
            "--no-merges",
            "--topo-order",
            "--format=%H%x00%an <%ae> %ad%x00%B%x00%x00",
            "--date=raw",
            range
          ])
            .split("\0\0\n")
            .slice(0, -1)
            .map((record) => record.split("\0"))

        const bundled = cleanClone(source, path.join(root, "bundled"))
        git(bundled, ["fetch", "-q", exported.bundle ?? "", `${branch}:${branch}`])
        assert.strictEqual(treeOf(bundled, branch), treeOf(workspace))
        const originals = log(workspace, "main..HEAD")
        if (!originals.some(([id = ""]) => noted(id)) && exported.head !== null) {
          const merges = git(workspace, ["rev-list", "--merges", "main..HEAD"]).split("\n").filter(noted)
          if (merges.length === 0) {
            assert.strictEqual(git(bundled, ["rev-parse", branch]), git(workspace, ["rev-parse", "HEAD"]))
          }
        }

        const clone = cleanClone(source, path.join(root, "clone"))
        git(clone, ["am", "-q", exported.patch ?? ""])
        assert.strictEqual(treeOf(clone), treeOf(workspace))
        const applied = log(clone, "origin/main..HEAD")
        assert.strictEqual(applied.length, originals.length)
        const people = (commits: typeof applied) => commits.map(([, person]) => person).toSorted()
        assert.deepEqual(people(applied), people(originals))
        for (const [id = "", person, text = ""] of originals) {
          const isThere = applied.some(([, other, its = ""]) => other === person && sameMessage(its, text))
          assert.isTrue(isThere || noted(id), `${JSON.stringify(text)} is altered without a note`)
        }
      }).pipe(Effect.provide(handoff))
    )
})

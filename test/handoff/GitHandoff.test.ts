import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Handoff } from "../../src/handoff/Handoff.ts"
import { bob, cleanClone, commit, git, treeOf } from "../support/repository.ts"
import { handoff, world } from "./environment.ts"

describe("handing off a run", () => {
  it.live("gives a patch that plain git am applies to a clean clone: same tree, authors and count", () =>
    Effect.gen(function* () {
      const { root, source, workspace, request } = yield* world()
      commit(workspace, "Say hello\n", { "hello.txt": "hello\n" })
      commit(workspace, "Say it louder\n\nBecause nobody heard.\n", { "hello.txt": "HELLO\n" }, bob)
      const service = yield* Handoff
      assert.strictEqual(yield* service.verify(request), "verified")
      const exported = yield* service.exportRun(request)
      assert.strictEqual(exported.verdict, "verified")
      assert.strictEqual(exported.commits, 2)
      assert.deepEqual(exported.flags, [])
      const clone = cleanClone(source, path.join(root, "clone"))
      git(clone, ["am", "-q", exported.patch ?? ""])
      assert.strictEqual(treeOf(clone), treeOf(workspace))
      const format = ["log", "--format=%an %ae %ai %B", "-2"]
      assert.strictEqual(git(clone, format), git(workspace, format))
      assert.include(fs.readFileSync(exported.report, "utf8"), "git am")
    }).pipe(Effect.provide(handoff))
  )
})

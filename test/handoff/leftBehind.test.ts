import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Handoff } from "../../src/handoff/Handoff.ts"
import { commit, git, writeFiles, type Files } from "../support/repository.ts"
import { handoff, world, type World } from "./environment.ts"

const MIB = 1024 * 1024
const base: Files = { "README.md": "# A project\n", "run.sh": "#!/bin/sh\n", link: { link: "README.md" } }

/** What an agent is told, and what a reviewer is told if it ends there. */
const judged = (prepare: (world: World) => void, files: Files = base) =>
  Effect.gen(function* () {
    const here = yield* world(files)
    prepare(here)
    const service = yield* Handoff
    const verdict = yield* Effect.match(service.verify(here.request), {
      onFailure: (error) => `${error.code}: ${error.detail}`,
      onSuccess: (verified) => verified
    })
    const { flags } = yield* service.exportRun(here.request)
    return {
      ...here,
      verdict,
      flags: flags.map(({ kind, detail }) => `${kind}: ${detail}`).join("\n"),
      rest: () => fs.readFileSync(path.join(here.patches, "agent_DEMO-1/uncommitted.patch"), "utf8")
    }
  })

const work = ({ workspace }: World): void => {
  commit(workspace, "Say hello\n", { "hello.txt": "hello\n" })
}

describe("work that is not in the commits", () => {
  it.live("is not lost where it is too large to be captured", () =>
    Effect.gen(function* () {
      const large = { "big.bin": Buffer.alloc(20 * MIB, 1) }
      for (const isCommitted of [false, true]) {
        const { verdict, flags } = yield* judged((here) => {
          if (isCommitted) work(here)
          writeFiles(here.workspace, large)
        })
        assert.match(verdict, /^dirty: .*big\.bin/)
        assert.match(flags, /^left_out: .*big\.bin/m)
      }
      const tracked = yield* judged((here) => {
        work(here)
        writeFiles(here.workspace, { "README.md": Buffer.alloc(20 * MIB, 65) })
      })
      assert.match(tracked.verdict, /^dirty: .*README\.md/)
    }).pipe(Effect.provide(handoff))
  )

  it.live("may be large in the commits: what is as it was committed is not left out", () =>
    Effect.gen(function* () {
      const { verdict, flags } = yield* judged(
        (here) => {
          work(here)
        },
        { ...base, "big.bin": Buffer.alloc(20 * MIB, 1) }
      )
      assert.deepEqual([verdict, flags], ["verified", ""])
    }).pipe(Effect.provide(handoff))
  )

  it.live("is named where a stash or another branch has it, and is no analysis", () =>
    Effect.gen(function* () {
      const elsewhere = ({ workspace, branch }: World): void => {
        git(workspace, ["checkout", "-q", "-b", "idea"])
        commit(workspace, "Idea\n", { "idea.txt": "idea\n" })
        git(workspace, ["checkout", "-q", branch])
        writeFiles(workspace, { "README.md": "stashed\n" })
        git(workspace, ["stash", "-q"])
        git(workspace, ["pack-refs", "--all"])
      }
      const nothing = yield* judged(elsewhere)
      assert.match(nothing.verdict, /^dirty: .*branch idea has 1 commit .*the stash has/)
      const beside = yield* judged((here) => {
        elsewhere(here)
        work(here)
      })
      assert.strictEqual(beside.verdict, "verified")
      assert.match(beside.flags, /^left_out: elsewhere: branch idea has 1 commit that/m)
      assert.match(beside.flags, /^left_out: elsewhere: the stash has/m)
    }).pipe(Effect.provide(handoff))
  )

  it.live("is not a branch that was merged, nor the base", () =>
    Effect.gen(function* () {
      const { verdict, flags } = yield* judged(({ workspace, branch }) => {
        git(workspace, ["checkout", "-q", "-b", "part"])
        commit(workspace, "Part\n", { "part.txt": "part\n" })
        git(workspace, ["checkout", "-q", branch])
        git(workspace, ["merge", "-q", "--ff-only", "part"])
      })
      assert.deepEqual([verdict, flags], ["verified", ""])
    }).pipe(Effect.provide(handoff))
  )

  it.live("is seen in what became executable, and in a link that leads elsewhere", () =>
    Effect.gen(function* () {
      const mode = yield* judged((here) => {
        work(here)
        fs.chmodSync(path.join(here.workspace, "run.sh"), 0o755)
      })
      assert.match(mode.verdict, /^dirty: .*run\.sh/)
      assert.include(mode.rest(), "old mode 100644\nnew mode 100755")
      const link = yield* judged((here) => {
        work(here)
        writeFiles(here.workspace, { link: { link: "run.sh" } })
      })
      assert.match(link.verdict, /^dirty: .*link/)
      assert.match(link.flags, /^left_out: .*link/m)
      const untracked = yield* judged((here) => {
        work(here)
        writeFiles(here.workspace, { "new.sh": "#!/bin/sh\n" })
        fs.chmodSync(path.join(here.workspace, "new.sh"), 0o755)
      })
      assert.include(untracked.rest(), "new file mode 100755")
    }).pipe(Effect.provide(handoff))
  )

  it.live("is not a mode that the file system does not keep, nor what is no file", () =>
    Effect.gen(function* () {
      const { verdict, flags } = yield* judged((here) => {
        work(here)
        git(here.workspace, ["config", "core.fileMode", "false"])
        fs.chmodSync(path.join(here.workspace, "run.sh"), 0o755)
        fs.mkdirSync(path.join(here.workspace, ".symphony-runtime"))
        writeFiles(here.workspace, { ".symphony-runtime/memory.json": "{}" })
      })
      assert.deepEqual([verdict, flags], ["verified", ""])
    }).pipe(Effect.provide(handoff))
  )

  it.live("counts in folders that are called as symphony's own", () =>
    Effect.gen(function* () {
      const owned = { ...base, ".symphony/issues/a.md": "a\n", ".symphony-runtime/x": "x\n" }
      const clean = yield* judged(work, owned)
      assert.deepEqual([clean.verdict, clean.flags], ["verified", ""])
      const changed = yield* judged((here) => {
        work(here)
        writeFiles(here.workspace, { ".symphony/issues/a.md": "changed\n" })
      }, owned)
      assert.match(changed.verdict, /^dirty: .*\.symphony\/issues\/a\.md/)
      const untracked = yield* judged((here) => writeFiles(here.workspace, { ".symphony/new.md": "new\n" }))
      assert.match(untracked.verdict, /^dirty: .*\.symphony\/new\.md/)
    }).pipe(Effect.provide(handoff))
  )
})

describe("asking again and again", () => {
  it.live("leaves nothing in the quarantine until the work is handed over", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const service = yield* Handoff
      const quarantine = `${here.request.workflow.config.state.root}/quarantine`
      const size = () =>
        fs
          .readdirSync(quarantine, { recursive: true, encoding: "utf8" })
          .reduce((sum, name) => sum + fs.statSync(path.join(quarantine, name)).size, 0)
      yield* service.check(here.request.workflow)
      const before = size()
      for (let round = 0; round < 6; round += 1) {
        commit(here.workspace, `Round ${round}\n`, { "data.bin": randomBytes(MIB) })
        writeFiles(here.workspace, { "README.md": "not yet\n" })
        assert.strictEqual((yield* Effect.flip(service.verify(here.request))).code, "dirty")
        git(here.workspace, ["checkout", "-q", "README.md"])
      }
      assert.strictEqual(size(), before)
    }).pipe(Effect.provide(handoff))
  )

  it.live("gives the same once the base branch has the commits", () =>
    Effect.gen(function* () {
      const here = yield* world()
      work(here)
      const service = yield* Handoff
      const exported = yield* service.exportRun(here.request)
      git(here.source, ["fetch", "-q", here.workspace, here.branch])
      git(here.source, ["merge", "-q", "--ff-only", "FETCH_HEAD"])
      assert.deepEqual(yield* service.exportRun(here.request), exported)
    }).pipe(Effect.provide(handoff))
  )
})

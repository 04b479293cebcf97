import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { makeRunId } from "../../src/domain/ids.ts"
import { Handoff } from "../../src/handoff/Handoff.ts"
import { latestHandoffRecord, readHandoffRecord, requestOf } from "../../src/handoff/record.ts"
import { bob, cleanClone, commit, git, treeOf, writeFiles } from "../support/repository.ts"
import { handoff, handoffWith, world, type World } from "./environment.ts"

/** What a person has after `git am` of the patch on a clean clone. */
const applied = ({ root, source }: World, patch: string | null): string => {
  const clone = cleanClone(source, path.join(root, "clone"))
  git(clone, ["am", "-q", patch ?? "no patch"])
  return clone
}

const log = (repository: string, count: number): string =>
  git(repository, ["log", "--format=%an <%ae> %ai%n%B%T", `-${count}`])

const exportedFrom = (prepare: (world: World) => void) =>
  Effect.gen(function* () {
    const here = yield* world({ "README.md": "# A project\n", "lib/a.txt": "a\n" })
    prepare(here)
    const service = yield* Handoff
    return { ...here, exported: yield* service.exportRun(here.request) }
  })

const refusedFrom = (prepare: (world: World) => void) =>
  Effect.gen(function* () {
    const here = yield* world({ "README.md": "# A project\n", "lib/a.txt": "a\n" })
    prepare(here)
    const service = yield* Handoff
    return yield* Effect.flip(service.exportRun(here.request))
  })

describe("handing off a run", () => {
  it.live("gives a patch that plain git am applies to a clean clone: same tree, authors and count", () =>
    Effect.gen(function* () {
      const here = yield* exportedFrom(({ workspace }) => {
        commit(workspace, "Say hello\n", { "hello.txt": "hello\n" })
        commit(workspace, "Say it louder\n\nBecause nobody heard.\n", { "hello.txt": "HELLO\n" }, bob)
      })
      assert.deepInclude(here.exported, { verdict: "verified", commits: 2, flags: [] })
      const clone = applied(here, here.exported.patch)
      assert.strictEqual(treeOf(clone), treeOf(here.workspace))
      assert.strictEqual(log(clone, 2), log(here.workspace, 2))
    }).pipe(Effect.provide(handoff))
  )

  it.live("shows the change as it is in the quarantine", () =>
    Effect.gen(function* () {
      const { request } = yield* exportedFrom(({ workspace }) => {
        commit(workspace, "Say hello\n", { "hello.txt": "hello\n" })
      })
      const shown = yield* (yield* Handoff).diff(request.workflow, request.runId, null)
      assert.include(shown?.patch, "+++ b/hello.txt\n@@ -0,0 +1 @@\n+hello\n")
    }).pipe(Effect.provide(handoff))
  )

  it.live("gives a bundle that holds the very commits", () =>
    Effect.gen(function* () {
      const { root, source, workspace, branch, exported } = yield* exportedFrom(({ workspace }) => {
        commit(workspace, "Say hello\n", { "hello.txt": "hello\n" })
      })
      const clone = cleanClone(source, path.join(root, "clone"))
      git(clone, ["fetch", "-q", exported.bundle ?? "", `${branch}:${branch}`])
      assert.strictEqual(
        git(clone, ["rev-parse", branch]).trim(),
        git(workspace, ["rev-parse", "HEAD"]).trim()
      )
    }).pipe(Effect.provide(handoff))
  )

  it.live("writes the same files when it is asked again, also when the workspace is gone", () =>
    Effect.gen(function* () {
      const { workspace, patches, request, exported } = yield* exportedFrom(({ workspace }) => {
        commit(workspace, "Say hello\n", { "hello.txt": "hello\n" })
        writeFiles(workspace, { "notes.txt": "left\n" })
      })
      const snapshot = () =>
        fs
          .readdirSync(patches, { recursive: true, encoding: "utf8" })
          .toSorted()
          .filter((name) => fs.statSync(path.join(patches, name)).isFile())
          .map((name) => [name, fs.readFileSync(path.join(patches, name)).toString("base64")])
      const before = snapshot()
      fs.rmSync(workspace, { recursive: true })
      fs.rmSync(patches, { recursive: true })
      const record = yield* readHandoffRecord(request.workflow, request.runId)
      assert.isNotNull(record)
      if (record === null) return
      const service = yield* Handoff
      assert.deepEqual(yield* service.exportRun(requestOf(record, request.workflow)), exported)
      assert.deepEqual(snapshot(), before)
    }).pipe(Effect.provide(handoff))
  )

  it.live("removes what a killed process has left half done, and not what another one is doing", () =>
    Effect.gen(function* () {
      const here = yield* world()
      commit(here.workspace, "Say hello\n", { "hello.txt": "hello\n" })
      const quarantine = path.join(here.source, ".symphony/quarantine")
      const gone = spawnSync("true").pid
      const left = [`incoming-${gone}-a/repository.git/objects/ab`, `proof-${gone}-b/.git`]
      const others = [`incoming-${process.ppid}-c/repository.git`, "repository.git.aside"]
      for (const name of [...left, ...others]) fs.mkdirSync(path.join(quarantine, name), { recursive: true })
      yield* (yield* Handoff).exportRun(here.request)
      const names = others.map((name) => name.split("/")[0] ?? "")
      assert.sameMembers(fs.readdirSync(quarantine), [...names, "repository.git"])
    }).pipe(Effect.provide(handoff))
  )

  it.live("gives the whole of it when it is asked again after it died, wherever that was", () =>
    Effect.gen(function* () {
      const here = yield* world()
      commit(here.workspace, "Say hello\n", { "hello.txt": "hello\n" })
      writeFiles(here.workspace, { "notes.txt": "left\n" })
      const expected = yield* (yield* Handoff).exportRun(here.request)
      let commands = 0
      const dying = (nth: number, run: number) =>
        Effect.gen(function* () {
          const mortal = yield* Handoff
          return yield* Effect.exit(mortal.exportRun({ ...here.request, runId: makeRunId(2, run) }))
        }).pipe(
          Effect.provide(
            handoffWith({}, (n) => {
              commands = n
              return n === nth ? "after" : null
            }),
            { local: true }
          )
        )
      yield* dying(Infinity, 0)
      for (let nth = 1; nth <= commands; nth += 5) {
        assert.isTrue(Exit.isFailure(yield* dying(nth, nth)), `it did not die at ${nth}`)
        const runId = makeRunId(2, nth)
        const exported = yield* (yield* Handoff).exportRun({ ...here.request, runId })
        assert.deepEqual(exported, expected, `died at ${nth}`)
        const folders = fs.readdirSync(path.join(here.source, ".symphony/quarantine"))
        assert.deepEqual(folders, ["repository.git"])
      }
    }).pipe(Effect.provide(handoff))
  )

  it.live("is remembered from the moment it is asked for, so that it can be asked for again", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { workflow } = here.request
      const service = yield* Handoff
      commit(here.workspace, "Say hello\n", { "a\u001b[2J.txt": "hello\n" })
      yield* Effect.flip(service.exportRun(here.request))
      const newer = { ...here.request, runId: makeRunId(1, 10) }
      yield* Effect.flip(service.exportRun(newer))
      const record = yield* latestHandoffRecord(workflow, "DEMO-1")
      assert.deepInclude(record, { runId: newer.runId, title: "Greet the world", outcome: null })
      assert.isNull(yield* latestHandoffRecord(workflow, "DEMO-2"))
      assert.isNull(yield* service.diff(workflow, newer.runId, null))
    }).pipe(Effect.provide(handoff))
  )

  it.live("keeps to the commits of its run when a later run goes on in the workspace", () =>
    Effect.gen(function* () {
      const { workspace, request, exported } = yield* exportedFrom(({ workspace }) => {
        commit(workspace, "Say hello\n", { "hello.txt": "hello\n" })
      })
      commit(workspace, "Go on\n", { "more.txt": "more\n" })
      const service = yield* Handoff
      assert.deepEqual(yield* service.exportRun(request), exported)
      const later = yield* service.exportRun({ ...request, runId: makeRunId(1, 2) })
      assert.deepInclude(later, { commits: 2, patch: exported.patch })
    }).pipe(Effect.provide(handoff))
  )

  it.live("reads packed refs and packs as well as loose ones", () =>
    Effect.gen(function* () {
      const here = yield* exportedFrom(({ workspace }) => {
        for (const index of [1, 2, 3]) commit(workspace, `Commit ${index}\n`, { "count.txt": `${index}\n` })
        git(workspace, ["gc", "-q", "--aggressive", "--prune=now"])
        git(workspace, ["pack-refs", "--all"])
        assert.isFalse(fs.existsSync(path.join(workspace, ".git/refs/heads/agent/DEMO-1")))
      })
      assert.strictEqual(treeOf(applied(here, here.exported.patch)), treeOf(here.workspace))
    }).pipe(Effect.provide(handoff))
  )

  it.live("is an analysis when there is no commit, and keeps the summary", () =>
    Effect.gen(function* () {
      const { exported } = yield* exportedFrom(() => undefined)
      assert.deepInclude(exported, { verdict: "analysis", commits: 0, patch: null, bundle: null })
      assert.include(fs.readFileSync(exported.report, "utf8"), "Said hello.")
    }).pipe(Effect.provide(handoff))
  )

  it.live("captures what is not committed, without what is ignored", () =>
    Effect.gen(function* () {
      const { root, source, workspace, exported } = yield* exportedFrom(({ workspace }) => {
        commit(workspace, "Say hello\n", { "hello.txt": "hello\n", ".gitignore": "node_modules/\n*.log\n" })
        writeFiles(workspace, {
          "hello.txt": "changed\n",
          "lib/a.txt": null,
          "new/deep.txt": "new\n",
          "debug.log": "no\n",
          "node_modules/x/index.js": "no\n",
          ".venv/.gitignore": "*\n",
          ".venv/bin/python": "no\n",
          ".symphony-runtime/mark_done.md": "no\n"
        })
      })
      assert.deepEqual(
        exported.flags
          .filter(({ kind }) => kind !== "protected")
          .map(({ kind, detail }) => [kind, detail.split(": ")[1]]),
        [["uncommitted", "hello.txt, lib/a.txt, new/deep.txt"]]
      )
      const clone = applied({ root, source } as World, exported.patch)
      git(clone, ["apply", path.join(path.dirname(exported.report), "uncommitted.patch")])
      assert.strictEqual(fs.readFileSync(path.join(clone, "hello.txt"), "utf8"), "changed\n")
      assert.isFalse(fs.existsSync(path.join(clone, "lib/a.txt")))
      assert.deepEqual(fs.readdirSync(clone).toSorted(), [
        ".git",
        ".gitignore",
        "README.md",
        "hello.txt",
        "new"
      ])
      assert.strictEqual(git(workspace, ["status", "--porcelain"]).includes("new/"), true)
    }).pipe(Effect.provide(handoff))
  )

  it.live("takes what Git LFS keeps elsewhere for unchanged, and refuses to lose what it would keep", () =>
    Effect.gen(function* () {
      const content = "a large picture\n"
      const pointerTo = (text: string) =>
        `version https://git-lfs.github.com/spec/v1\noid sha256:${createHash("sha256").update(text).digest("hex")}\nsize ${text.length}\n`
      const here = yield* world({ "README.md": "# A project\n", "picture.png": pointerTo(content) })
      const service = yield* Handoff
      commit(here.workspace, "Say hello\n", { "hello.txt": "hello\n" })
      writeFiles(here.workspace, { "picture.png": content })
      assert.strictEqual(yield* service.verify(here.request), "verified")
      writeFiles(here.workspace, { "picture.png": "another picture\n" })
      assert.strictEqual((yield* Effect.flip(service.verify(here.request))).code, "dirty")
      commit(here.workspace, "Draw\n", { "picture.png": pointerTo("another picture\n") })
      const error = yield* Effect.flip(service.exportRun(here.request))
      assert.deepInclude(error, { reason: "unverified", code: "lfs" })
      assert.include(error.message, "picture.png")
    }).pipe(Effect.provide(handoff))
  )

  it.live("tells the agent, while it can still mend it, that it forgot to commit", () =>
    Effect.gen(function* () {
      const { workspace, request } = yield* world()
      const service = yield* Handoff
      writeFiles(workspace, { "hello.txt": "hello\n" })
      const nothing = yield* Effect.flip(service.verify(request))
      assert.deepInclude(nothing, { reason: "unverified", code: "dirty" })
      commit(workspace, "Say hello\n", {})
      assert.strictEqual(yield* service.verify(request), "verified")
      writeFiles(workspace, { "hello.txt": "louder\n" })
      const changed = yield* Effect.flip(service.verify(request))
      assert.include(changed.detail, "hello.txt")
    }).pipe(Effect.provide(handoff))
  )

  it.live("starts from the common commit when the base has moved on, and says so", () =>
    Effect.gen(function* () {
      const here = yield* exportedFrom(({ source, workspace }) => {
        commit(workspace, "Say hello\n", { "hello.txt": "hello\n" })
        commit(source, "Meanwhile\n", { "README.md": "# Another\n" })
      })
      assert.deepEqual(
        here.exported.flags.map(({ kind }) => kind),
        ["base_moved"]
      )
      assert.strictEqual(here.exported.commits, 1)
      applied(here, here.exported.patch)
    }).pipe(Effect.provide(handoff))
  )

  it.live("carries carriage returns, binary files, modes, renames and odd names", () =>
    Effect.gen(function* () {
      const odd = 'ä "quoted" name\u{1F600}.txt'
      const here = yield* exportedFrom(({ workspace }) => {
        commit(workspace, "Add\n", {
          "dos.txt": "one = 1\r\ntwo = ä \r\nlast",
          "bytes.bin": new Uint8Array([0, 1, 2, 255, 13, 10]),
          [odd]: "x\n",
          "run.sh": "#!/bin/sh\n",
          "from.txt": "From nobody Mon Sep 17 00:00:00 2001\n---\ndiff --git a/x b/x\n"
        })
        fs.chmodSync(path.join(workspace, "run.sh"), 0o755)
        commit(workspace, "Change\n", {
          "dos.txt": "one = 1\r\ntwo = 2\r\n",
          "lib/a.txt": null,
          "lib/b.txt": "a\n"
        })
      })
      assert.strictEqual(treeOf(applied(here, here.exported.patch)), treeOf(here.workspace))
    }).pipe(Effect.provide(handoff))
  )

  it.live("delivers a merge by the bundle, and in the series what a merge brought together", () =>
    Effect.gen(function* () {
      const here = yield* exportedFrom(({ workspace, branch }) => {
        git(workspace, ["checkout", "-q", "-b", "side"])
        commit(workspace, "Side\n", { "side.txt": "side\n" })
        git(workspace, ["checkout", "-q", branch])
        commit(workspace, "Main\n", { "main.txt": "main\n" })
        git(workspace, ["merge", "-q", "--no-ff", "-m", "Merge", "side"])
      })
      assert.deepEqual(
        here.exported.flags.map(({ kind }) => kind),
        ["bundle_only"]
      )
      assert.strictEqual(treeOf(applied(here, here.exported.patch)), treeOf(here.workspace))
    }).pipe(Effect.provide(handoff))
  )

  it.live("refuses a merge that holds work of its own: no series of patches carries it", () =>
    Effect.gen(function* () {
      const error = yield* refusedFrom(({ workspace, branch }) => {
        git(workspace, ["checkout", "-q", "-b", "side"])
        commit(workspace, "Side\n", { "lib/a.txt": "side\n" })
        git(workspace, ["checkout", "-q", branch])
        commit(workspace, "Main\n", { "main.txt": "main\n" })
        git(workspace, ["merge", "-q", "--no-ff", "--no-commit", "side"])
        commit(workspace, "Merge\n", { "only-in-the-merge.txt": "hidden\n" })
      })
      assert.deepInclude(error, { reason: "unverified", code: "merge_commits" })
    }).pipe(Effect.provide(handoff))
  )

  it.live("refuses commits that change nothing, a foreign history, and work on another branch", () =>
    Effect.gen(function* () {
      const empty = yield* refusedFrom(({ workspace }) => commit(workspace, "Nothing\n", {}))
      assert.deepInclude(empty, { reason: "unverified", code: "empty_diff" })
      const foreign = yield* refusedFrom(({ workspace, branch }) => {
        git(workspace, ["checkout", "-q", "--orphan", "new"])
        commit(workspace, "Alone\n", { "x.txt": "x\n" })
        git(workspace, ["branch", "-q", "-M", "new", branch])
      })
      assert.deepInclude(foreign, { reason: "unverified", code: "base_not_ancestor" })
      const elsewhere = yield* refusedFrom(({ workspace }) => {
        git(workspace, ["checkout", "-q", "-b", "mine"])
        commit(workspace, "Mine\n", { "x.txt": "x\n" })
      })
      assert.deepInclude(elsewhere, { reason: "unverified", code: "head_elsewhere" })
    }).pipe(Effect.provide(handoff))
  )

  it.live("says what is missing on the operator's side", () =>
    Effect.gen(function* () {
      const { request, root } = yield* world()
      const code = (env: Readonly<Record<string, string>>) =>
        Effect.gen(function* () {
          const service = yield* Handoff
          return (yield* Effect.flip(service.check(request.workflow))).code
        }).pipe(Effect.provide(handoffWith(env), { local: true }))
      assert.strictEqual(yield* code({ SYMPHONY_BASE_BRANCH: "nowhere" }), "no_base")
      assert.strictEqual(yield* code({ SYMPHONY_BASE_BRANCH: "--upload-pack=x" }), "base_name")
      assert.strictEqual(yield* code({ SYMPHONY_SOURCE_REPO: root }), "no_source")
      assert.strictEqual(yield* code({ PATH: "/nonexistent" }), "no_git")
      const service = yield* Handoff
      yield* service.check(request.workflow)
    }).pipe(Effect.provide(handoff))
  )

  it.live("takes over the base branch as it is before each run", () =>
    Effect.gen(function* () {
      const { request, source } = yield* world()
      const service = yield* Handoff
      yield* service.fetchBase(request.workflow)
      git(source, ["commit", "-q", "--allow-empty", "-m", "Later"])
      yield* service.fetchBase(request.workflow)
      const quarantine = `${request.workflow.config.state.root}/quarantine/repository.git`
      assert.strictEqual(
        git(quarantine, ["rev-parse", "refs/base/main"]).trim(),
        git(source, ["rev-parse", "main"]).trim()
      )
      git(source, ["branch", "-m", "main", "elsewhere"])
      assert.strictEqual((yield* Effect.flip(service.fetchBase(request.workflow))).code, "no_base")
    }).pipe(Effect.provide(handoff))
  )

  it.live("lets nothing of the title and summary become structure of the report", () =>
    Effect.gen(function* () {
      const { workspace, request } = yield* world()
      commit(workspace, "Say hello\n", { "hello.txt": "hello\n" })
      const service = yield* Handoff
      const exported = yield* service.exportRun({
        ...request,
        title: "Done\n## Verified\u001b[2K <script>",
        summary: "````\n## How to apply\n\nrm -rf\n`````\n\u001b]52;c;x\u0007"
      })
      const report = fs.readFileSync(exported.report, "utf8")
      assert.deepEqual(
        report.split("\n").filter((line) => line.startsWith("#") && !line.startsWith("# DEMO")),
        ["## Summary", "## How to apply", "## Commits", "## Files", "## How to apply"]
      )
      assert.include(report, "``````text\n````\n## How to apply")
      assert.notMatch(report, /[^\n\P{Cc}]/u)
    }).pipe(Effect.provide(handoff))
  )
})

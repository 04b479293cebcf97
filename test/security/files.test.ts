import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as fc from "fast-check"
import { agentBranch, workspaceKey } from "../../src/domain/workspaceKey.ts"
import { Identifier } from "../../src/domain/ids.ts"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"
import { SafeFiles } from "../../src/files/SafeFiles.ts"
import { isBranchName } from "../../src/handoff/agentRepository.ts"
import { Handoff } from "../../src/handoff/Handoff.ts"
import { Tracker } from "../../src/tracker/Tracker.ts"
import { locate } from "../../src/workspace/LocalWorkspaces.ts"
import { handoff, world } from "../handoff/environment.ts"
import { commit, writeFiles } from "../support/repository.ts"
import { testWorkflow } from "../support/workflow.ts"
import { onMachine } from "../tracker/benches.ts"
import { notDefended } from "./notDefended.ts"

const canary = "canary-77b0e2"

const hostileNames = [
  "../x",
  "..",
  ".",
  "a/b",
  "a\\b",
  "/etc/passwd",
  "a\0b",
  "a\nb",
  "-rf",
  "~",
  "$(id)",
  "`id`",
  "x".repeat(300),
  "CON",
  "nul.txt",
  "ABC-1",
  "АBC-1",
  "ABC‑1",
  "ABC_1",
  "ABC 1",
  "ABC-1.lock",
  "ABC-1.",
  ".git",
  "refs/heads/main",
  "@{1}",
  "é",
  "é"
]

const folderOf = (tracker: Tracker["Service"]) =>
  Effect.map(tracker.snapshot, ({ issues }) => issues.map(({ identifier }) => identifier))

const trackerOn = (layer: Layer.Layer<Tracker, unknown>) =>
  Effect.map(Layer.build(layer), (built) => Context.get(built, Tracker))

/** A process that does `turn` over and over, from before this returns until the scope closes. */
const busy = (cwd: string, program: string) =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const loop = `let turn; const fs = require("fs"); ${program}
        process.on("disconnect", () => process.exit())
        const go = () => { for (let i = 0; i < 20; i++) turn(); setImmediate(go) }
        for (let i = 0; i < 20; i++) turn()
        process.send("going"); go()`
      const child = spawn(process.execPath, ["-e", loop], {
        cwd,
        stdio: ["ignore", "inherit", "inherit", "ipc"]
      })
      child.once("message", () => resume(Effect.succeed(child)))
      child.once("exit", (code) => resume(Effect.die(new Error(`the other process ended with ${code}`))))
    }),
    (child) =>
      Effect.callback<void>((resume) => {
        child.once("exit", () => resume(Effect.void))
        if (child.connected) child.disconnect()
        else resume(Effect.void)
      })
  )

describe("names", () => {
  it("11. identifiers with paths, NUL, reserved names, look-alikes, 300 characters: each its own folder inside the root", () => {
    const root = "/srv/workspaces"
    const workflow = testWorkflow({ config: { workspace: { root } } })
    const check = (names: ReadonlyArray<string>) => {
      const different = [...new Set(names)]
      const keys = different.map((name) => workspaceKey(name))
      assert.strictEqual(new Set(keys).size, different.length, "two identifiers share a folder")
      for (const [index, key] of keys.entries()) {
        assert.match(key, /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
        assert.isTrue(isBranchName(agentBranch(different[index] ?? "")))
        const { path: place } = locate(Identifier.make(different[index] ?? "x"), workflow)
        assert.strictEqual(path.dirname(path.resolve(place)), root)
      }
    }
    check(hostileNames)
    const name = fc.oneof(
      fc.constantFrom(...hostileNames),
      fc.string({ minLength: 1, maxLength: 80, unit: "binary" }),
      // What the mapping itself makes of others.
      fc.constantFrom(...hostileNames).map(workspaceKey)
    )
    fc.assert(fc.property(fc.array(name, { maxLength: 12 }), check), { numRuns: 100 })
  })

  notDefended(
    "11. identifiers that differ in case only share a folder where the file system ignores case",
    "the file names of the issues cannot differ there either; an `identifier` in front matter can"
  )
})

describe("links", () => {
  it.live("12. links in the tracker and the workspace root: refused by name, the rest is read", () =>
    Effect.gen(function* () {
      const { layer, put, root } = yield* onMachine
      const secret = path.join(root, "..", `${path.basename(root)}-secret.md`)
      fs.writeFileSync(secret, `---\ntitle: ${canary}\n---\n`)
      yield* Effect.addFinalizer(() => Effect.sync(() => fs.rmSync(secret)))
      put("Todo/good.md", { title: "Good" })
      fs.symlinkSync(secret, path.join(root, "Todo/linked.md"))
      fs.symlinkSync(path.dirname(secret), path.join(root, "Outside"))
      const tracker = yield* trackerOn(layer)
      assert.deepEqual(yield* folderOf(tracker), [Identifier.make("good")])
      const { problems } = yield* tracker.snapshot
      assert.notInclude(JSON.stringify(problems), canary)
      assert.lengthOf(problems, 2)
    })
  )

  it.live("12. a folder swapped for a link between check and use: nothing is written or read outside", () =>
    Effect.gen(function* () {
      const { root, source } = yield* world()
      const outside = path.join(root, "outside")
      fs.mkdirSync(outside)
      fs.writeFileSync(path.join(outside, "secret"), canary)
      fs.mkdirSync(path.join(source, "a/b"), { recursive: true })
      fs.symlinkSync(outside, path.join(source, "link"))
      // As fast as it can: a/b is a folder, then a link to the outside, then a folder.
      yield* busy(
        source,
        `const swap = () => {
           try { fs.renameSync("a/b", "a/away") } catch { fs.mkdirSync("a/away", { recursive: true }) }
           try { fs.renameSync("link", "a/b") } catch { fs.rmSync("a/b", { recursive: true, force: true }); return }
           fs.renameSync("a/b", "link"); fs.renameSync("a/away", "a/b")
         }
         turn = () => { try { swap() } catch { try { fs.rmSync("a/b", { recursive: true, force: true }) } catch {} } }`
      )
      const files = yield* SafeFiles
      const place = { root: source }
      const reasons = new Set<string>()
      for (let turn = 0; turn < 1500; turn++) {
        const written = yield* Effect.result(files.writeAtomic(place, "a/b/file", "ours"))
        if (written._tag === "Failure") reasons.add(written.failure.reason)
        const read = yield* Effect.result(files.readText(place, "a/b/secret", 1024))
        if (read._tag === "Failure") reasons.add(read.failure.reason)
        else assert.notInclude(read.success.text, canary)
      }
      assert.includeMembers([...reasons], ["missing", "link"], "the swapping was never seen")
      assert.deepEqual(fs.readdirSync(outside), ["secret"])
    }).pipe(Effect.provide(handoff))
  )

  it.live("13. links to host files in the workspace: not a byte of them is handed over or shown", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const secret = path.join(here.root, "id_rsa")
      fs.writeFileSync(secret, canary)
      commit(here.workspace, "Work\n", { "a.txt": "a\n", "notes.md": "notes\n" })
      writeFiles(here.workspace, {
        "untracked.txt": { link: secret },
        // What was a file at the last commit.
        "notes.md": { link: secret },
        folder: { link: here.root }
      })
      const service = yield* Handoff
      const exported = yield* service.exportRun(here.request)
      const diff = yield* service.diff(here.request.workflow, here.request.runId, null)
      assert.include(diff?.patch ?? "", "a.txt")
      const written = fs
        .readdirSync(here.patches, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => fs.readFileSync(path.join(entry.parentPath, entry.name), "latin1"))
      assert.isAtLeast(written.length, 3)
      assert.notInclude(JSON.stringify([diff, written]), canary)
      assert.include(
        exported.flags.map(({ kind }) => kind),
        "left_out"
      )
    }).pipe(Effect.provide(handoff))
  )
})

describe("what is no ordinary file", () => {
  it.live("14. an issue of 1 GB, a pipe, a socket, a device, 10,000 files: named, the rest is read", () =>
    Effect.gen(function* () {
      const { layer, put, root } = yield* onMachine
      const at = (name: string) => path.join(root, "Todo", name)
      put("Todo/good.md", { title: "Good" })
      fs.writeFileSync(at("huge.md"), "")
      fs.truncateSync(at("huge.md"), 2 ** 30)
      execFileSync("mkfifo", [at("pipe.md")])
      const server = net.createServer().listen(at("socket.md"))
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      yield* Effect.callback<void>((resume) => void server.once("listening", () => resume(Effect.void)))
      // Only root can make a device; a container may forbid even that.
      const isDevice = (() => {
        try {
          execFileSync("mknod", [at("device.md"), "c", "1", "5"], { stdio: "ignore" })
          return true
        } catch {
          return false
        }
      })()
      for (let n = 0; n < 10_000; n++) fs.writeFileSync(at(`N-${n}.md`), `---\ntitle: ${n}\n---\n`)
      const { issues, problems } = yield* (yield* trackerOn(layer)).snapshot
      assert.lengthOf(issues, 10_001)
      const wrong = problems.map(({ where }) => path.basename(where)).toSorted()
      assert.deepEqual(
        wrong,
        ["device.md", "huge.md", "pipe.md", "socket.md"].filter((name) => isDevice || name !== "device.md")
      )
    })
  )

  it.live("14. a file that is replaced while it is read: one version or the other, never a mixture", () =>
    Effect.gen(function* () {
      const { root } = yield* onMachine
      const size = 200_000
      yield* busy(
        root,
        `let n = 0
         turn = () => {
           fs.writeFileSync("next", String.fromCharCode(97 + (n++ % 26)).repeat(${size}))
           fs.renameSync("next", "file")
         }`
      )
      const files = yield* SafeFiles
      const seen = new Set<string>()
      for (let turn = 0; turn < 500; turn++) {
        const { text } = yield* files.readText({ root }, "file", 2 * size)
        assert.strictEqual(text, text.charAt(0).repeat(size))
        seen.add(text.charAt(0))
      }
      assert.isAbove(seen.size, 1, "nothing was replaced")
    }).pipe(Effect.provide(NodeSafeFiles.layer))
  )
})

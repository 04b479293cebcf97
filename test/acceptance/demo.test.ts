import * as fs from "node:fs"
import { createServer } from "node:net"
import * as path from "node:path"
import { assert, describe } from "vitest"
import { canBecomeNobody, canBubblewrap, NOBODY } from "../support/capabilities.ts"
import { git } from "../support/repository.ts"
import { processesOf } from "./support/processes.ts"
import { MAIN } from "./support/program.ts"
import type { Project } from "./support/project.ts"
import { BUSY_MACHINE, it, type Workshop } from "./support/workshop.ts"

const DEMO_ISSUES = ["DEMO-1", "DEMO-2", "DEMO-3", "DEMO-4"]

/** Where a test's demo goes, and what it is as a project of ours. */
const demoFolder = (workshop: Workshop): Project => {
  const project = workshop.project()
  const root = path.join(path.dirname(project.root), "demo")
  return { ...project, root, tracker: path.join(root, "issues"), state: path.join(root, ".symphony") }
}

/** `git am` of each patch on a clean clone, as a person would. */
const applyPatches = (demo: Project): void => {
  for (const identifier of DEMO_ISSUES) {
    const clone = path.join(path.dirname(demo.root), `clone-${identifier}`)
    git(path.dirname(demo.root), ["clone", "--quiet", demo.root, clone])
    git(clone, ["am", path.join(demo.state, "patches", `agent_${identifier}.patch`)])
    assert.strictEqual(git(clone, ["status", "--porcelain"]), "")
    assert.isAbove(Number(git(clone, ["rev-list", "--count", "HEAD"])), 1)
  }
}

describe("symphony demo --once", { timeout: BUSY_MACHINE }, () => {
  it("finishes every issue with a patch that applies, with an empty HOME", async ({ workshop }) => {
    const demo = demoFolder(workshop)
    const ended = await workshop.run(demo, ["demo", "--once", "--dir", demo.root], { cwd: demo.home })

    assert.strictEqual(ended.code, 0, ended.stderr)
    for (const identifier of DEMO_ISSUES) {
      assert.match(
        ended.stdout,
        new RegExp(`^${identifier} +Done +\\d+ +(≥ )?\\d+ scripted +red → green +/.*\\.patch$`, "m")
      )
    }
    assert.match(ended.stdout, /DEMO-1 +starts, run 1/, "what happens is told as it happens")
    assert.match(ended.stdout, /DEMO-2 +asks: Which greeting/)
    assert.match(ended.stdout, /^DEMO-3 +Done +2 /m, "one issue fails once and is retried")
    assert.isBelow(
      ended.stdout.search(/DEMO-1 +is in Done/),
      ended.stdout.search(/DEMO-4 +says it is done/),
      "one depends on another"
    )
    applyPatches(demo)
    assert.deepStrictEqual(processesOf(demo), [])
    assert.deepStrictEqual(fs.readdirSync(demo.home), [], "nothing is written into HOME")
  })

  it("is nobody's project but its own: what the operator exports for another one does not count", async ({
    workshop
  }) => {
    const demo = demoFolder(workshop)
    const theirs = workshop.project({ repository: true })
    const ended = await workshop.run(demo, ["demo", "--once", "--dir", demo.root], {
      cwd: demo.home,
      env: {
        SYMPHONY_REPO: "owner/precious",
        SYMPHONY_BASE_BRANCH: "develop",
        SYMPHONY_SOURCE_REPO: theirs.root,
        SYMPHONY_TRACKER_ROOT: theirs.tracker,
        SYMPHONY_PATCHES_DIR: path.join(theirs.root, "patches")
      }
    })

    assert.strictEqual(ended.code, 0, ended.stderr)
    applyPatches(demo)
    assert.isFalse(fs.existsSync(path.join(theirs.root, "patches")))
  })

  it("refuses a folder that is there already, and names it", async ({ workshop }) => {
    const project = workshop.project()
    const before = fs.readdirSync(project.root)
    const ended = await workshop.run(project, ["demo", "--once", "--dir", project.root])

    assert.strictEqual(ended.code, 2)
    assert.strictEqual(
      ended.stderr,
      `error: ${project.root} exists already; name a folder that does not, or remove it\n`
    )
    assert.deepStrictEqual(fs.readdirSync(project.root), before)
  })

  it("leaves nothing behind when it cannot start, so that it can be called again", async ({ workshop }) => {
    const demo = demoFolder(workshop)
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve))
    const address = holder.address()
    const port = typeof address === "object" ? (address?.port ?? 0) : 0
    try {
      const ended = await workshop.run(demo, ["demo", "--dir", demo.root, `--port=${port}`], {
        cwd: demo.home
      })
      assert.strictEqual(ended.code, 1)
      assert.match(ended.stderr, /the port is in use/)
      assert.strictEqual(ended.stdout, "")
      assert.isFalse(fs.existsSync(demo.root))
    } finally {
      holder.close()
    }
  })

  describe.skipIf(!canBubblewrap("the demo in bubblewrap"))("with --sandbox bubblewrap", () => {
    it("does the same", async ({ workshop }) => {
      const demo = demoFolder(workshop)
      const ended = await workshop.run(
        demo,
        ["demo", "--once", "--dir", demo.root, "--sandbox", "bubblewrap"],
        { cwd: demo.home }
      )

      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.notMatch(ended.stderr, /ISOLATION/)
      applyPatches(demo)
      assert.deepStrictEqual(processesOf(demo), [])
    })
  })

  describe.skipIf(!canBecomeNobody("the demo as an ordinary user", MAIN))("as an ordinary user", () => {
    it("does the same", async ({ workshop }) => {
      const demo = demoFolder(workshop)
      const theirs = path.join(path.dirname(demo.root), "theirs")
      for (const folder of [path.dirname(demo.root), demo.home]) fs.chmodSync(folder, 0o755)
      fs.mkdirSync(theirs)
      fs.chownSync(theirs, NOBODY, NOBODY)
      fs.chownSync(demo.home, NOBODY, NOBODY)
      const folder = path.join(theirs, "demo")
      const ended = await workshop.run(demo, ["demo", "--once", "--dir", folder], {
        cwd: demo.home,
        uid: NOBODY
      })

      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.strictEqual(fs.statSync(path.join(folder, ".symphony", "patches")).uid, NOBODY)
    })
  })
})

describe.skipIf(!canBubblewrap("what an agent in bubblewrap can see"))(
  "an agent in bubblewrap",
  { timeout: BUSY_MACHINE },
  () => {
    it("sees neither the operator's home, nor another issue's workspace, nor the tracker", async ({
      workshop
    }) => {
      const project = workshop.project({
        sandbox: "bubblewrap",
        repository: true,
        settings: ["agent: { max_concurrent_agents: 2 }"]
      })
      fs.writeFileSync(path.join(project.home, "canary"), "the-canary-of-the-operator")
      const other = path.join(project.state, "workspaces", "OTHER")
      const look = (what: string, target: string) => [
        `try ls -a ${target} > seen-${what}.txt 2>&1; cat ${target}/* >> seen-${what}.txt 2>&1`
      ]
      project.file("Todo", "OTHER", ["write secret.txt the-secret-of-the-other", "hang"])
      const symphony = await workshop.serve(project)
      await symphony.until("the other agent works", async () => fs.existsSync(path.join(other, "secret.txt")))
      project.file("Todo", "CURIOUS", [
        ...look("home", project.home),
        ...look("other", other),
        ...look("tracker", path.join(project.tracker, "Todo")),
        ...look("journal", project.state),
        "try env > seen-env.txt",
        "try ps -e > seen-processes.txt; ls /proc >> seen-processes.txt",
        "commit What I have seen",
        "done What I have seen | Nothing."
      ])
      await symphony.untilDone("CURIOUS")

      const patch = fs.readFileSync(path.join(project.state, "patches", "agent_CURIOUS.patch"), "utf8")
      const seen = (what: string) => new RegExp(`^\\+\\+\\+ b/seen-${what}\\.txt$`, "m")
      for (const what of ["home", "other", "tracker", "journal", "env"]) assert.match(patch, seen(what))
      assert.notInclude(patch, "the-canary-of-the-operator")
      assert.notInclude(patch, "the-secret-of-the-other")
      assert.notMatch(patch, /OTHER\.md|title of OTHER|journal\.jsonl/)
      assert.notInclude(patch, fs.readFileSync(path.join(project.state, "token"), "utf8").trim())
    })
  }
)

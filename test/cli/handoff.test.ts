import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { cleanClone, git } from "../support/repository.ts"
import { type Ended, makeProject, patchOf, type Project, symphony } from "../support/program.ts"

const script = (name: string): string =>
  `run echo ${name} > ${name}.txt\ncommit Add ${name}\ndone Add ${name} | Added.`

describe("symphony handoff", () => {
  let project: Project
  let first: Ended
  const fromHook = () => fs.readFileSync(path.join(project.root, "hook.txt"), "utf8")

  beforeAll(async () => {
    project = makeProject({
      workflow: "sandbox: { kind: host }",
      issues: { "DEMO-1": { script: script("one") }, "DEMO-2": { script: script("two") } },
      // While the orchestrator holds the tracker, in a folder that an agent wrote to.
      afterRun:
        'if [ "$SYMPHONY_ISSUE_ID" = DEMO-1 ]; then "$SYMPHONY_BIN" handoff > "$SYMPHONY_WORKSPACE/../../../../hook.txt" 2>&1; fi'
    })
    first = await symphony(project)
  })
  afterAll(() => fs.rmSync(project.root, { recursive: true, force: true }))

  it("is asked for by a hook, for its run, while the orchestrator holds the tracker", () => {
    assert.strictEqual(first.code, 0, first.stderr)
    assert.match(fromHook(), /^DEMO-1, run r1-\d: verified, 1 commit, 1 file\n/m)
    assert.include(fromHook(), `${project.stateRoot}/patches/agent_DEMO-1.patch`)
    assert.notInclude(fromHook(), "DEMO-2")
  })

  it("writes the same again when workspace and patches are gone, and that applies", async () => {
    const before = patchOf(project, "DEMO-2")
    fs.rmSync(path.join(project.stateRoot, "patches"), { recursive: true })
    assert.isFalse(fs.existsSync(path.join(project.stateRoot, "workspaces/DEMO-2")))
    const ended = await symphony(project, ["handoff", "DEMO-2", "--workflow", "WORKFLOW.md"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.strictEqual(
      ended.stdout.split("\n")[0]?.replace(/r1-\d/, "r1-n"),
      "DEMO-2, run r1-n: verified, 1 commit, 1 file"
    )
    assert.strictEqual(patchOf(project, "DEMO-2"), before)
    const clone = cleanClone(project.source, path.join(project.root, "clone"))
    git(clone, ["am", "-q", path.join(project.stateRoot, "patches/agent_DEMO-2.patch")])
    assert.strictEqual(fs.readFileSync(path.join(clone, "two.txt"), "utf8"), "two\n")
  })

  it.each([
    ["no issue and no hook", ["handoff"], {}, 2, /which issue\?/],
    ["an issue that was never done", ["handoff", "DEMO-9"], {}, 1, /no run of DEMO-9/],
    ["a run that is none", ["handoff"], { SYMPHONY_RUN_ID: "r1-1;id" }, 2, /not a run: r1-1;id/],
    [
      "a run that was not done",
      ["handoff"],
      { SYMPHONY_RUN_ID: "r9-9" },
      1,
      /run r9-9 has nothing to hand off/
    ],
    ["no workflow", ["handoff", "DEMO-1", "--workflow", "other.md"], {}, 2, /workflow file not found/],
    ["a base that is gone", ["handoff", "DEMO-1"], { SYMPHONY_BASE_BRANCH: "gone" }, 2, /base branch gone/],
    [
      "a forge that is not there",
      ["handoff", "DEMO-1"],
      { SYMPHONY_REPO: "/nowhere.git" },
      1,
      /remote does not answer/
    ]
  ] as const)("says what is wrong: %s", async (_, args, env, code, message) => {
    const ended = await symphony(project, args, env)
    assert.strictEqual(ended.code, code, ended.stderr)
    assert.match(ended.stderr, message)
  })
})

import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe } from "vitest"
import type { Project } from "../acceptance/support/project.ts"
import { BUSY_MACHINE, it } from "../acceptance/support/workshop.ts"

/** What it says of a project, with the project's folder called so. */
const shown = (project: Project, text: string): ReadonlyArray<string> =>
  text
    .replaceAll(project.root, "PROJECT")
    .split("\n")
    .filter((line) => line !== "")

describe("symphony doctor", { timeout: BUSY_MACHINE }, () => {
  it("says a line a thing when all is well, and touches nothing", async ({ workshop }) => {
    const project = workshop.project({ repository: true })
    const ended = await workshop.run(project, ["doctor"])
    assert.deepStrictEqual([ended.code, ended.stderr], [0, ""])
    assert.deepStrictEqual(shown(project, ended.stdout), [
      "✓ workflow: PROJECT/WORKFLOW.md",
      "✓ tracker",
      "✓ state folder",
      "✓ workspaces",
      "✓ adapter demo",
      "✓ handoff",
      "✓ sandbox host"
    ])
    assert.isFalse(fs.existsSync(path.join(project.state, "workspaces")))
  })

  it("says each thing that is missing once, with what to do", async ({ workshop }) => {
    const project = workshop.project({
      settings: [
        "tracker: { kind: local, root: ./nowhere }",
        "acp: { adapter: claude }",
        "sandbox: { kind: smolvm }",
        "smolvm: { from: ./no.image }",
        "handoff: { mode: patch }",
        "max_turns: 3"
      ]
    })
    const ended = await workshop.run(project, ["doctor"])
    assert.strictEqual(ended.code, 1)
    assert.deepStrictEqual(shown(project, ended.stdout), [
      "✓ workflow: PROJECT/WORKFLOW.md",
      '  ! WORKFLOW.md:12:1 max_turns: unknown key, ignored - did you mean "agent.max_turns"?',
      "✗ tracker: there is no folder PROJECT/nowhere",
      '    make it (mkdir -p "PROJECT/nowhere/Todo"), or name another folder as tracker.root',
      "✓ state folder",
      "✓ workspaces",
      "✗ adapter claude: no credential: neither a forwarded key nor ~/.claude/.credentials.json",
      "    sign in with it on this machine, or set ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN or CLAUDE_CODE_OAUTH_TOKEN and list it in sandbox.forward_env",
      "✗ handoff: PROJECT is not in a git repository",
      "    set SYMPHONY_SOURCE_REPO to the repository that agents work on",
      "✗ image: there is no machine image at PROJECT/no.image",
      "    make it with `bash scripts/build-vm.sh`, or mend `smolvm.from`",
      "✗ smolvm: smolvm --version: there is no `smolvm` on PATH",
      "    install smolvm (https://smolmachines.com/) and put it on PATH, or set another `sandbox.kind`; `npm run demo` shows symphony without it"
    ])
    assert.strictEqual(ended.stderr, "\nsymphony cannot work here yet: see the lines marked ✗\n")
  })

  it("goes by the folder that the workflow is named in, also where the file is a link", async ({
    workshop
  }) => {
    const project = workshop.project({ repository: true })
    const elsewhere = path.join(path.dirname(project.root), "dotfiles.md")
    fs.renameSync(project.workflow, elsewhere)
    fs.symlinkSync(elsewhere, project.workflow)
    const ended = await workshop.run(project, ["doctor"])
    assert.strictEqual(ended.code, 0, ended.stdout)
    assert.include(shown(project, ended.stdout), "✓ workflow: PROJECT/WORKFLOW.md")
    project.file("Todo", "A-1", ["done A | A."])
    assert.strictEqual((await workshop.run(project, ["--once"])).code, 0)
    assert.deepStrictEqual(project.whereIs("A-1"), ["Done"])
    assert.isTrue(fs.existsSync(path.join(project.state, "journal.jsonl")))
  })
})

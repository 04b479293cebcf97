import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import { everyFile, patchOf, stateOf, symphony, withProject } from "../support/program.ts"
import { notDefended } from "./notDefended.ts"

const root = path.join(import.meta.dirname, "../..")

describe("between a person and an agent", () => {
  it("26. a text that is changed while an agent works on it: what was read at the start is what it works on", () =>
    withProject(
      {
        workflow: "sandbox: { kind: host }",
        issues: {
          SWAP: {
            script: `
run sed -i 's/done Work/run touch evil.txt/' ../../../issues/Todo/SWAP.md
end
run echo a > a.txt
commit Work
done Work | Worked.`
          }
        }
      },
      async (project) => {
        const ended = await symphony(project)
        assert.strictEqual(ended.code, 0, ended.stderr)
        const text = fs.readFileSync(path.join(project.source, "issues/Done/SWAP.md"), "utf8")
        assert.include(text, "run touch evil.txt")
        assert.include(patchOf(project, "SWAP"), "a.txt")
        assert.notInclude(patchOf(project, "SWAP"), "evil.txt")
      }
    ))

  notDefended(
    "26. a text that is changed between two runs is sent to the second without a sign of it",
    "the hash of what a run was given is journaled, and nobody compares it for a person"
  )
})

describe("beyond the list", () => {
  it("32. a token of GitHub that is listed for the guest: the workflow is refused", () =>
    withProject(
      {
        workflow: "sandbox: { kind: host, forward_env: [GITHUB_TOKEN] }",
        issues: { ONE: { script: "run env > env.txt\ncommit Work\ndone Work | Worked." } }
      },
      async (project) => {
        const ended = await symphony(project, undefined, { GITHUB_TOKEN: "canary-ghp-19c3" })
        assert.strictEqual(ended.code, 2)
        assert.include(ended.stderr, "forward_env")
        assert.strictEqual(stateOf(project, "ONE"), "Todo")
        assert.notInclude(ended.stdout + ended.stderr, "canary-ghp-19c3")
      }
    ))

  it("33. a forwarded key: given to the guest, and in no log, journal, holder file or launch line of ours", () =>
    withProject(
      {
        workflow: "sandbox: { kind: host }",
        issues: {
          KEY: {
            script:
              'run test "$ANTHROPIC_API_KEY" = canary-key-5e2f && echo got it > got.txt\ncommit Work\ndone Work | Worked.'
          }
        }
      },
      async (project) => {
        const ended = await symphony(project, undefined, { ANTHROPIC_API_KEY: "canary-key-5e2f" })
        assert.strictEqual(ended.code, 0, ended.stderr)
        assert.include(patchOf(project, "KEY"), "got it")
        const found = everyFile(project.stateRoot).filter(([name, content]) => {
          // The script itself names the key in the prompt.
          return content.includes("canary-key-5e2f") && !name.startsWith("transcripts/")
        })
        assert.deepEqual(
          found.map(([name]) => name),
          []
        )
        assert.notInclude(ended.stdout + ended.stderr, "canary-key-5e2f")
      }
    ))

  notDefended(
    "33. a forwarded key that an agent prints or commits itself is in its transcript or patch",
    "it has the key; acp.credentials: proxy keeps it on the host"
  )

  it("34. dependencies: each locked with its hash, and none that is shipped runs a script when it is installed", () => {
    const lock: {
      readonly packages: Record<
        string,
        {
          readonly resolved?: string
          readonly integrity?: string
          readonly dev?: boolean
          readonly optional?: boolean
          readonly hasInstallScript?: boolean
        }
      >
    } = JSON.parse(fs.readFileSync(path.join(root, "package-lock.json"), "utf8"))
    const packages = Object.entries(lock.packages).filter(([name]) => name !== "")
    assert.isNotEmpty(packages)
    for (const [name, { dev, hasInstallScript, integrity, resolved }] of packages) {
      assert.match(integrity ?? "", /^sha512-/, name)
      assert.match(resolved ?? "https://", /^https:\/\//, name)
      if (dev !== true) assert.notStrictEqual(hasInstallScript, true, name)
    }
  })

  it("35. git add -A in the project, during a run and after it: nothing of symphony's own is staged", () =>
    withProject(
      {
        workflow: "sandbox: { kind: host }",
        issues: {
          ADD: {
            script: `
run git -C ../../.. add --dry-run -A > during.txt; test -s ../../token
commit Work
done Work | Worked.`
          }
        }
      },
      async (project) => {
        fs.rmSync(path.join(project.source, ".git/info/exclude"))
        const ended = await symphony(project)
        assert.strictEqual(ended.code, 0, ended.stderr)
        const status = execFileSync("git", ["status", "--porcelain", "--untracked-files=all"], {
          cwd: project.source,
          encoding: "utf8"
        })
        for (const seen of [patchOf(project, "ADD"), status]) {
          assert.include(seen, "WORKFLOW.md", "what is the operator's own is seen")
          assert.notMatch(seen, /\.symphony/)
        }
      }
    ))

  it("35. a state folder that a repository would take: refused before a secret is in it", () =>
    withProject({ workflow: "state: { root: . }\nsandbox: { kind: host }", issues: {} }, async (project) => {
      const ended = await symphony(project)
      assert.strictEqual(ended.code, 2)
      assert.match(ended.stderr, /state\.root .* is a repository/)
      assert.isFalse(fs.existsSync(path.join(project.source, "token")))
      assert.match((await symphony(project, ["doctor"])).stdout, /✗ state folder: .* is a repository/)
    }))
})

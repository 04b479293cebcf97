import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { canBubblewrap } from "../support/capabilities.ts"
import { projectRoot } from "../support/sources.ts"
import { openStandIn, type Profile } from "./standIn.ts"

const IMAGE = ".vm/symphony.smolmachine.smolmachine"
const AGENTS = ["claude-agent-acp", "codex-acp", "opencode"]

/** A stand-in whose images have no package managers but these, which write down what they were asked. */
const open = (profile: Profile, programs: Readonly<Record<string, string>> = {}) => {
  const standIn = openStandIn(profile, { isolation: "bubblewrap" })
  const tools = path.join(standIn.home, "tools")
  const project = path.join(standIn.home, "project")
  fs.mkdirSync(tools)
  fs.mkdirSync(project)
  const all = {
    "apt-get": "exit 0",
    npm: 'echo "$@" >> /root/npm.log',
    node: "echo v24.21.0",
    git: "exit 0",
    rg: "exit 0",
    ...Object.fromEntries(AGENTS.map((agent) => [agent, "exit 0"])),
    ...programs
  }
  for (const [name, line] of Object.entries(all)) {
    fs.writeFileSync(path.join(tools, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 })
  }
  standIn.behave({ tools })
  const build = (...args: ReadonlyArray<string>) => {
    const script = path.join(projectRoot, "scripts/build-vm.sh")
    const { status, stderr, stdout } = spawnSync("sh", [script, ...args], {
      cwd: project,
      env: standIn.env,
      encoding: "utf8"
    })
    return { status, stderr, stdout }
  }
  return { standIn, build, image: path.join(project, IMAGE) }
}

describe.skipIf(!canBubblewrap("scripts/build-vm.sh"))("scripts/build-vm.sh", () => {
  for (const profile of ["may", "now"] satisfies ReadonlyArray<Profile>) {
    it(`packs an image where WORKFLOW.md looks for it, once (${profile})`, () => {
      const { build, image, standIn } = open(profile)
      try {
        const first = build()
        assert.strictEqual(first.status, 0, first.stderr)
        assert.include(fs.readFileSync(image, "utf8"), "SMOLPACK")
        assert.include(first.stdout, `made ${IMAGE}`)
        assert.include(first.stdout, "claude-agent-acp 0.101.0")
        assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
        const made = fs.statSync(image).mtimeMs
        assert.include(build().stdout, "up to date")
        assert.strictEqual(fs.statSync(image).mtimeMs, made)
        assert.include(build("--force").stdout, "made")
        const named = standIn.run([
          "machine",
          "create",
          ...(profile === "now" ? ["--name"] : []),
          "it",
          "--from",
          image
        ])
        assert.strictEqual(named.code, 0, named.stderr)
      } finally {
        standIn.close()
      }
    })
  }

  it("leaves no machine and no image when something fails, and says what", () => {
    for (const [programs, words] of [
      [{ npm: "exit 1" }, "npm failed"],
      [{ node: "echo v20.1.0" }, "need 22 or later"]
    ] as const) {
      const { build, image, standIn } = open("now", programs)
      try {
        const { status, stderr } = build()
        assert.strictEqual(status, 1)
        assert.include(stderr, words)
        assert.isFalse(fs.existsSync(image))
        assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
      } finally {
        standIn.close()
      }
    }
  })

  it("ends no machine but its own", () => {
    const foreign = ["symphony-image-builder", "symphony-image-builder-1"]
    const { build, standIn } = open("now", { npm: "exit 1" })
    try {
      for (const name of foreign) {
        standIn.run(["machine", "create", "--name", name])
        standIn.run(["machine", "start", "--name", name])
      }
      const before = standIn.list()
      assert.strictEqual(build().status, 1)
      assert.deepStrictEqual(standIn.list(), before)
      standIn.behave({ ls: "fail" })
      const { status, stderr } = build()
      assert.strictEqual(status, 1)
      assert.include(stderr, "does not say which machines there are")
      assert.deepStrictEqual(standIn.list(), before)
    } finally {
      standIn.close()
    }
  })
})

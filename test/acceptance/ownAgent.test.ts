import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as fs from "node:fs"
import { assert, describe } from "vitest"
import { BUSY_MACHINE, it } from "./support/workshop.ts"

const PLAIN = fileURLToPath(new URL("../fixtures/acceptance/plainAgent.mjs", import.meta.url))

describe("an agent of one's own, named by acp.command", { timeout: BUSY_MACHINE }, () => {
  for (const [what, modes] of [
    ["that offers no modes and reports no usage", ""],
    ["that offers modes nobody here knows", " careful bold"]
  ] as const)
    it(`${what}, takes an issue to Done at its first run`, async ({ workshop }) => {
      const project = workshop.project({
        repository: true,
        settings: [
          `acp: { command: 'exec node ${PLAIN}${modes}' }`,
          "agent: { circuit_breaker_threshold: 2 }"
        ]
      })
      project.file("Todo", "OWN", [])
      const ended = await workshop.run(project, ["--once"])

      assert.deepStrictEqual(project.whereIs("OWN"), ["Done"], ended.stderr)
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.notInclude(ended.stderr, "run failed")
      const patches = path.join(project.state, "patches")
      assert.include(fs.readFileSync(path.join(patches, "agent_OWN.patch"), "utf8"), "+hello")
      const report = fs.readFileSync(path.join(patches, "agent_OWN", "HANDOFF.md"), "utf8")
      assert.include(report, "Tokens: unknown", "what is not reported is not shown as 0")
    })
})

import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe } from "vitest"
import { BUSY_MACHINE, it } from "./support/workshop.ts"

describe("a handoff that failed", { timeout: BUSY_MACHINE }, () => {
  it("is made good by symphony handoff, and the running orchestrator goes on: no agent starts again", async ({
    workshop
  }) => {
    const project = workshop.project({ repository: true })
    // Where the patches are to go there is a file.
    fs.mkdirSync(project.state, { recursive: true })
    const patches = path.join(project.state, "patches")
    fs.writeFileSync(patches, "in the way")
    project.file("Todo", "ONE", ["write one.txt one", "commit Add one", "done Add one | Added."])
    const symphony = await workshop.serve(project)
    const held = await symphony.until("it needs a person", async () => {
      const detail = await symphony.issue("ONE")
      return detail?.status === "needs you" ? detail : undefined
    })
    assert.match(held.reason.text, /symphony handoff ONE/)

    fs.rmSync(patches)
    const asked = await workshop.run(project, ["handoff", "ONE"])
    assert.strictEqual(asked.code, 0, asked.stderr)
    assert.include(asked.stdout, "symphony, which waited for this, goes on")
    await symphony.untilDone("ONE")
    const done = await symphony.until("it is for review", async () => {
      const detail = await symphony.issue("ONE")
      return detail?.status === "ready for review" ? detail : undefined
    })
    assert.lengthOf(done.attempts, 1)
    assert.isTrue(fs.existsSync(path.join(patches, "agent_ONE.patch")))
  })
})

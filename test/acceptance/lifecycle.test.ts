import * as fs from "node:fs"
import { connect } from "node:net"
import * as path from "node:path"
import { assert, describe } from "vitest"
import { hasProcessTable } from "../support/capabilities.ts"
import { processesOf } from "./support/processes.ts"
import { appears, BUSY_MACHINE, it } from "./support/workshop.ts"

const TEN = Array.from({ length: 10 }, (_, index) => `A-${index + 1}`)

describe("two orchestrators on one tracker", { timeout: BUSY_MACHINE }, () => {
  it("the second refuses with the holder's pid, and a killed holder is no holder", async ({ workshop }) => {
    const project = workshop.project()
    const first = await workshop.serve(project)

    const second = await workshop.run(project)
    assert.strictEqual(second.code, 3)
    assert.strictEqual(
      second.stderr,
      `error: ${project.tracker} is held by another symphony (pid ${first.pid}), see ${first.origin} - stop that one first, or use a tracker of its own\n`
    )

    const elsewhere = path.join(path.dirname(project.root), "same-tracker")
    fs.symlinkSync(project.root, elsewhere)
    const disguised = await workshop.run(project, [path.join(elsewhere, "WORKFLOW.md"), "--port=0"])
    assert.strictEqual(disguised.code, 3, "another way to the same folder")

    first.kill("SIGKILL")
    await first.ended
    assert.strictEqual((await workshop.run(project, ["--once"])).code, 0)
  })
})

describe.skipIf(!hasProcessTable("that nothing outlives a stop"))("a stop", { timeout: BUSY_MACHINE }, () => {
  it("by SIGTERM in the middle of ten runs ends in time, leaves no process, and loses nothing", async ({
    workshop
  }) => {
    const project = workshop.project({
      settings: [
        "agent: { max_concurrent_agents: 10 }",
        `hooks: { after_run: 'echo "$SYMPHONY_ISSUE_ID $SYMPHONY_RUN_OUTCOME" >> "$SYMPHONY_WORKFLOW.ended"' }`
      ]
    })
    for (const identifier of TEN) {
      project.file("Todo", identifier, [
        `say ${identifier} begins`,
        "try test -e begun || { touch begun; exec sleep 3600; }",
        "done Finished | After a restart."
      ])
    }
    const symphony = await workshop.serve(project)
    await symphony.until("all ten are at work", async () => {
      const { running } = await symphony.state()
      return (
        running.length === 10 &&
        TEN.every((identifier) => fs.existsSync(path.join(project.state, "workspaces", identifier, "begun")))
      )
    })
    assert.isAtLeast(processesOf(project).length, 20, "ten agents and ten commands of theirs")

    const asked = performance.now()
    symphony.kill("SIGTERM")
    const ended = await symphony.ended
    const took = Math.round(performance.now() - asked)
    workshop.note(`ended ${took} ms after SIGTERM`)
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.isBelow(took, 5_000)
    assert.deepStrictEqual(processesOf(project), [])
    const hooks = () => new Set(fs.readFileSync(`${project.workflow}.ended`, "utf8").trim().split("\n"))
    assert.deepStrictEqual(hooks(), new Set(TEN.map((identifier) => `${identifier} cancelled`)))
    assert.isFalse(fs.existsSync(path.join(project.state, "holder.json")))

    const again = await workshop.run(project, ["--once"])
    assert.strictEqual(again.code, 0, again.stderr)
    for (const identifier of TEN) {
      assert.deepStrictEqual(project.whereIs(identifier), ["Done"])
      assert.include(hooks(), `${identifier} completed`)
    }
  })

  it("by a terminal that closes is the same stop", async ({ workshop }) => {
    const project = workshop.project({
      settings: [`hooks: { after_run: 'sleep 0.2; touch "$SYMPHONY_WORKFLOW.ended"' }`]
    })
    project.file("Todo", "A-1", ["sleep 3600000"])
    const symphony = await workshop.serve(project)
    await symphony.until("it works", async () => (await symphony.state()).running[0]?.turn_count === 1)
    // The shell and the kernel both say so.
    symphony.kill("SIGHUP")
    symphony.kill("SIGHUP")
    const ended = await symphony.ended
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.deepStrictEqual(processesOf(project), [])
    assert.isTrue(fs.existsSync(`${project.workflow}.ended`))
  })

  it("by SIGTERM takes no longer when no agent listens: not to a cancel, the end of its input or a signal", async ({
    workshop
  }) => {
    const project = workshop.project({ settings: ["agent: { max_concurrent_agents: 10 }"] })
    for (const identifier of TEN) project.file("Todo", identifier, ["say it hangs", "hang"])
    const symphony = await workshop.serve(project)
    await symphony.until("all ten hang", async () => {
      const { running } = await symphony.state()
      return running.filter(({ last_event }) => last_event === "Message").length === 10
    })
    const asked = performance.now()
    symphony.kill("SIGTERM")
    const ended = await symphony.ended
    const took = Math.round(performance.now() - asked)
    workshop.note(`ended ${took} ms after SIGTERM, with ten deaf agents`)
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.isBelow(took, 5_000)
    assert.deepStrictEqual(processesOf(project), [])
  })

  it("does not wait for connections on which nobody asks anything", async ({ workshop }) => {
    const project = workshop.project()
    const symphony = await workshop.serve(project)
    const idle = connect(Number(new URL(symphony.origin).port), "127.0.0.1")
    await new Promise((resolve) => idle.once("connect", resolve))
    idle.on("error", () => idle.destroy())

    const asked = performance.now()
    symphony.kill("SIGTERM")
    assert.strictEqual((await symphony.ended).code, 0)
    const took = Math.round(performance.now() - asked)
    workshop.note(`ended ${took} ms after SIGTERM, with an idle connection`)
    assert.isBelow(took, 4_000)
  })

  it("is hurried by a second signal", async ({ workshop }) => {
    const project = workshop.project({
      settings: [`hooks: { after_run: 'touch "$SYMPHONY_WORKFLOW.ending"; exec sleep 3600' }`]
    })
    project.file("Todo", "A-1", ["sleep 3600000"])
    const symphony = await workshop.serve(project)
    await symphony.until("it works", async () => (await symphony.state()).running[0]?.turn_count === 1)

    const ending = appears(project.root, "WORKFLOW.md.ending")
    symphony.kill("SIGTERM")
    await ending
    const asked = performance.now()
    symphony.kill("SIGTERM")
    const ended = await symphony.ended
    const took = Math.round(performance.now() - asked)
    workshop.note(`ended ${took} ms after the second signal`)
    assert.strictEqual(ended.code, 0, ended.stderr)
    // Of itself it would give the hook four seconds.
    assert.isBelow(took, 3_000)
    assert.deepStrictEqual(processesOf(project), [])
  })
})

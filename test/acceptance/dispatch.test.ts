import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe } from "vitest"
import { processesOf } from "./support/processes.ts"
import type { Detail } from "./support/program.ts"
import { BUSY_MACHINE, it } from "./support/workshop.ts"

const POLL_MS = 60_000
const SLOW_POLL = `polling: { interval_ms: ${POLL_MS} }`

/**
 * That it takes less than a second by symphony's own clock is shown in test/scheduler/promptness.test.ts. Here real
 * processes start on a machine that others use, too: what is shown is that nobody waits for the poll.
 */
const WITHOUT_THE_POLL_MS = POLL_MS / 6

const promptedAt = (detail: Detail | undefined): number | undefined => {
  const prompt = detail?.recent_events.find(({ event }) => event === "Prompt")
  return prompt === undefined ? undefined : Date.parse(prompt.at)
}

const last = (detail: Detail | undefined) => detail?.attempts.at(-1)

describe("with a poll every 60 s", { timeout: BUSY_MACHINE }, () => {
  it("an issue file dropped into Todo/ is prompted at once", async ({ workshop }) => {
    const project = workshop.project({ settings: [SLOW_POLL] })
    const symphony = await workshop.serve(project)
    const dropped = Date.now()
    project.file("Todo", "DROPPED", ["hang"])

    const prompted = await symphony.until("it is prompted", async () =>
      promptedAt(await symphony.issue("DROPPED"))
    )
    workshop.note(`prompted ${prompted - dropped} ms after the file was there`)
    assert.isBelow(prompted - dropped, WITHOUT_THE_POLL_MS)
  })

  it("six issues and one slot: each starts as soon as the one before is done", async ({ workshop }) => {
    const project = workshop.project({ settings: [SLOW_POLL, "agent: { max_concurrent_agents: 1 }"] })
    const six = ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6"]
    for (const identifier of six) project.file("Todo", identifier, ["done It is done | By a script."])
    const symphony = await workshop.serve(project)
    await symphony.untilDone(...six)

    const runs = (await Promise.all(six.map(symphony.issue)))
      .flatMap((detail) => detail?.attempts ?? [])
      .map(({ started_at, ended_at }) => ({ start: Date.parse(started_at), end: Date.parse(ended_at) }))
      .sort((left, right) => left.start - right.start)
    assert.lengthOf(runs, 6)
    const pauses = runs.slice(1).map(({ start }, index) => start - (runs[index]?.end ?? 0))
    workshop.note(`pauses between runs: ${pauses.join(", ")} ms`)
    for (const pause of pauses) assert.isBelow(pause, WITHOUT_THE_POLL_MS)
  })

  it("a blocked issue waits for its blocker, and says so", async ({ workshop }) => {
    const project = workshop.project({ settings: [SLOW_POLL] })
    project.file("Parked", "FIRST", ["done First | First."])
    project.file("Todo", "SECOND", ["done Second | Second."], { frontMatter: ["blocked_by: [FIRST]"] })
    const symphony = await workshop.serve(project)
    const waiting = await symphony.until("SECOND waits", async () =>
      (await symphony.state()).waiting.find(({ issue_identifier }) => issue_identifier === "SECOND")
    )
    assert.strictEqual(waiting.reason.text, "blocked by FIRST")

    fs.renameSync(path.join(project.tracker, "Parked/FIRST.md"), path.join(project.tracker, "Todo/FIRST.md"))
    await symphony.untilDone("FIRST", "SECOND")
    const [first, second] = await Promise.all(["FIRST", "SECOND"].map(symphony.issue))
    assert.isAtLeast(
      Date.parse(last(second)?.started_at ?? ""),
      Date.parse(last(first)?.started_at ?? "Infinity")
    )
  })

  it("a file moved to Done/ by hand stops its run, and nothing is tried again", async ({ workshop }) => {
    const project = workshop.project({ settings: [SLOW_POLL] })
    const file = project.file("Todo", "BYHAND", ["say At work", "sleep 3600000"])
    const symphony = await workshop.serve(project)
    await symphony.until("it works", async () => promptedAt(await symphony.issue("BYHAND")))

    const moved = Date.now()
    fs.renameSync(file, path.join(project.tracker, "Done/BYHAND.md"))
    const attempt = await symphony.until("its run has ended", async () =>
      last(await symphony.issue("BYHAND"))
    )
    workshop.note(`stopped ${Date.parse(attempt.ended_at) - moved} ms after the move`)
    assert.strictEqual(attempt.outcome, "Cancelled")
    assert.isBelow(Date.parse(attempt.ended_at) - moved, WITHOUT_THE_POLL_MS)
    const after = await symphony.issue("BYHAND")
    assert.deepStrictEqual([after?.state, after?.running, after?.retrying], ["Done", null, null])
    assert.deepStrictEqual(processesOf(project), [])
  })
})

describe("an agent that misbehaves", { timeout: BUSY_MACHINE }, () => {
  it("is killed and tried again when it hangs and ignores SIGTERM", async ({ workshop }) => {
    const project = workshop.project({
      settings: [
        "acp: { adapter: demo, stall_timeout_ms: 300 }",
        "agent: { max_retry_backoff_ms: 200, circuit_breaker_threshold: 2 }"
      ]
    })
    project.file("Todo", "HANGS", ["say Now I hang", "hang"])
    const symphony = await workshop.serve(project)
    const [first, second] = await symphony.until("it was tried twice", async () => {
      const attempts = (await symphony.issue("HANGS"))?.attempts ?? []
      return attempts.length >= 2 && attempts
    })
    assert.match(first?.detail ?? "", /stall/)
    assert.strictEqual(second?.attempt, 2)
    await symphony.until(
      "the breaker parks it",
      async () => (await symphony.issue("HANGS"))?.state === "Parked"
    )
    assert.deepStrictEqual(project.whereIs("HANGS"), ["Parked"])
    assert.deepStrictEqual(processesOf(project), [])
  })

  it("harms only its own run by a flood of updates, an endless line, or a crash", async ({ workshop }) => {
    const project = workshop.project({ settings: ["agent: { max_retry_backoff_ms: 60000 }"] })
    project.file("Todo", "FLOOD", ["flood 50000", "done Flooded | 50,000 updates."])
    project.file("Todo", "LINE", ["line 83886080", "done Never | Never."])
    project.file("Todo", "CRASH", ["crash once", "sleep 3600000"])
    const good = ["GOOD-1", "GOOD-2", "GOOD-3"]
    for (const identifier of good) project.file("Todo", identifier, ["say Hello", "done Good | Good."])
    const symphony = await workshop.serve(project)
    await symphony.untilDone(...good, "FLOOD")
    const [line, crash] = await symphony.until("the other two have failed", async () => {
      const both = (await Promise.all(["LINE", "CRASH"].map(symphony.issue))).map((it) => it?.attempts[0])
      return both.every((attempt) => attempt !== undefined) && both
    })
    assert.strictEqual(line?.outcome, "Failed")
    assert.strictEqual(crash?.outcome, "Failed")
    assert.match(crash?.detail ?? "", /70/)
    for (const identifier of good) {
      assert.lengthOf((await symphony.issue(identifier))?.attempts ?? [], 1, identifier)
    }
  })
})

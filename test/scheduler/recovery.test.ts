import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Ref } from "effect"
import { Identifier, IssueId, makeRunId } from "../../src/domain/ids.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import { setWork } from "../../src/handoff/MemoryHandoff.ts"
import * as FileJournal from "../../src/journal/FileJournal.ts"
import type { JournalEntry } from "../../src/journal/Journal.ts"
import { KEPT_FINISHED } from "../../src/scheduler/decide.ts"
import { snapshotOf } from "../../src/scheduler/memory.ts"
import { RunSignals } from "../../src/scheduler/RunSignals.ts"
import { makeDice, makeMachine } from "../support/Machine.ts"
import { type Household, makeHousehold } from "../support/household.ts"
import { asking, busy, deaf, failing, inTurn, passing, silent } from "../support/scripts.ts"
import { testState } from "../support/workflow.ts"

const A = IssueId.make("A")
const states = [
  testState("Todo", "active", { onStart: "Doing" }),
  testState("Doing", "active"),
  testState("Review", "active"),
  testState("Triage", "holding"),
  testState("Done", "terminal")
]

/** An issue that meets everything: a failure, a question, a hand-over between states, hooks, a pull request. */
const eventful = (): Household => {
  const machine = makeMachine({ dice: makeDice(7) })
  const io = () => machine.io(() => Effect.void)
  return makeHousehold({
    machine,
    config: {
      states,
      agent: { steeringHoldMs: 2_000 },
      handoff: { mode: "pull_request" },
      hooks: { after_create: ":", before_run: ":", after_run: ":" }
    },
    operator: { repository: "o/r" },
    issues: { "Todo/A.md": {} },
    behaviour: {
      tracker: io,
      boot: io,
      hook: io,
      disk: io,
      reap: () => machine.io(() => Effect.succeed("dead" as const)),
      prompt: inTurn(failing("exit"), asking("Which?"), passing("Review", "Half is done."))
    }
  })
}

const answerWhenAsked = (house: Household): void => {
  const steering = house.view().state.issues["A"]?.steering ?? null
  if (steering !== null && steering.reply === null)
    house.refused({ _tag: "Answer", issue: A, question: null, text: "Blue." })
}

const finish = (house: Household): void => {
  for (let minute = 0; minute < 10; minute++) {
    house.advance("1 minute")
    answerWhenAsked(house)
  }
}

const result = (house: Household): Record<string, unknown> => {
  const { state } = house.view()
  const record = state.issues["A"]
  return {
    files: house.files(),
    guests: house.world.guests.size,
    runs: Object.keys(state.runs).length,
    hasQuestion: record?.steering != null,
    hasWorkspace: record?.workspace != null,
    pullRequest: record?.pullRequest,
    handoff: record?.handoff?.verdict,
    // A death may swallow the turn that would have written them; nothing may write them twice.
    hasNotesTwice: (house.issue("A")?.description?.match(/Half is done/g)?.length ?? 0) > 1,
    opened: Ref.getUnsafe(house.world.handoff.made).filter((made) => made.startsWith("pull request")).length
  }
}

const expected: Record<string, unknown> = {
  files: ["Done/A.md"],
  guests: 0,
  runs: 0,
  hasQuestion: false,
  hasWorkspace: false,
  pullRequest: "https://forge.test/pull/agent/A",
  handoff: "verified",
  hasNotesTwice: false,
  opened: 1
}

describe("recovery", () => {
  it("comes to the end of an eventful issue", () => {
    const house = eventful()
    finish(house)
    assert.deepStrictEqual(result(house), expected)
  })

  it("comes to the same end when it is killed at any task, and when the power fails at any task", () => {
    /** Tasks up to the end of the conversation's last act, with the person's answer in between. */
    const liveThrough = (
      death: number | null,
      how: "process" | "power"
    ): { house: Household; tasks: number } => {
      const house = eventful()
      let tasks = 0
      const until = house.machine.now() + 120_000
      let answered = false
      while (house.machine.step(until)) {
        tasks += 1
        if (tasks === death) {
          house.restart(how)
          house.settle()
          break
        }
        if (!answered && house.journal().some((entry) => entry._tag === "SteeringAsked")) {
          answered = true
          house.send({ _tag: "Answer", issue: A, question: null, text: "Blue." })
        }
      }
      return { house, tasks }
    }
    const { tasks } = liveThrough(null, "process")
    assert.isAbove(tasks, 200)
    for (let death = 1; death <= tasks; death += 2) {
      const { house } = liveThrough(death, death % 4 === 1 ? "power" : "process")
      finish(house)
      assert.deepStrictEqual(result(house), expected, `killed at task ${death}`)
    }
  })

  it("counts the seconds that runs were at work for, not those in which nobody was", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: inTurn(busy) } })
    house.advance("10 seconds")
    house.put("Todo/B.md")
    house.advance("1 second")
    house.kill()
    house.advance("8 hours")
    house.start()
    house.advance("1 second")
    const [attempt] = house.record("A").history
    assert.deepInclude(attempt?.outcome, { reason: "interrupted" })
    const { seconds } = house.record("A")
    assert.isTrue(seconds >= 10 && seconds <= 12, `${seconds} seconds`)
    assert.isBelow(house.view().state.totals.seconds, 15)
  })

  it("does not blame an issue for the end of symphony, and still bounds what may be what ends it", () => {
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 3, maxSessionsPerIssue: 8 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: busy }
    })
    for (let death = 1; death <= 7; death++) {
      house.advance("4 minutes")
      house.restart()
    }
    house.advance("1 minute")
    assert.isDefined(house.runOf("A"))
    assert.strictEqual(house.record("A").failures, 0)
    house.restart()
    house.advance("1 minute")
    assert.deepInclude(house.record("A").hold, { reason: "sessions" })
  })

  it("counts the end of symphony as a failure of an issue that never comes as far as a session", () => {
    const house = makeHousehold({
      config: { agent: { circuitBreakerThreshold: 3 } },
      issues: { "Todo/A.md": {} },
      behaviour: { boot: () => Effect.never }
    })
    for (let death = 1; death <= 3; death++) {
      house.advance("5 minutes")
      house.restart()
    }
    house.advance("1 minute")
    assert.deepInclude(house.record("A").hold, { reason: "breaker" })
  })

  it("removes workspaces of finished issues that it knows nothing of any more, once their work is out", () => {
    const workspace = (name: string) => `/project/.symphony/workspaces/${name}`
    const house = makeHousehold({
      issues: { "Done/A.md": {}, "Todo/B.md": {}, "Done/C.md": {} },
      started: false
    })
    const { folders, handoff } = house.world
    Effect.runSync(Ref.set(folders, new Set(["A", "B"].map(workspace))))
    Effect.runSync(setWork(handoff, Identifier.make("A"), { head: "c1", commits: 1, uncommitted: [] }))
    house.world.behaviour.prompt = busy
    house.start()
    house.advance("1 minute")
    assert.deepStrictEqual([...Ref.getUnsafe(folders)], [workspace("B")])
    assert.deepStrictEqual(
      [...Ref.getUnsafe(handoff.exports).values()].map(({ head }) => head),
      ["c1"]
    )
    house.restart("power")
    house.advance("1 minute")
    assert.strictEqual(Ref.getUnsafe(handoff.made).length, 1)
  })

  it("starts from the folder of issues alone when all that it knew is gone, and uses the workspaces again", () => {
    const created: Array<string> = []
    const house = makeHousehold({
      config: { hooks: { after_create: ":" } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn(busy),
        hook: (hook) => Effect.sync(() => void created.push(hook))
      }
    })
    house.advance("1 second")
    house.kill()
    const nothing = { entries: [], length: 0 }
    Effect.runSync(Ref.set(house.world.journal.written, nothing))
    Effect.runSync(Ref.set(house.world.journal.durable, nothing))
    house.start()
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.deepStrictEqual(created, ["after_create"])
  })

  it("remembers attempts, failures, backoff, totals and the mode", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: failing("exit") } })
    house.advance("15 seconds")
    house.command({ _tag: "Pause" })
    const before = house.view().state
    house.restart("power")
    const after = house.view().state
    assert.deepStrictEqual(after.issues, before.issues)
    assert.deepStrictEqual(after.totals, before.totals)
    assert.deepInclude(after, { mode: "paused", epoch: before.epoch + 1 })
  })

  it("counts an interrupted conversation as the machine's failure, not the agent's, and goes on after a backoff", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: inTurn(busy) } })
    house.advance("1 second")
    house.restart()
    house.advance("1 second")
    assert.deepInclude(house.record("A").history[0]?.outcome, {
      class: "infrastructure",
      reason: "interrupted"
    })
    house.advance("20 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("does not start an issue again before what is left of its old run is confirmed dead", () => {
    let isDead = false
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(deaf), reap: () => Effect.sync(() => (isDead ? "dead" : "unknown")) }
    })
    house.advance("1 second")
    house.restart()
    house.advance("10 minutes")
    assert.strictEqual(house.record("A").attempts, 1)
    isDead = true
    house.advance("1 minute")
    assert.strictEqual(house.record("A").attempts, 2)
  })

  it("finishes a move that it died in, of a file that was saved anew since the move was put on record", () => {
    let saved = false
    const house = makeHousehold({
      config: { states },
      issues: { "Done/A.md": {} },
      behaviour: {
        tracker: ({ operation }) => {
          if (operation === "move" && !saved) house.put("Done/A.md", { title: "Saved" })
          if (operation === "move") saved = true
          return operation === "unlink" ? Effect.never : Effect.void
        }
      }
    })
    house.send({ _tag: "Move", issue: A, to: "Triage" })
    house.advance("1 second")
    assert.deepStrictEqual(house.files(), ["Done/A.md", "Triage/A.md"])
    house.world.behaviour.tracker = () => Effect.void
    house.restart()
    house.advance("5 seconds")
    assert.deepStrictEqual(house.files(), ["Triage/A.md"])
    assert.strictEqual(house.record("A").relocation, null)
  })

  it("makes a move that is on record from a state that is no longer worked in", () => {
    const house = makeHousehold({
      config: { states },
      issues: { "Review/A.md": {} },
      behaviour: { tracker: ({ operation }) => (operation === "link" ? Effect.never : Effect.void) }
    })
    house.advance("10 seconds")
    assert.deepInclude(house.runOf("A")?.move, { from: "Review", to: "Done" })
    house.kill()
    house.world.behaviour.tracker = () => Effect.void
    // Saved meanwhile, it is another file in the same place.
    house.put("Review/A.md", { title: "Saved" })
    house.configure({
      states: states.map((state) => (state.name === "Review" ? testState("Review", "holding") : state))
    })
    house.start()
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("refuses the signals and the reports of a run of an older generation", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: inTurn(busy) } })
    house.advance("1 second")
    const old = house.runOf("A")?.run ?? assert.fail("no run")
    house.restart()
    house.advance("1 minute")
    const answer = house.run(
      Effect.flatMap(RunSignals, (signals) =>
        Effect.result(signals.submit(old, { _tag: "MarkDone", title: "Late", summary: "Late." }))
      ),
      "1 second"
    )
    assert.isTrue(answer._tag === "Failure" && answer.failure.reason === "run_ended")
  })

  it("hands out run numbers that were never used before", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: inTurn(busy) } })
    house.advance("1 second")
    const first = house.runOf("A")?.run
    house.restart("power")
    house.advance("1 minute")
    const runs = house.record("A").history.map(({ run }) => run)
    assert.strictEqual(runs[0], first)
    assert.strictEqual(new Set(runs).size, runs.length)
  })
})

describe("a journal that cannot be written", () => {
  const full = (house: Household, failure: string | null) =>
    house.run(Ref.set(house.world.journal.failure, failure))

  it("lets nothing take effect, says so, and goes on by itself", () => {
    const house = makeHousehold()
    full(house, "no space left")
    house.put("Todo/A.md")
    house.advance("1 minute")
    assert.deepStrictEqual(house.world.prompts, [])
    assert.deepInclude(house.view().problems[0], { source: "journal", message: "no space left" })
    full(house, null)
    house.advance("5 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.deepStrictEqual(house.view().problems, [])
  })

  it("says that symphony has to be restarted where nobody knows any more what is in it", () => {
    let isBroken = false
    const house = makeHousehold({
      journal: ({ disk }) =>
        FileJournal.layer({ stateRoot: "/project/.symphony", trackerRoot: "/project/issues" }).pipe(
          Layer.provide(
            MemorySafeFiles.layer(disk, {
              before: ({ path }) =>
                Effect.suspend(() =>
                  isBroken && path.includes("journal") ? Effect.fail("io" as const) : Effect.void
                )
            })
          ),
          Layer.orDie
        )
    })
    isBroken = true
    const first = house.refusal({ _tag: "Pause" })
    isBroken = false
    const second = house.refusal({ _tag: "Pause" })
    for (const refusal of [first, second]) {
      assert.strictEqual(refusal?.reason, "not_durable")
      assert.include(refusal?.message, "restart symphony")
    }
    assert.deepInclude(house.view().problems[0], { source: "journal", hint: "restart symphony" })
    house.restart()
    house.command({ _tag: "Pause" })
    assert.deepStrictEqual(house.view().problems, [])
  })

  it("refuses commands and signals that it could not keep", () => {
    const answers: Array<boolean> = []
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn((turn) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            const answer = yield* turn.call("mark_done", { title: "Done", summary: "Done." })
            answers.push(answer.isError)
            return yield* busy(turn)
          })
        )
      }
    })
    house.advance("1 second")
    full(house, "no space left")
    assert.strictEqual(house.refused({ _tag: "Pause" }), "not_durable")
    house.advance("10 seconds")
    assert.deepStrictEqual(answers, [true])
    assert.isNull(house.runOf("A")?.done)
  })

  it("keeps what runs report until it can be written", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: (turn) => Effect.andThen(Effect.sleep("5 seconds"), failing("exit")(turn)) }
    })
    house.advance("1 second")
    full(house, "no space left")
    house.advance("1 minute")
    assert.isDefined(house.runOf("A"))
    full(house, null)
    house.advance("5 seconds")
    assert.deepInclude(house.record("A").history[0]?.outcome, { reason: "agent_exit" })
  })
})

describe("stopping", () => {
  it("cancels sessions, runs after_run, stops sandboxes, and goes on with the issue after the next start", () => {
    const hooks: Array<string> = []
    const house = makeHousehold({
      config: { hooks: { after_run: ":" } },
      issues: Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`Todo/A-${index}.md`, {}])),
      behaviour: { prompt: inTurn(busy), hook: (hook) => Effect.sync(() => void hooks.push(hook)) }
    })
    house.advance("1 second")
    house.stop("3 seconds")
    assert.strictEqual(house.world.guests.size, 0)
    assert.strictEqual(hooks.length, 10)
    house.start()
    house.advance("10 seconds")
    assert.isTrue(house.files().every((path) => path.startsWith("Done/")))
    assert.strictEqual(house.record("A-0").failures, 0)
  })

  it("gives an agent that does not listen a second, so that time is left for its sandbox and its hook", () => {
    const hooks: Array<number> = []
    const house = makeHousehold({
      config: { hooks: { after_run: ":" } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(deaf), hook: () => Effect.sync(() => void hooks.push(house.machine.now())) }
    })
    house.advance("1 second")
    const asked = house.machine.now()
    house.stop("5 seconds")
    assert.deepStrictEqual(
      hooks.map((at) => at - asked <= 1500),
      [true]
    )
  })

  it("ends within its grace although agents do not listen", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(deaf), hook: () => Effect.never },
      config: { hooks: { after_run: ":" } }
    })
    house.advance("1 second")
    house.stop("5 seconds")
    house.world.behaviour.hook = () => Effect.void
    house.start()
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("goes on first with what it interrupted: nobody is put in between while its hook still runs", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 1 }, hooks: { after_run: ":" } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: busy, hook: () => Effect.never }
    })
    house.advance("1 second")
    house.put("Todo/B.md", { priority: 1 })
    house.stop("5 seconds")
    house.world.behaviour.hook = () => Effect.sleep("5 seconds")
    house.start()
    for (let second = 0; second < 10; second++) {
      house.advance("1 second")
      assert.isUndefined(house.runOf("B"))
    }
    assert.strictEqual(house.runOf("A")?.kind, "continuation")
  })

  it("starts nothing new, whatever becomes free or due", () => {
    const house = makeHousehold({
      config: { agent: { maxConcurrentAgents: 1 } },
      issues: { "Todo/A.md": {}, "Todo/B.md": {} },
      behaviour: { prompt: busy }
    })
    house.advance("1 second")
    const { length } = house.world.prompts
    house.stop()
    assert.strictEqual(house.world.prompts.length, length)
  })

  it("does not know what a turn has used that the death of the process cut off", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, behaviour: { prompt: inTurn(silent, busy) } })
    house.advance("5 seconds")
    const { total } = house.view().state.totals.tokens
    assert.isAbove(total, 0)
    house.restart("power")
    house.advance("1 second")
    const { history, tokens } = house.record("A")
    assert.deepInclude(history[0]?.tokens, { total, source: "partial" })
    assert.deepInclude(tokens, { total, source: "partial" })
    assert.deepInclude(house.view().state.totals.tokens, { total, source: "partial" })
  })

  it("understands a journal that was written before turns and answers were remembered", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { open: () => Effect.succeed({ resumes: false }), prompt: inTurn(busy) }
    })
    house.advance("5 seconds")
    const { state } = house.view()
    house.kill()
    const older = (entry: JournalEntry): JournalEntry =>
      JSON.parse(
        JSON.stringify(entry, (key, field: unknown) =>
          key === "openTurn" || key === "answered" ? undefined : field
        )
      )
    const content = { entries: [older(snapshotOf(state))], length: 0 }
    Effect.runSync(Ref.set(house.world.journal.written, content))
    house.start()
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("forgets the issue that was finished first when there are too many, with what was kept of its runs", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} } })
    house.advance("1 minute")
    const { state } = house.view()
    const finished = house.record("A")
    const last = finished.history.at(-1) ?? assert.fail("nothing ended")
    house.kill()
    house.world.tracker.remove("Done/A.md")
    const issues = Array.from({ length: KEPT_FINISHED + 1 }, (_, n) => ({
      ...finished,
      id: IssueId.make(`F-${n}`),
      identifier: Identifier.make(`F-${n}`),
      history: [{ ...last, run: makeRunId(1, n + 10), endedAt: n }]
    }))
    const entries = [
      snapshotOf({ ...state, issues: Object.fromEntries(issues.map((issue) => [issue.id, issue])) })
    ]
    Effect.runSync(Ref.set(house.world.journal.written, { entries, length: 0 }))
    const folderOf = (n: number) => `/project/.symphony/runs/${makeRunId(1, n + 10)}`
    for (const n of [0, 1]) house.world.disk.put(`${folderOf(n)}/mark_done.md`, "")
    house.start()
    house.advance("1 minute")
    assert.notProperty(house.view().state.issues, "F-0")
    assert.property(house.view().state.issues, "F-1")
    assert.isNull(house.world.disk.stat(folderOf(0)))
    assert.isNotNull(house.world.disk.stat(folderOf(1)))
  })
})

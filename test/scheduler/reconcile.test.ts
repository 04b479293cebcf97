import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Ref } from "effect"
import { Identifier } from "../../src/domain/ids.ts"
import { setWork } from "../../src/handoff/MemoryHandoff.ts"
import { isQuiet } from "../../src/scheduler/decide.ts"
import { Scheduler } from "../../src/scheduler/Scheduler.ts"
import { TrackerError } from "../../src/tracker/Tracker.ts"
import { WorkspaceError } from "../../src/workspace/Workspaces.ts"
import { type Household, makeHousehold } from "../support/household.ts"
import { diligent, endOfTurn } from "../support/house.ts"
import { busy, deaf, failing, inTurn, passing } from "../support/scripts.ts"
import { testState } from "../support/workflow.ts"

const states = [
  testState("Todo", "active"),
  testState("Review", "active"),
  testState("Triage", "holding"),
  testState("Done", "terminal")
]
const running = (path = "Todo/A.md") => {
  const house = makeHousehold({
    config: { states },
    issues: { [path]: {} },
    behaviour: { prompt: inTurn(busy) }
  })
  house.advance("1 second")
  assert.isDefined(house.runOf("A"))
  return house
}
const outcomeOf = (house: ReturnType<typeof makeHousehold>) => house.record("A").history[0]?.outcome

describe("what people do to a running issue", () => {
  it("ends the run of an issue that is moved to a terminal state, hands its work over, then removes the workspace", () => {
    const house = running()
    house.world.tracker.move("Todo/A.md", "Done/A.md")
    house.advance("10 seconds")
    assert.deepStrictEqual(outcomeOf(house), { _tag: "Cancelled", reason: "moved_to_terminal" })
    assert.isNotNull(house.record("A").handoff?.patch)
    assert.isNull(house.record("A").workspace)
    assert.strictEqual(house.world.guests.size, 0)
  })

  it("ends the run of an issue that is moved aside, and keeps its workspace", () => {
    const house = running()
    house.world.tracker.move("Todo/A.md", "Triage/A.md")
    house.advance("10 seconds")
    assert.deepStrictEqual(outcomeOf(house), { _tag: "Cancelled", reason: "moved_to_inactive" })
    assert.isNotNull(house.record("A").workspace)
  })

  it("ends a run whose issue is deleted, but not while an editor saves it", () => {
    const house = running()
    house.world.tracker.remove("Todo/A.md")
    house.advance("1 second")
    house.put("Todo/A.md", { title: "Saved" })
    house.advance("10 seconds")
    assert.isDefined(house.runOf("A"))
    house.world.tracker.remove("Todo/A.md")
    house.advance("10 seconds")
    assert.isUndefined(house.runOf("A"))
    assert.deepStrictEqual(outcomeOf(house), { _tag: "Cancelled", reason: "issue_missing" })
  })

  it("goes on while the file cannot be read: that says nothing about the issue", () => {
    const house = running()
    house.world.tracker.spoil("Todo/A.md")
    house.advance("4 minutes")
    assert.isDefined(house.runOf("A"))
  })

  for (const onDisk of [false, true]) {
    const outage = (house: Household) => {
      const root = "/project/issues"
      if (onDisk) {
        house.world.disk.rename(root, `${root}.away`)
        return () => house.world.disk.rename(`${root}.away`, root)
      }
      house.world.behaviour.tracker = ({ operation, path }) =>
        Effect.fail(
          new TrackerError({
            operation: operation === "link" || operation === "unlink" ? "move" : operation,
            path,
            detail: "it does not exist"
          })
        )
      house.run(Effect.flatMap(Scheduler, ({ refresh }) => refresh))
      return () => (house.world.behaviour.tracker = () => Effect.void)
    }

    describe(onDisk ? "in a folder of files" : "in memory", () => {
      it("goes on while the tracker as a whole cannot be read, and starts nothing", () => {
        const house = makeHousehold({
          onDisk,
          config: { agent: { circuitBreakerThreshold: 2 } },
          issues: { "Todo/A.md": {}, "Todo/B.md": {} },
          behaviour: { prompt: (turn) => (turn.identifier === "A" ? busy : inTurn(failing("exit")))(turn) }
        })
        house.advance("5 seconds")
        const end = outage(house)
        house.advance("4 minutes")
        assert.isDefined(house.runOf("A"))
        assert.deepStrictEqual(house.why("B"), {
          _tag: "Obstacle",
          message: "the tracker cannot be read: it does not exist"
        })
        assert.deepInclude(house.record("B"), { attempts: 1, failures: 1, hold: null })

        house.world.behaviour.prompt = diligent
        end()
        house.advance("1 minute")
        assert.include(house.files(), "Done/B.md")
      })
    })
  }

  for (const [what, hide] of Object.entries<(house: Household) => void>({
    "an editor has put its file aside": ({ world }) => world.tracker.remove("Todo/A.md"),
    "its file cannot be read": ({ world }) => world.tracker.spoil("Todo/A.md"),
    "the tracker cannot be read": ({ world }) => {
      world.behaviour.tracker = ({ operation, path }) =>
        operation === "read"
          ? Effect.fail(new TrackerError({ operation, path, detail: "input/output error" }))
          : Effect.void
    }
  })) {
    it(`goes on with its next turn when one ends while ${what}`, () => {
      const house = makeHousehold({
        issues: { "Todo/A.md": {} },
        behaviour: {
          prompt: inTurn(
            () => Effect.as(Effect.sleep("5 seconds"), endOfTurn),
            (turn) => Effect.andThen(Effect.sleep("5 seconds"), diligent(turn))
          )
        }
      })
      house.advance("4900 millis")
      hide(house)
      house.advance("200 millis")
      house.world.behaviour.tracker = () => Effect.void
      house.put("Todo/A.md", { title: "Saved" })
      house.advance("10 seconds")
      assert.deepStrictEqual(house.files(), ["Done/A.md"])
      assert.strictEqual(house.record("A").history.length, 1)
    })
  }

  it("is moved when it is done although an editor has just put its file aside", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, started: false })
    house.world.behaviour.prompt = (turn) =>
      Effect.andThen(
        Effect.sync(() => house.world.tracker.remove("Todo/A.md")),
        diligent(turn)
      )
    house.start()
    house.advance("1 second")
    house.put("Todo/A.md", { title: "Saved" })
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.strictEqual(house.world.prompts.length, 1)
  })

  it("forgets the retry of an issue that is deleted, but not while an editor saves it", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(failing("exit")) }
    })
    house.advance("2 seconds")
    house.world.tracker.remove("Todo/A.md")
    house.advance("1 second")
    house.put("Todo/A.md", { title: "Saved" })
    house.advance("2 seconds")
    assert.isNotNull(house.record("A").retry)
    house.world.tracker.remove("Todo/A.md")
    house.advance("1 minute")
    assert.isNull(house.record("A").retry)
    house.put("Todo/A.md", {})
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
  })

  it("cleans up after an issue that is finished by hand while it waits to be retried", () => {
    const house = makeHousehold({
      config: { states },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: failing("exit") }
    })
    house.advance("2 seconds")
    assert.strictEqual(house.why("A")._tag, "Backoff")
    house.world.tracker.move("Todo/A.md", "Done/A.md")
    house.advance("1 minute")
    assert.deepInclude(house.record("A"), { retry: null, workspace: null })
    assert.strictEqual(house.record("A").attempts, 1)
  })

  it("reads its issue again after each turn", () => {
    const house = makeHousehold({
      config: { polling: { intervalMs: 86_400_000 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(() => Effect.as(Effect.sleep("5 seconds"), endOfTurn)) }
    })
    house.advance("4 seconds")
    const read: Array<string> = []
    house.world.behaviour.tracker = ({ operation, path }) =>
      Effect.sync(() => void (operation === "read" && read.push(path)))
    house.advance("1100 millis")
    assert.deepStrictEqual(read.slice(0, 1), ["A"])
  })

  it("follows an issue that is moved between active states", () => {
    const house = running()
    house.world.tracker.move("Todo/A.md", "Review/A.md")
    house.advance("1 second")
    assert.strictEqual(house.runOf("A")?.state, "Review")
  })

  it("is not misled by a stale copy in a terminal state", () => {
    const house = running()
    house.world.tracker.duplicate("Todo/A.md", "Done/A.md")
    house.advance("1 minute")
    assert.isDefined(house.runOf("A"))
    assert.strictEqual(house.view().observation.tracker.problems.length, 1)
  })

  it("ends a run that loses a required label", () => {
    const house = makeHousehold({
      config: { tracker: { requiredLabels: ["agent"] } },
      issues: { "Todo/A.md": { labels: ["agent"] } },
      behaviour: { prompt: busy }
    })
    house.advance("1 second")
    house.put("Todo/A.md", { labels: [] })
    house.advance("10 seconds")
    assert.isUndefined(house.runOf("A"))
  })

  it("goes by an edit of the settings at once: what they do not let run any more is ended", () => {
    const house = makeHousehold({
      config: { states },
      issues: {
        "Todo/A.md": { labels: ["agent"] },
        "Todo/UNLABELLED.md": {},
        "Review/HELD.md": { labels: ["agent"] }
      },
      behaviour: { prompt: busy }
    })
    house.advance("1 second")
    assert.lengthOf(Object.keys(house.view().state.runs), 3)
    house.configure({
      tracker: { requiredLabels: ["agent"] },
      states: states.map((state) => (state.name === "Review" ? testState("Review", "holding") : state))
    })
    house.advance("5 seconds")
    assert.isDefined(house.runOf("A"))
    for (const issue of ["UNLABELLED", "HELD"])
      assert.deepStrictEqual(house.record(issue).history[0]?.outcome, {
        _tag: "Cancelled",
        reason: "moved_to_inactive"
      })
  })

  it("ends an agent that does not listen, and confirms that its sandbox is dead before the slot is free", () => {
    const answers = ["unknown", "unknown", "dead"] as const
    let asked = 0
    const house = makeHousehold({
      config: { states, agent: { maxConcurrentAgents: 1 } },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(deaf), reap: () => Effect.sync(() => answers[asked++] ?? "dead") }
    })
    house.advance("1 second")
    house.world.tracker.move("Todo/A.md", "Triage/A.md")
    house.put("Todo/B.md")
    house.world.behaviour.prompt = diligent
    house.advance("5 seconds")
    assert.strictEqual(house.why("B")._tag, "GlobalCap")
    house.advance("20 seconds")
    assert.isAtLeast(asked, 3)
    assert.include(house.files(), "Done/B.md")
  })

  it("does not read anything when nothing runs and nothing has changed", () => {
    const reads: Array<string> = []
    const house = makeHousehold({ issues: { "Triage/A.md": {} } })
    house.world.behaviour.tracker = ({ operation }) => Effect.sync(() => void reads.push(operation))
    house.advance("5 minutes")
    assert.deepStrictEqual([...new Set(reads)], ["scan"])
  })
})

describe("the agent's own move", () => {
  it("is not mistaken for a person's, whatever the moment of the scan", () => {
    const house = makeHousehold({
      config: { states },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(passing("Review")) }
    })
    house.advance("1 minute")
    assert.deepStrictEqual(
      house.record("A").history.map(({ outcome }) => outcome._tag),
      ["Completed", "Completed"]
    )
  })

  it("gives way to a person who moved the issue first", () => {
    const house = makeHousehold({
      config: { states },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn((turn) =>
          turn
            .call("mark_done", { title: "Done", summary: "Done." })
            .pipe(
              Effect.tap(Effect.sync(() => house.world.tracker.move("Todo/A.md", "Triage/A.md"))),
              Effect.andThen(busy(turn))
            )
        )
      },
      started: false
    })
    house.start()
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Triage/A.md"])
    assert.isNotNull(house.record("A").handoff?.patch)
  })

  it("is made although the file is edited at that very moment", () => {
    let edits = 0
    const house = makeHousehold({ config: { states }, issues: { "Todo/A.md": {} } })
    house.world.behaviour.tracker = ({ operation }) =>
      Effect.sync(() => {
        if (operation === "move" && edits++ === 0) house.put("Todo/A.md", { title: "Edited" })
      })
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.strictEqual(house.record("A").attempts, 1)
  })

  it("does not hide a person's later one, however late it is written down", () => {
    const house = makeHousehold({ config: { states }, issues: { "Todo/A.md": {} }, started: false })
    const disk = house.world.journal.failure
    house.world.behaviour.prompt = inTurn(passing("Review"))
    house.world.behaviour.tracker = ({ operation }) =>
      operation === "unlink" ? Ref.set(disk, "no space left") : Effect.void
    house.start()
    house.advance("5 seconds")
    assert.deepStrictEqual(house.files(), ["Review/A.md"])
    house.world.tracker.move("Review/A.md", "Done/A.md")
    house.advance("5 seconds")
    house.run(Ref.set(disk, null))
    house.advance("5 seconds")
    assert.strictEqual(house.why("A")._tag, "Finished")
    assert.strictEqual(house.record("A").attempts, 1)
  })

  it("is not left half done by a disk that fails between link and unlink", () => {
    const house = makeHousehold({ config: { states }, started: false, issues: { "Todo/A.md": {} } })
    let failures = 0
    house.world.behaviour.tracker = ({ operation, path }) =>
      operation === "unlink" && failures++ < 5
        ? Effect.fail(new TrackerError({ operation: "move", path, detail: "input/output error" }))
        : Effect.void
    house.start()
    house.advance("5 minutes")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.strictEqual(house.record("A").attempts, 1)
  })

  it("does not overwrite a file that has the name in the target state", () => {
    const house = makeHousehold({
      config: { states },
      issues: { "Todo/A.md": {}, "Done/A.md": { id: "other", identifier: "X" } }
    })
    house.advance("1 minute")
    assert.deepStrictEqual(house.files(), ["Done/A.md", "Todo/A.md"])
    assert.deepInclude(house.why("A"), { _tag: "Held", reason: "handoff" })
  })
})

describe("workspaces", () => {
  it("are removed when the issue is finished and its work is handed over", () => {
    const house = makeHousehold({ issues: { "Todo/A.md": {} } })
    house.advance("5 seconds")
    assert.isNull(house.record("A").workspace)
    assert.strictEqual(house.record("A").handoff?.verdict, "verified")
  })

  it("of an issue that a person finished later are handed over before they are removed", () => {
    const house = makeHousehold({
      config: { states },
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(passing("Triage")) }
    })
    house.run(setWork(house.world.handoff, Identifier.make("A"), { head: "c1", commits: 1, uncommitted: [] }))
    house.advance("5 seconds")
    assert.isNotNull(house.record("A").workspace)
    house.world.tracker.move("Triage/A.md", "Done/A.md")
    house.advance("5 seconds")
    assert.isNull(house.record("A").workspace)
    const exports = [...Ref.getUnsafe(house.world.handoff.exports).values()]
    assert.deepStrictEqual(
      exports.map(({ head }) => head),
      ["c1"]
    )
  })

  it("that are being removed keep the program from ending", () => {
    const disk = Deferred.makeUnsafe<void>()
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn(busy),
        disk: (operation) => (operation === "remove" ? Deferred.await(disk) : Effect.void)
      }
    })
    house.advance("2 seconds")
    house.world.tracker.move("Todo/A.md", "Done/A.md")
    house.advance("20 seconds")
    const quiet = () => {
      const { at, observation, state } = house.view()
      return isQuiet(state, observation, at)
    }
    assert.deepStrictEqual(Object.keys(house.view().state.runs), [])
    assert.isFalse(quiet())
    house.run(Deferred.succeed(disk, undefined))
    house.advance("1 second")
    assert.isNull(house.record("A").workspace)
    assert.isTrue(quiet())
  })

  it("are kept after failures and continuations", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: inTurn(failing("exit")) }
    })
    house.advance("5 seconds")
    assert.isNotNull(house.record("A").workspace)
  })

  it("that cannot be removed are tried again, more and more seldom, and block nobody", () => {
    let tries = 0
    const house = makeHousehold({ issues: { "Todo/A.md": {} }, started: false })
    house.world.behaviour.disk = (operation, workspace) =>
      operation === "remove"
        ? Effect.suspend(() => {
            tries += 1
            return Effect.fail(new WorkspaceError({ reason: "io", path: workspace.path, detail: "busy" }))
          })
        : Effect.void
    house.start()
    house.advance("10 minutes")
    assert.isAtLeast(tries, 2)
    assert.isAtMost(tries, 6)
  })
})

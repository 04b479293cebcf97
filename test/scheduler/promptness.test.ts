import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer } from "effect"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import { Scheduler } from "../../src/scheduler/Scheduler.ts"
import * as MarkdownTracker from "../../src/tracker/MarkdownTracker.ts"
import * as MemoryWorkflow from "../../src/workflow/MemoryWorkflow.ts"
import { houseLayer, makeHouseWorld } from "../support/house.ts"
import { makeMachine, tellExit } from "../support/Machine.ts"
import { busy } from "../support/scripts.ts"
import { testState, testWorkflow } from "../support/workflow.ts"

const POLL_MS = 60_000
const WITHIN_A_SECOND_MS = 999

/**
 * The production tracker with its watcher and the production scheduler, on a machine whose time is ours: what is
 * measured is how long they wait, whatever else a real machine does.
 */
const between = () => {
  const machine = makeMachine()
  const workflow = testWorkflow({
    config: {
      states: [testState("Todo", "active"), testState("Done", "terminal")],
      polling: { intervalMs: POLL_MS },
      handoff: { mode: "none" }
    }
  })
  const world = makeHouseWorld({ workflow, now: machine.now, behaviour: { prompt: busy } })
  const { disk } = world
  const at = (path: string) => `${workflow.config.tracker.root}/${path}`
  for (const state of ["Todo", "Done"]) disk.put(at(`${state}/.gitkeep`), "")
  const tracker = MarkdownTracker.layer.pipe(
    Layer.provide([MemorySafeFiles.layer(disk), MemoryWorkflow.layer(workflow)]),
    Layer.orDie
  )
  const life = machine.start(
    Effect.flatMap(Effect.scope, (scope) =>
      Layer.buildWithScope(houseLayer({ workflow, world, leaves: { tracker } }), scope)
    )
  )
  // Up, and as far from one poll as from the next.
  machine.advance(POLL_MS / 2)

  const record = (id: string) => {
    const services = life.value() ?? assert.fail("the program does not stand")
    const asked = life.fork(Context.get(services, Scheduler).view)
    machine.settle()
    const exit = asked.pollUnsafe() ?? assert.fail("the scheduler does not answer")
    return Exit.isSuccess(exit) ? exit.value.state.issues[id] : assert.fail(tellExit(exit))
  }
  return {
    world,
    record,
    advance: machine.advance,
    /** As an editor does: aside, then renamed into its folder. */
    save: (path: string) => {
      disk.put("/project/aside.md", "---\ntitle: An issue\n---\n")
      disk.rename("/project/aside.md", at(path))
    },
    move: (from: string, to: string) => disk.rename(at(from), at(to))
  }
}

describe("between two polls", () => {
  it("an issue that is dropped into Todo/ is prompted within a second", () => {
    const { advance, save, world } = between()
    save("Todo/A.md")
    advance(WITHIN_A_SECOND_MS)
    assert.deepStrictEqual(
      world.prompts.map(({ identifier }) => String(identifier)),
      ["A"]
    )
  })

  it("a run whose issue is moved to Done/ by hand is stopped within a second", () => {
    const { advance, move, record, save, world } = between()
    save("Todo/A.md")
    advance(WITHIN_A_SECOND_MS)
    assert.strictEqual(world.guests.size, 1)
    move("Todo/A.md", "Done/A.md")
    advance(WITHIN_A_SECOND_MS)
    assert.strictEqual(world.guests.size, 0)
    assert.deepInclude(record("A")?.history.at(-1)?.outcome, {
      _tag: "Cancelled",
      reason: "moved_to_terminal"
    })
    assert.isNull(record("A")?.retry ?? null)
  })
})

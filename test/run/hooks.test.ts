import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HookError, type HookEnvironment } from "../../src/workspace/Workspaces.ts"
import { makeHousehold } from "../support/household.ts"
import { failing, inTurn, passing, silent } from "../support/scripts.ts"
import { testState } from "../support/workflow.ts"

const states = [testState("Todo", "active"), testState("Triage", "holding"), testState("Done", "terminal")]

describe("hooks", () => {
  it("run after every run that had a workspace, told how it ended", () => {
    const outcomes: Array<string | undefined> = []
    const house = makeHousehold({
      config: { states, hooks: { after_run: ":" }, agent: { maxTurns: 1 } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn(failing("exit"), silent, passing("Triage")),
        hook: (hook, { env }) =>
          Effect.sync(() => {
            if (hook === "after_run") outcomes.push(env["SYMPHONY_RUN_OUTCOME"])
          })
      }
    })
    house.advance("1 minute")
    assert.deepStrictEqual(outcomes, ["failed", "continue", "completed"])
  })

  it("run after a run that a bug of ours ended, too", () => {
    const outcomes: Array<string | undefined> = []
    const house = makeHousehold({
      config: { states, hooks: { after_run: ":" } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        prompt: inTurn(() => Effect.die(new Error("a bug"))),
        hook: (_, { env }) => Effect.sync(() => void outcomes.push(env["SYMPHONY_RUN_OUTCOME"]))
      }
    })
    house.advance("5 seconds")
    assert.deepStrictEqual(outcomes, ["failed"])
    assert.deepInclude(house.record("A").history[0]?.outcome, { reason: "defect" })
  })

  it("are told the patch and the agent's own account of a finished issue", () => {
    const seen: Array<HookEnvironment> = []
    const house = makeHousehold({
      config: { states, hooks: { after_run: ":" } },
      issues: { "Todo/A.md": {} },
      behaviour: { hook: (_, { env }) => Effect.sync(() => void seen.push(env)) }
    })
    house.advance("10 seconds")
    const env = seen.at(-1) ?? assert.fail("no hook")
    assert.include(env["SYMPHONY_PATCH"] ?? "", ".patch")
    assert.strictEqual(env["SYMPHONY_ISSUE_STATE"], "Done")
    const path = env["SYMPHONY_MARK_DONE"] ?? assert.fail("no mark_done.md")
    assert.include(Buffer.from(house.world.disk.read(path).bytes).toString(), "All done.")
  })

  it("fail the run before it has a sandbox, when before_run fails", () => {
    let boots = 0
    const house = makeHousehold({
      config: { states, hooks: { before_run: ":" } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        boot: () => Effect.sync(() => void (boots += 1)),
        hook: (hook) =>
          hook === "before_run"
            ? Effect.fail(
                new HookError({ hook, reason: "exit", code: 1, detail: "exited with 1", output: "" })
              )
            : Effect.void
      }
    })
    house.advance("1 second")
    assert.strictEqual(boots, 0)
    assert.deepInclude(house.record("A").history[0]?.outcome, { reason: "hook_before_run" })
  })

  it("do not run after a run that did not get past before_run", () => {
    const ran: Array<string> = []
    const house = makeHousehold({
      config: { states, hooks: { after_create: ":", before_run: ":", after_run: ":" } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        hook: (hook) =>
          Effect.andThen(
            Effect.sync(() => void ran.push(hook)),
            hook === "before_run" && ran.length < 3
              ? Effect.fail(
                  new HookError({ hook, reason: "exit", code: 1, detail: "exited with 1", output: "" })
                )
              : Effect.void
          )
      }
    })
    house.advance("1 minute")
    assert.deepStrictEqual(ran, ["after_create", "before_run", "before_run", "before_run", "after_run"])
  })

  it("and the sandbox are not reached by a prompt that does not render", () => {
    const reached: Array<string> = []
    const house = makeHousehold({
      config: { states, hooks: { after_create: ":", before_run: ":", after_run: ":" } },
      prompt: "{{ issue.title }}\n{{ issue.labels[0].name }}",
      issues: { "Todo/A.md": { labels: ["a"] } },
      behaviour: {
        boot: () => Effect.sync(() => void reached.push("boot")),
        hook: (hook) => Effect.sync(() => void reached.push(hook))
      }
    })
    house.advance("1 second")
    assert.deepStrictEqual(reached, [])
    const [attempt] = house.record("A").history
    assert.deepInclude(attempt?.outcome, { _tag: "Failed", reason: "template_render_error" })
    assert.match(JSON.stringify(attempt?.outcome), /WORKFLOW\.md:2:4 prompt: undefined variable/)
  })

  it("before_remove is told how the issue has ended, as after_run is", () => {
    const seen = new Map<string, HookEnvironment>()
    const house = makeHousehold({
      config: { states, hooks: { after_run: ":", before_remove: ":" } },
      issues: { "Todo/A.md": {} },
      behaviour: { hook: (hook, { env }) => Effect.sync(() => void seen.set(hook, env)) }
    })
    house.advance("10 seconds")
    assert.strictEqual(seen.get("before_remove")?.["SYMPHONY_ISSUE_STATE"], "Done")
    assert.strictEqual(seen.get("before_remove")?.["SYMPHONY_RUN_OUTCOME"], "completed")
    assert.deepStrictEqual(seen.get("before_remove"), seen.get("after_run"))
  })

  it("that fail afterwards are shown and change nothing", () => {
    const house = makeHousehold({
      config: { states, hooks: { after_run: ":" } },
      issues: { "Todo/A.md": {} },
      behaviour: {
        hook: (hook) =>
          Effect.fail(new HookError({ hook, reason: "exit", code: 1, detail: "exited with 1", output: "" }))
      }
    })
    house.advance("10 seconds")
    assert.deepStrictEqual(house.files(), ["Done/A.md"])
    assert.isTrue(house.journal().some((entry) => entry._tag === "HookEnded" && entry["error"] !== null))
  })
})

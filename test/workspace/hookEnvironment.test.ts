import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { makeRunId } from "../../src/domain/ids.ts"
import { type HookFacts, hookEnvironment, HookVariables } from "../../src/workspace/hookEnvironment.ts"
import { testWorkflow } from "../support/workflow.ts"

const facts: HookFacts = {
  workflow: testWorkflow(),
  identifier: "feat/7",
  state: "In Progress",
  title: "Mend the roof",
  attempt: 2,
  runId: makeRunId(3, 4),
  outcome: null,
  workspace: "/project/.symphony/workspaces/feat_7-0123456789abcdef",
  bin: "/usr/bin/symphony",
  markDone: null,
  patch: null,
  operator: {}
}

describe("hookEnvironment", () => {
  it("tells a hook about its run and leaves out what is not known yet", () => {
    assert.deepStrictEqual(hookEnvironment(facts), {
      SYMPHONY_ISSUE_ID: "feat/7",
      SYMPHONY_ISSUE_STATE: "In Progress",
      SYMPHONY_ISSUE_TITLE: "Mend the roof",
      SYMPHONY_ATTEMPT: "2",
      SYMPHONY_RUN_ID: "r3-4",
      SYMPHONY_WORKFLOW: "/project/WORKFLOW.md",
      SYMPHONY_WORKSPACE: "/project/.symphony/workspaces/feat_7-0123456789abcdef",
      SYMPHONY_BIN: "/usr/bin/symphony",
      SYMPHONY_BRANCH: "agent/feat_7-81ac228c6cfca440",
      SYMPHONY_TRACKER_ROOT: "/project/issues",
      SYMPHONY_BASE_BRANCH: "main",
      SYMPHONY_SOURCE_REPO: "/project",
      SYMPHONY_PATCHES_DIR: "/project/.symphony/patches"
    })
  })

  it("adds what after_run is told", () => {
    const env = hookEnvironment({
      ...facts,
      outcome: "Completed",
      markDone: "/s/mark_done.md",
      patch: "/p/a.patch"
    })
    assert.strictEqual(env["SYMPHONY_RUN_OUTCOME"], "Completed")
    assert.strictEqual(env["SYMPHONY_MARK_DONE"], "/s/mark_done.md")
    assert.strictEqual(env["SYMPHONY_PATCH"], "/p/a.patch")
  })

  it("keeps the operator's values where they are set", () => {
    const operator = {
      SYMPHONY_REPO: "me/it",
      SYMPHONY_BASE_BRANCH: "trunk",
      SYMPHONY_SOURCE_REPO: "/src",
      SYMPHONY_PATCHES_DIR: "/out"
    }
    assert.include(hookEnvironment({ ...facts, operator }), operator)
  })

  it("makes an environment of a title that cannot be in one", () => {
    assert.strictEqual(hookEnvironment({ ...facts, title: "a\0b" })["SYMPHONY_ISSUE_TITLE"], "a\uFFFDb")
  })

  it.effect("reads the operator's values once, without empty ones", () =>
    Effect.gen(function* () {
      const { bin, operator } = yield* HookVariables
      assert.strictEqual(bin, "/usr/bin/symphony")
      assert.deepStrictEqual(operator, { SYMPHONY_REPO: "me/it" })
    }).pipe(
      Effect.provide(HookVariables.layer("/usr/bin/symphony")),
      Effect.provide(
        ConfigProvider.layer(
          ConfigProvider.fromEnv({ env: { SYMPHONY_REPO: "me/it", SYMPHONY_BASE_BRANCH: "", OTHER: "x" } })
        )
      )
    )
  )
})

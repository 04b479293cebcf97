import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { makeRunId } from "../../src/domain/ids.ts"
import { modeOf, Operator, placesOf } from "../../src/workflow/Operator.ts"
import { type HookFacts, hookEnvironment } from "../../src/workspace/hookEnvironment.ts"
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
  operator: Operator.nothingSet,
  source: "/repository"
}

describe("hookEnvironment", () => {
  it("tells a hook about its run, and takes away what is not known yet", () => {
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
      SYMPHONY_SOURCE_REPO: "/repository",
      SYMPHONY_PATCHES_DIR: "/project/.symphony/patches",
      SYMPHONY_QUARANTINE: "/project/.symphony/quarantine/repository.git",
      SYMPHONY_RUN_OUTCOME: undefined,
      SYMPHONY_MARK_DONE: undefined,
      SYMPHONY_PATCH: undefined,
      SYMPHONY_REPO: undefined
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
      repository: "me/it",
      baseBranch: "trunk",
      sourceRepository: "/src",
      trackerRoot: "/their/issues",
      patchesFolder: "/out"
    }
    assert.include(hookEnvironment({ ...facts, operator, source: "/src" }), {
      SYMPHONY_REPO: "me/it",
      SYMPHONY_BASE_BRANCH: "trunk",
      SYMPHONY_SOURCE_REPO: "/src",
      SYMPHONY_TRACKER_ROOT: "/their/issues",
      SYMPHONY_PATCHES_DIR: "/out"
    })
  })

  it("makes an environment of a title that cannot be in one", () => {
    assert.strictEqual(hookEnvironment({ ...facts, title: "a\0b" })["SYMPHONY_ISSUE_TITLE"], "a\uFFFDb")
  })
})

describe("the operator's environment", () => {
  const read = (env: Readonly<Record<string, string>>) =>
    Operator.pipe(
      Effect.provide(Operator.layer),
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
    )

  it.effect("says nothing where a variable is blank, to the handoff as to hooks", () =>
    Effect.gen(function* () {
      const operator = yield* read({ SYMPHONY_REPO: " ", SYMPHONY_BASE_BRANCH: "", OTHER: "x" })
      assert.deepStrictEqual(operator, Operator.nothingSet)
      assert.strictEqual(modeOf(operator, testWorkflow()), "patch")
    })
  )

  it.effect("means relative folders from the folder of the workflow", () =>
    Effect.gen(function* () {
      const operator = yield* read({
        SYMPHONY_SOURCE_REPO: "../source",
        SYMPHONY_TRACKER_ROOT: "their/issues",
        SYMPHONY_PATCHES_DIR: "out"
      })
      const places = placesOf(operator, facts.workflow)
      assert.include(places, {
        source: "/source",
        tracker: "/project/their/issues",
        patches: "/project/out"
      })
      assert.strictEqual(hookEnvironment({ ...facts, operator })["SYMPHONY_PATCHES_DIR"], places.patches)
    })
  )
})

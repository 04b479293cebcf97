import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, type Scope } from "effect"
import { Identifier, makeRunId } from "../../src/domain/ids.ts"
import { Workspaces } from "../../src/workspace/Workspaces.ts"
import type { HookName, WorkflowDefinition } from "../../src/workflow/WorkflowConfig.ts"

/** What a hook of the contract does; a hook that is not named is not configured. */
export type Behaviour = "ok" | "fail" | "hang"

/** A place to run the contract in: hooks note themselves as `<hook> <SYMPHONY_ISSUE_ID>`. */
export interface Stage {
  readonly workflow: (hooks: Partial<Record<HookName, Behaviour>>) => WorkflowDefinition
  readonly calls: Effect.Effect<ReadonlyArray<string>>
}

const A1 = Identifier.make("A-1")
const order = { runId: makeRunId(1, 1), env: { SYMPHONY_ISSUE_ID: "A-1" } }

/** The promises of `Workspaces` that every layer keeps. */
export const workspacesContract = (
  title: string,
  onStage: <E>(
    body: (stage: Stage) => Effect.Effect<void, E, Workspaces | Scope.Scope>
  ) => Effect.Effect<void, E>
) =>
  describe(`Workspaces contract: ${title}`, () => {
    const test = <E>(
      name: string,
      body: (stage: Stage) => Effect.Effect<void, E, Workspaces | Scope.Scope>
    ) => it.live(name, () => onStage(body))

    test("makes a workspace once and reuses it afterwards", (stage) =>
      Effect.gen(function* () {
        const workspaces = yield* Workspaces
        const workflow = stage.workflow({ after_create: "ok" })
        const first = yield* workspaces.ensure(A1, workflow, order)
        const second = yield* workspaces.ensure(A1, workflow, order)
        assert.deepStrictEqual([first.created, second.created], [true, false])
        assert.strictEqual(first.path, second.path)
        assert.strictEqual(first.key, workspaces.locate(A1, workflow).key)
        assert.isTrue(yield* workspaces.exists(first, workflow))
        assert.deepStrictEqual(yield* stage.calls, ["after_create A-1"])
      }))

    test("knows which it has made, until they are removed", (stage) =>
      Effect.gen(function* () {
        const workspaces = yield* Workspaces
        const workflow = stage.workflow({})
        assert.deepStrictEqual(yield* workspaces.made(workflow), [])
        const workspace = yield* workspaces.ensure(A1, workflow, order)
        assert.deepStrictEqual(yield* workspaces.made(workflow), [{ identifier: A1, path: workspace.path }])
        yield* workspaces.remove({ ...order, workspace, workflow })
        assert.deepStrictEqual(yield* workspaces.made(workflow), [])
      }))

    test("runs after_create once when many ask at the same time", (stage) =>
      Effect.gen(function* () {
        const workspaces = yield* Workspaces
        const workflow = stage.workflow({ after_create: "ok" })
        const all = yield* Effect.all(
          Array.from({ length: 8 }, () => workspaces.ensure(A1, workflow, order)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(all.filter(({ created }) => created).length, 1)
        assert.deepStrictEqual(yield* stage.calls, ["after_create A-1"])
      }))

    test("leaves nothing behind when after_create fails, and starts anew the next time", (stage) =>
      Effect.gen(function* () {
        const workspaces = yield* Workspaces
        const failing = stage.workflow({ after_create: "fail" })
        const error = yield* Effect.flip(workspaces.ensure(A1, failing, order))
        assert.strictEqual(error._tag, "HookError")
        const located = workspaces.locate(A1, failing)
        assert.isFalse(yield* workspaces.exists(located, failing))
        const again = yield* workspaces.ensure(A1, stage.workflow({ after_create: "ok" }), order)
        assert.isTrue(again.created)
        assert.deepStrictEqual(yield* stage.calls, ["after_create A-1", "after_create A-1"])
      }))

    test("leaves nothing behind when it is interrupted in after_create", (stage) =>
      Effect.gen(function* () {
        const workspaces = yield* Workspaces
        const workflow = stage.workflow({ after_create: "hang" })
        const making = yield* Effect.forkChild(workspaces.ensure(A1, workflow, order))
        yield* Effect.repeat(stage.calls, {
          until: (calls) => calls.length > 0,
          schedule: Schedule.spaced("5 millis")
        })
        yield* Fiber.interrupt(making)
        assert.isFalse(yield* workspaces.exists(workspaces.locate(A1, workflow), workflow))
      }))

    test("gives issues that look alike folders of their own", (stage) =>
      Effect.gen(function* () {
        const workspaces = yield* Workspaces
        const workflow = stage.workflow({})
        const names = ["a/b", "a_b", "../a", "a b", "A-1"]
        const paths = yield* Effect.forEach(names, (name) =>
          Effect.map(workspaces.ensure(Identifier.make(name), workflow, order), ({ path }) => path)
        )
        assert.strictEqual(new Set(paths).size, names.length)
      }))

    test("runs hooks that are configured and fails as they fail", (stage) =>
      Effect.gen(function* () {
        const workspaces = yield* Workspaces
        const workflow = stage.workflow({ before_run: "ok", after_run: "fail" })
        const workspace = yield* workspaces.ensure(A1, workflow, order)
        const context = { ...order, workspace, workflow }
        yield* workspaces.runHook("before_run", context)
        yield* workspaces.runHook("before_remove", context)
        const error = yield* Effect.flip(workspaces.runHook("after_run", context))
        assert.deepStrictEqual([error.hook, error.reason, error.code], ["after_run", "exit", 3])
        assert.deepStrictEqual(yield* stage.calls, ["before_run A-1", "after_run A-1"])
      }))

    test("removes after before_remove, even when that fails, and once only", (stage) =>
      Effect.gen(function* () {
        const workspaces = yield* Workspaces
        const workflow = stage.workflow({ before_remove: "fail" })
        const workspace = yield* workspaces.ensure(A1, workflow, order)
        const context = { ...order, workspace, workflow }
        yield* workspaces.remove(context)
        assert.isFalse(yield* workspaces.exists(workspace, workflow))
        yield* workspaces.remove(context)
        assert.deepStrictEqual(yield* stage.calls, ["before_remove A-1"])
        assert.isTrue((yield* workspaces.ensure(A1, workflow, order)).created)
      }))
  })

import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Layer, Ref, References } from "effect"
import { layer as safeFilesLayer } from "../../src/files/NodeSafeFiles.ts"
import { layer as localLayer } from "../../src/workspace/LocalWorkspaces.ts"
import { layerMemory } from "../../src/workspace/MemoryWorkspaces.ts"
import { HookError } from "../../src/workspace/Workspaces.ts"
import type { HookName } from "../../src/workflow/WorkflowConfig.ts"
import { testWorkflow } from "../support/workflow.ts"
import { type Behaviour, workspacesContract } from "./contract.ts"

const scripts = (
  hooks: Partial<Record<HookName, Behaviour>>,
  script: (hook: HookName, behaviour: Behaviour) => string
) => {
  const text = (hook: HookName) => {
    const behaviour = hooks[hook]
    return behaviour === undefined ? null : script(hook, behaviour)
  }
  return {
    after_create: text("after_create"),
    before_run: text("before_run"),
    after_run: text("after_run"),
    before_remove: text("before_remove")
  }
}

workspacesContract("in memory", (body) =>
  Effect.gen(function* () {
    const calls = yield* Ref.make<ReadonlyArray<string>>([])
    const layer = layerMemory({
      hook: Effect.fnUntraced(function* (hook, { env, workflow }) {
        yield* Ref.update(calls, (all) => [...all, `${hook} ${env["SYMPHONY_ISSUE_ID"]}`])
        const behaviour = workflow.config.hooks[hook]
        if (behaviour === "hang") return yield* Effect.never
        if (behaviour === "fail") {
          return yield* new HookError({
            hook,
            reason: "exit",
            code: 3,
            detail: "ended with exit code 3",
            output: ""
          })
        }
      })
    })
    const stage = {
      workflow: (hooks: Partial<Record<HookName, Behaviour>>) =>
        testWorkflow({ config: { hooks: scripts(hooks, (_, behaviour) => behaviour) } }),
      calls: Ref.get(calls)
    }
    yield* Effect.provide(body(stage), layer)
  }).pipe(Effect.scoped)
)

const endings: Record<Behaviour, string> = { ok: "true", fail: "exit 3", hang: "sleep 1000" }

workspacesContract("folders and shell hooks", (body) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const root = yield* Effect.orDie(fs.makeTempDirectoryScoped({ prefix: "workspace-test-" }))
    yield* Effect.orDie(fs.makeDirectory(`${root}/issues`))
    const log = `${root}/calls`
    const stage = {
      workflow: (hooks: Partial<Record<HookName, Behaviour>>) =>
        testWorkflow({
          config: {
            tracker: { root: `${root}/issues` },
            workspace: { root: `${root}/workspaces` },
            state: { root: `${root}/state` },
            hooks: scripts(
              hooks,
              (hook, behaviour) => `echo "${hook} $SYMPHONY_ISSUE_ID" >> ${log}\n${endings[behaviour]}`
            )
          }
        }),
      calls: fs.readFileString(log).pipe(
        Effect.map((text) => text.trim().split("\n")),
        Effect.orElseSucceed((): ReadonlyArray<string> => [])
      )
    }
    yield* Effect.provide(body(stage), localLayer)
  }).pipe(
    Effect.scoped,
    Effect.provide(
      safeFilesLayer.pipe(
        Layer.provideMerge(NodeServices.layer),
        Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
      )
    )
  )
)

import * as fs from "node:fs"
import * as path from "node:path"
import { NodeServices } from "@effect/platform-node"
import { ConfigProvider, Effect, Layer } from "effect"
import { ChildProcessSpawner } from "effect/process"
import { Identifier, makeRunId } from "../../src/domain/ids.ts"
import { agentBranch } from "../../src/domain/workspaceKey.ts"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"
import * as GitHandoff from "../../src/handoff/GitHandoff.ts"
import type { HandoffRequest } from "../../src/handoff/Handoff.ts"
import { Operator } from "../../src/workflow/Operator.ts"
import { cloneForAgent, makeSource, temporaryFolder, type Files } from "../support/repository.ts"
import { testWorkflow } from "../support/workflow.ts"

/** An operator's project with one issue's workspace. */
export interface World {
  readonly root: string
  readonly source: string
  readonly workspace: string
  readonly branch: string
  readonly patches: string
  readonly request: HandoffRequest
}

export const makeWorld = (files?: Files, title = "Greet the world"): World => {
  const root = temporaryFolder()
  const source = makeSource(path.join(root, "project"), files)
  const identifier = Identifier.make("DEMO-1")
  const branch = agentBranch(identifier)
  const workspace = cloneForAgent(source, path.join(source, ".symphony/workspaces/DEMO-1"), branch)
  const stateRoot = path.join(source, ".symphony")
  fs.writeFileSync(path.join(source, ".git/info/exclude"), ".symphony/\n")
  const request: HandoffRequest = {
    runId: makeRunId(1, 1),
    identifier,
    branch,
    workspace,
    title,
    summary: "Said hello.\n\nnode --test: 3 passed",
    tokens: { input: 10, output: 5, total: 15, source: "scripted" },
    startedAt: 1_767_315_845_000,
    workflow: testWorkflow({
      path: path.join(source, "WORKFLOW.md"),
      config: {
        state: { root: stateRoot },
        workspace: { root: path.join(stateRoot, "workspaces") },
        handoff: { mode: "auto" }
      }
    })
  }
  return { root, source, workspace, branch, patches: path.join(stateRoot, "patches"), request }
}

/** A world that is gone with the test. */
export const world = (files?: Files) =>
  Effect.acquireRelease(
    Effect.sync(() => makeWorld(files)),
    ({ root }) => Effect.sync(() => fs.rmSync(root, { recursive: true, force: true }))
  )

export const services = Layer.mergeAll(NodeServices.layer, NodeSafeFiles.layer)

/** Decides, at each process that is started, whether ours goes on: `before` it starts, `after` it has ended. */
export type Death = (n: number) => "before" | "after" | null

/** The machine's processes, until ours dies: from then on nothing is started, and nothing answers. */
const mortal = (death: Death) =>
  Layer.effect(
    ChildProcessSpawner.ChildProcessSpawner,
    Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      let started = 0
      const dead = Effect.die(new Error("killed"))
      return ChildProcessSpawner.make((command) =>
        Effect.suspend(() => {
          started += 1
          const when = death(started)
          if (when === "before") return dead
          const handle = spawner.spawn(command)
          return when === null
            ? handle
            : Effect.andThen(
                Effect.flatMap(handle, (it) => it.exitCode),
                dead
              )
        })
      )
    })
  )

/** With an environment of exactly these variables and the path. */
export const handoffWith = (env: Readonly<Record<string, string>> = {}, death: Death = () => null) =>
  GitHandoff.layer.pipe(
    Layer.provide(mortal(death)),
    Layer.provide(Operator.layer),
    Layer.provideMerge(services),
    Layer.provide(
      ConfigProvider.layer(ConfigProvider.fromUnknown({ PATH: process.env["PATH"] ?? "", ...env }))
    )
  )

export const handoff = handoffWith()

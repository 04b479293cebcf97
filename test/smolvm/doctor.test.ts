import * as fs from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, References, Result, Schedule } from "effect"
import { endpointIn } from "../../src/domain/Endpoint.ts"
import { layer as safeFilesLayer } from "../../src/files/NodeSafeFiles.ts"
import { diagnose } from "../../src/sandbox/smolvm/diagnose.ts"
import { defaultLimits, type Limits } from "../../src/sandbox/smolvm/limits.ts"
import { machinePrefix } from "../../src/sandbox/smolvm/machineName.ts"
import type { WorkflowConfig, WorkflowDefinition } from "../../src/workflow/WorkflowConfig.ts"
import { hasProcessTable } from "../support/capabilities.ts"
import { onSmolvm } from "./world.ts"

const layer = safeFilesLayer.pipe(
  Layer.provideMerge(NodeServices.layer),
  Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
)

const withSmolvm = (workflow: WorkflowDefinition, smolvm: Partial<WorkflowConfig["smolvm"]>) => ({
  ...workflow,
  config: { ...workflow.config, smolvm: { ...workflow.config.smolvm, image: "node:24", ...smolvm } }
})

/** What the doctor says of each thing: `null` where all is well, else what is wrong and what to do. */
const examine = (
  workflow: WorkflowDefinition,
  smolvm: Partial<WorkflowConfig["smolvm"]> = {},
  limits: Partial<Limits> = {}
) =>
  Effect.gen(function* () {
    const questions = yield* diagnose(withSmolvm(workflow, smolvm), [], {
      ...defaultLimits,
      askAgain: Duration.millis(100),
      ...limits
    })
    const answers: Record<string, string | null> = {}
    for (const { name, run } of questions) {
      const answer = yield* Effect.result(run)
      answers[name] = Result.isSuccess(answer) ? null : `${answer.failure.detail} - ${answer.failure.hint}`
    }
    return answers
  }).pipe(Effect.scoped, Effect.provide(layer))

const well = { smolvm: null, machines: null, image: null, "boot and network": null }

const program = (home: string, script: string) => {
  fs.mkdirSync(`${home}/other`)
  fs.writeFileSync(`${home}/other/smolvm`, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  process.env["PATH"] = `${home}/other:${process.env["PATH"]}`
}

describe.skipIf(!hasProcessTable("the doctor of smolvm"))(
  "what the doctor says of smolvm",
  { timeout: 120_000 },
  () => {
    it.live("all is well: a machine was booted, and nothing of it is left", () =>
      onSmolvm({}, ({ standIn, world }) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* examine(world.workflow), well)
          assert.lengthOf(standIn.boots(), 1)
          assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
          assert.isFalse(fs.existsSync(`${world.workflow.config.state.root}/doctor`))
        })
      )
    )

    it.live("there is no such program, or it is another one", () =>
      onSmolvm({}, ({ standIn, world }) =>
        Effect.gen(function* () {
          const PATH = process.env["PATH"]
          process.env["PATH"] = "/nonexistent"
          const missing = yield* examine(world.workflow)
          assert.match(missing["smolvm"] ?? "", /no `smolvm` on PATH.* - install smolvm/)
          process.env["PATH"] = PATH
          program(standIn.home, "echo something else")
          const other = yield* examine(world.workflow)
          assert.match(other["smolvm"] ?? "", /says no version - .*microVM program/)
        })
      )
    )

    it.live("nobody listens at the endpoint", () =>
      onSmolvm({}, ({ standIn, world }) =>
        Effect.gen(function* () {
          const endpoint = endpointIn(`unix://${standIn.home}/nobody.sock`)
          const answers = yield* examine(world.workflow, { endpoint })
          assert.match(answers["smolvm"] ?? "", /ENOENT - .*smolvm serve start/)
        })
      )
    )

    it.live("there is nothing to boot from", () =>
      onSmolvm({}, ({ world }) =>
        Effect.gen(function* () {
          const bare = yield* examine(world.workflow, { image: null })
          assert.match(bare["image"] ?? "", /machines would be bare - .*build-vm\.sh/)
          const gone = yield* examine(world.workflow, { image: null, from: "/none.smolmachine" })
          assert.match(gone["image"] ?? "", /no machine image at \/none\.smolmachine - .*build-vm\.sh/)
        })
      )
    )

    it.live("the server is too old to run commands in an image", () =>
      onSmolvm({ profile: "may" }, ({ standIn, world }) =>
        Effect.gen(function* () {
          const socket = `${standIn.home}/api.sock`
          const { stop } = yield* Effect.promise(() => standIn.serve(socket))
          const answers = yield* examine(world.workflow, { endpoint: endpointIn(socket) })
          stop()
          assert.match(answers["image"] ?? "", /beside `smolvm\.image`.* - update smolvm/)
        })
      )
    )

    it.live("a machine has the name of this tracker and no record", () =>
      onSmolvm({}, ({ standIn, world }) =>
        Effect.gen(function* () {
          const name = `${machinePrefix(fs.realpathSync(world.workflow.config.state.root))}a-1`
          standIn.run(["machine", "create", "--name", name])
          const answers = yield* examine(world.workflow)
          assert.include(answers["machines"], name)
          assert.lengthOf(standIn.list(), 1)
        })
      )
    )

    it.live("smolvm does not list its machines", () =>
      onSmolvm({ behaviour: { ls: "garbage" } }, ({ world }) =>
        Effect.gen(function* () {
          const answers = yield* examine(world.workflow)
          assert.match(answers["machines"] ?? "", /its list cannot be read - /)
        })
      )
    )

    it.live("the boot hangs", () =>
      onSmolvm({ behaviour: { hang: ["doctor"] } }, ({ standIn, world }) =>
        Effect.gen(function* () {
          const limits = { start: Duration.seconds(1), pull: Duration.seconds(1) }
          const answers = yield* examine(world.workflow, {}, limits)
          assert.match(answers["boot and network"] ?? "", /no answer within 1s - .*overloaded/)
          assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
        })
      )
    )

    it.live("a folder to mount is not there", () =>
      onSmolvm({}, ({ world }) =>
        Effect.gen(function* () {
          const volumes = [{ host: `${world.root}/gone`, guest: "/gone", readonly: true }]
          const answers = yield* examine(world.workflow, { volumes })
          assert.match(answers["boot and network"] ?? "", /\/gone - .*smolvm\.volumes/)
        })
      )
    )

    it.live("the machine boots, and can be neither stopped nor deleted", () =>
      onSmolvm({ behaviour: { stuck: true } }, ({ standIn, world }) =>
        Effect.gen(function* () {
          const answers = yield* examine(world.workflow)
          assert.match(answers["boot and network"] ?? "", /cannot be deleted - .*smolvm machine/)
          // The next call clears up after this one.
          standIn.behave({ stuck: false })
          assert.deepStrictEqual(yield* examine(world.workflow), well)
          assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
        })
      )
    )

    it.live("killed during its boot it leaves a machine, which goes with the next call", () =>
      onSmolvm({ behaviour: { hang: ["doctor"] } }, ({ standIn, world }) =>
        Effect.gen(function* () {
          const killed = yield* Effect.forkChild(examine(world.workflow))
          yield* Effect.repeat(
            Effect.sync(() => standIn.boots().length === 1),
            { until: (booted) => booted, schedule: Schedule.spaced("20 millis") }
          )
          // As a kill leaves it: the machine, and what was written down about it.
          const folder = `${world.workflow.config.state.root}/doctor`
          const copy = `${world.root}/as-it-was`
          fs.cpSync(folder, copy, { recursive: true })
          const [name = ""] = standIn.boots().map((boot) => boot.name)
          yield* Fiber.interrupt(killed)
          fs.cpSync(copy, folder, { recursive: true })
          standIn.run(["machine", "create", "--name", name])
          standIn.behave({ hang: [] })
          standIn.run(["machine", "start", "--name", name])
          assert.deepStrictEqual(yield* examine(world.workflow), well)
          assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
        })
      )
    )
  }
)

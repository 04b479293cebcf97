import { Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import type { RunId } from "../domain/ids.ts"
import type { SandboxKind, WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { makeBubblewrapSandbox } from "./bubblewrap/BubblewrapSandbox.ts"
import { makeHostSandbox } from "./HostSandbox.ts"
import { ProcessTable } from "../processes/ProcessTable.ts"
import type { Reaped, SandboxDriver } from "./SandboxDriver.ts"
import { Sandboxes } from "./Sandboxes.ts"
import { defaultLimits } from "./smolvm/limits.ts"
import { makeSmolvmSandbox, type SmolvmOptions } from "./smolvm/SmolvmSandbox.ts"

/** Picks the driver by `sandbox.kind`; a leftover is dead when every kind says so, for the kind may have changed. */
export const fromDrivers = (drivers: Readonly<Record<SandboxKind, SandboxDriver>>): Sandboxes["Service"] => {
  const of = (workflow: WorkflowDefinition) => drivers[workflow.config.sandbox.kind]
  return {
    check: (workflow) => of(workflow).check(workflow),
    acquire: (request) => of(request.workflow).acquire(request),
    reap: Effect.fn("Sandboxes.reap")(function* (workflow, leftover) {
      const answers = yield* Effect.forEach(
        Object.values(drivers),
        (driver) => driver.reap(workflow, leftover),
        { concurrency: "unbounded" }
      )
      return leftover.map((runId) => ({ runId, status: together(answers.flat(), runId) }))
    })
  }
}

const together = (answers: ReadonlyArray<Reaped>, runId: RunId): Reaped["status"] =>
  answers.every((answer) => answer.runId !== runId || answer.status === "dead") ? "dead" : "unknown"

/** `limits`: how long smolvm may take. */
export const layerWith = (options: SmolvmOptions) =>
  Layer.effect(
    Sandboxes,
    Effect.gen(function* () {
      const host = yield* makeHostSandbox
      const bubblewrap = yield* makeBubblewrapSandbox
      const smolvm = yield* makeSmolvmSandbox(options)
      return fromDrivers({ host, bubblewrap, smolvm })
    })
  ).pipe(Layer.provide(Layer.merge(ProcessTable.layer, SecureRandom.layerWebCrypto)))

export const layer = layerWith({ limits: defaultLimits })

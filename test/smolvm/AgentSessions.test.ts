import { afterAll, beforeAll, describe } from "@effect/vitest"
import { Effect, Exit, type Layer, ManagedRuntime, Scope } from "effect"
import type { AgentSessionOptions } from "../../src/agent/AgentSessions.ts"
import { agentSessionsContract, type Overrides } from "../agent/AgentSessions.contract.ts"
import { makeProjectIn, realAgents } from "../agent/demo.ts"
import { hasProcessTable } from "../support/capabilities.ts"
import { type Variant, variants } from "./variants.ts"

for (const { config, name, open } of variants) {
  describe.skipIf(!hasProcessTable("agent sessions in smolvm"))(`agents in smolvm ${name}`, () => {
    let opened: Awaited<ReturnType<Variant["open"]>>
    const runtime = ManagedRuntime.make(realAgents)
    const scope = Scope.makeUnsafe()
    let optionsFor: (overrides?: Overrides) => AgentSessionOptions

    // One machine for all of them: what is looked at are sessions, and a machine takes its time to boot.
    beforeAll(async () => {
      opened = await open()
      optionsFor = await runtime.runPromise(
        Effect.gen(function* () {
          const project = yield* makeProjectIn("smolvm", config)
          const sandbox = yield* project.sandbox
          return (overrides?: Overrides) => project.optionsIn(sandbox, overrides)
        }).pipe(Scope.provide(scope))
      )
    })
    afterAll(async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await runtime.dispose()
      opened.close()
    })

    agentSessionsContract<Layer.Success<typeof realAgents>>({
      provide: (effect) =>
        Effect.flatMap(runtime.contextEffect, (services) =>
          effect.pipe(Effect.scoped, Effect.provide(services))
        ),
      options: (overrides) => Effect.sync(() => optionsFor(overrides))
    })
  })
}

import { afterAll, beforeAll, describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Sandboxes } from "../../src/sandbox/Sandboxes.ts"
import { agentSessionsContract } from "../agent/AgentSessions.contract.ts"
import { makeProjectIn, realAgents } from "../agent/demo.ts"
import { hasProcessTable } from "../support/capabilities.ts"
import { openStandIn, type Profile, type StandIn } from "./standIn.ts"

const before = { ...process.env }

for (const profile of ["may", "now"] satisfies ReadonlyArray<Profile>) {
  for (const transport of ["bridge", "stdio"] as const) {
    describe.skipIf(!hasProcessTable("agent sessions in smolvm"))(
      `agents in smolvm ${profile}, over ${transport}`,
      () => {
        let standIn: StandIn
        beforeAll(() => {
          standIn = openStandIn(profile)
          Object.assign(process.env, standIn.env)
        })
        afterAll(() => {
          process.env = { ...before }
          standIn.close()
        })
        agentSessionsContract<Sandboxes | Layer.Success<typeof realAgents>>({
          provide: (effect) => effect.pipe(Effect.scoped, Effect.provide(realAgents)),
          options: (overrides) =>
            Effect.flatMap(makeProjectIn("smolvm", { acp: { transport } }), (project) =>
              project.options(overrides)
            )
        })
      }
    )
  }
}

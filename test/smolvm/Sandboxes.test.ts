import { afterAll, beforeAll, describe } from "@effect/vitest"
import { hasProcessTable } from "../support/capabilities.ts"
import { sandboxesContract } from "../sandbox/contract.ts"
import { realLayer } from "../sandbox/layers.ts"
import { openStandIn, type Profile, type StandIn } from "./standIn.ts"

const before = { ...process.env }

for (const profile of ["may", "now"] satisfies ReadonlyArray<Profile>) {
  for (const transport of ["bridge", "stdio"] as const) {
    describe.skipIf(!hasProcessTable("the Sandboxes contract over smolvm"))(
      `smolvm ${profile}, ${transport}`,
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
        const acp = { transport }
        sandboxesContract("smolvm", realLayer, `${profile}, ${transport}`, { acp })
      }
    )
  }
}

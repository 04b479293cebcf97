import * as os from "node:os"
import * as path from "node:path"
import { endpointIn } from "../../src/domain/Endpoint.ts"
import type { ConfigOverrides } from "../support/workflow.ts"
import { openStandIn, type Profile, type StandIn } from "./standIn.ts"

/** A way in which symphony and smolvm speak: a release, how an agent's stdio comes back, and the interface. */
export interface Variant {
  readonly name: string
  readonly config: ConfigOverrides
  readonly open: () => Promise<{ readonly standIn: StandIn; readonly close: () => void }>
}

const variant = (profile: Profile, transport: "bridge" | "stdio", served: boolean): Variant => {
  // Known before anything listens at it: the settings of a suite are.
  const socket = path.join(os.tmpdir(), `smolvm-${process.pid}-${profile}-${transport}.sock`)
  const before = { ...process.env }
  return {
    name: `${profile}, ${transport}${served ? ", over smolvm serve" : ""}`,
    config: {
      acp: { transport },
      ...(served ? { smolvm: { endpoint: endpointIn(socket) } } : {})
    },
    open: async () => {
      const standIn = openStandIn(profile)
      Object.assign(process.env, standIn.env)
      const server = served ? await standIn.serve(socket) : null
      return {
        standIn,
        close: () => {
          process.env = { ...before }
          server?.stop()
          standIn.close()
        }
      }
    }
  }
}

export const variants: ReadonlyArray<Variant> = [
  variant("may", "bridge", false),
  variant("may", "stdio", false),
  variant("now", "bridge", false),
  variant("now", "stdio", false),
  variant("now", "bridge", true)
]

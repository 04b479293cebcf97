import { NodeServices } from "@effect/platform-node"
import { describe } from "@effect/vitest"
import { Effect, Layer, Redacted, Stream } from "effect"
import { type GuestProgram, layerMemory } from "../../src/sandbox/MemorySandboxes.ts"
import { SandboxError } from "../../src/sandbox/Sandboxes.ts"
import { canBubblewrap } from "../support/capabilities.ts"
import { sandboxesContract } from "./contract.ts"
import { realLayer } from "./layers.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

/** As much of a shell as the contract needs. */
const littleShell: GuestProgram = Effect.fnUntraced(function* ({ command, request, stdin, stdout, stderr }) {
  if (command.shell !== "sh") {
    return yield* new SandboxError({
      kind: "host",
      reason: "spawn",
      detail: `cannot start ${command.shell}: ENOENT`,
      hint: null
    })
  }
  const [program = "", ...rest] = command.line.split(" ")
  switch (program) {
    case "cat":
      yield* Stream.runForEach(stdin, command.line === "cat" ? stdout : () => Effect.void)
      return command.line === "cat" ? 0 : yield* Effect.never
    case "head":
      for (let left = Number(rest[1]); left > 0; left -= 65_536)
        yield* stdout(new Uint8Array(Math.min(left, 65_536)))
      return 0
    case "echo":
      yield* stderr(bytes("oops\n"))
      return 7
    case "env": {
      const env = { ...request.env, PATH: "/bin", HOME: `/memory/${request.runId}/home` }
      for (const [name, value] of Object.entries(env)) {
        yield* stdout(bytes(`${name}=${Redacted.isRedacted(value) ? Redacted.value(value) : value}\0`))
      }
      return 0
    }
    case "pwd;": {
      const said = /'(.*)'/.exec(command.line)?.[1] ?? ""
      yield* stdout(bytes(`${request.workspace}\n${said.toUpperCase()}\n`))
      return 0
    }
    case "sleep":
      return yield* Effect.never
    default:
      return 0
  }
})

sandboxesContract("host", Layer.merge(layerMemory({ program: littleShell }), NodeServices.layer), "in memory")
sandboxesContract("host", realLayer)
describe.skipIf(!canBubblewrap("the Sandboxes contract over bubblewrap"))("with bubblewrap", () => {
  sandboxesContract("bubblewrap", realLayer)
})

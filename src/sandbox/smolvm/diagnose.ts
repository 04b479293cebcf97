import { Effect, Layer, type Path } from "effect"
import { SecureRandom } from "effect/crypto"
import { Identifier, makeRunId } from "../../domain/ids.ts"
import { ProcessTable } from "../../processes/ProcessTable.ts"
import type { WorkflowDefinition } from "../../workflow/WorkflowConfig.ts"
import { localMachine } from "../LocalRun.ts"
import { SandboxError } from "../Sandboxes.ts"
import { makeCommandLine } from "./commandLine.ts"
import { defaultLimits, type Limits } from "./limits.ts"
import { makeServer } from "./server.ts"
import { makeSmolvmSandbox } from "./SmolvmSandbox.ts"
import { sandboxError } from "./SmolvmError.ts"
import { isAtLeast } from "./syntax.ts"
import { readVmRecords } from "./VmRecord.ts"
import { realStateRoot, unrecorded } from "./VmPool.ts"

/** Releases before this are told apart, and known to leave machines behind and to lose the end of stdin. */
const KNOWN_GOOD = "0.8.1"

const problem = (detail: string, hint: string | null) =>
  new SandboxError({ kind: "smolvm", reason: "unavailable", detail, hint })

/**
 * Everything about smolvm that a run depends on, in the order in which one needs the other. The boot is a
 * real one: a machine of its own, made and removed, beside those of an orchestrator that may be running.
 */
export const diagnose = Effect.fnUntraced(
  function* (definition: WorkflowDefinition, limits: Limits = defaultLimits) {
    const machine = yield* localMachine
    const { files, fs } = machine
    const context = yield* Effect.context<
      Effect.Services<typeof localMachine> | Path.Path | SecureRandom.SecureRandom
    >()
    const { config } = definition
    const { endpoint, from, image } = config.smolvm
    const commandLine = yield* makeCommandLine(machine, limits)
    const machines = endpoint === null ? commandLine : makeServer(endpoint, limits)
    const told = <A>(effect: Effect.Effect<A, Parameters<typeof sandboxError>[0]>) =>
      Effect.mapError(effect, sandboxError)

    const version = Effect.gen(function* () {
      const { description, version } = machines
      const found = yield* told(version)
      return `${description}, ${found}${isAtLeast(found, KNOWN_GOOD) ? "" : " (old: update it when you can)"}`
    })

    const list = Effect.gen(function* () {
      const all = yield* told(machines.list)
      const root = yield* realStateRoot(fs, config.state.root)
      const records = yield* readVmRecords(files, root).pipe(
        Effect.mapError((error) => problem(`the records of machines cannot be read: ${error.message}`, null))
      )
      const strays = unrecorded(root, all, records)
      if (strays.length === 0) return `${all.length} there, ${records.length} of them symphony's`
      return yield* problem(
        `nobody knows why these are there: ${strays.join(", ")}`,
        "when no symphony runs here, stop and delete them with `smolvm machine`"
      )
    })

    const pack = Effect.gen(function* () {
      if (from === null && image === null) {
        return yield* problem(
          "neither `smolvm.from` nor `smolvm.image` is set: machines would be bare",
          "make an image with scripts/build-vm.sh and name it as `smolvm.from`"
        )
      }
      if (from === null) return `${image}, pulled when a machine boots`
      const found = yield* Effect.option(fs.stat(from))
      if (found._tag === "None")
        return yield* problem(`${from} is not there`, "make it with scripts/build-vm.sh")
      return `${from}, ${Math.ceil(Number(found.value.size) / 1024 / 1024)} MiB`
    })

    const boot = Effect.gen(function* () {
      // A state root of its own: the records of a running orchestrator are not ours to clear up.
      const root = yield* Effect.mapError(
        Effect.flatMap(fs.makeTempDirectoryScoped({ prefix: "symphony-doctor-" }), fs.realPath),
        (error) => problem(error.message, null)
      )
      const workspace = `${root}/workspace`
      yield* Effect.mapError(fs.makeDirectory(workspace), (error) => problem(error.message, null))
      const sandbox = yield* makeSmolvmSandbox({ limits })
      const workflow = { ...definition, config: { ...config, state: { root } } }
      const acquired = yield* sandbox.acquire({
        runId: makeRunId(0, 0),
        identifier: Identifier.make("doctor"),
        workflow,
        workspace,
        readonlyPaths: [],
        programs: [],
        keep: [],
        secretPaths: [],
        env: {},
        homeFiles: [],
        listenerPort: 0
      })
      return `a machine boots, has Node, and reaches symphony at ${new URL(acquired.listenerUrl).hostname}`
    }).pipe(Effect.scoped, Effect.provideContext(context))

    return [
      { name: "smolvm", run: version },
      { name: "machines", run: list },
      { name: "image", run: pack },
      { name: "boot and network", run: boot }
    ]
  },
  Effect.provide(Layer.merge(ProcessTable.layer, SecureRandom.layerWebCrypto))
)

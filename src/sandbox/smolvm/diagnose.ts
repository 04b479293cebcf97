import { Effect, Layer, type Path } from "effect"
import { SecureRandom } from "effect/crypto"
import { Identifier, makeRunId } from "../../domain/ids.ts"
import { ProcessTable } from "../../processes/ProcessTable.ts"
import type { WorkflowDefinition } from "../../workflow/WorkflowConfig.ts"
import { localMachine } from "../LocalRun.ts"
import { SandboxError } from "../Sandboxes.ts"
import { makeCommandLine } from "./commandLine.ts"
import { checkImage } from "./image.ts"
import { defaultLimits, type Limits } from "./limits.ts"
import { makeServer } from "./server.ts"
import { makeSmolvmSandbox } from "./SmolvmSandbox.ts"
import { sandboxError } from "./SmolvmError.ts"
import { isAtLeast } from "./syntax.ts"
import { readVmRecords } from "./VmRecord.ts"
import { realStateRoot, unrecorded } from "./VmPool.ts"

/** Releases before this are told apart, and known to leave machines behind and to lose the end of stdin. */
const KNOWN_GOOD = "0.8.1"

const BY_HAND = "stop and delete it with `smolvm machine`; what smolvm says to that is what is wrong"

const problem = (detail: string, hint: string | null) =>
  new SandboxError({ kind: "smolvm", reason: "unavailable", detail, hint })

/**
 * Everything about smolvm that a run depends on, in the order in which one needs the other. The boot is a
 * real one, with what the agents need to read: a machine of its own, made and removed, beside those of an
 * orchestrator that may be running.
 */
export const diagnose = Effect.fnUntraced(
  function* (
    definition: WorkflowDefinition,
    readonlyPaths: ReadonlyArray<string>,
    limits: Limits = defaultLimits
  ) {
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
      // Which image is wanted shows without a smolvm, too; what only its version tells is left for then.
      yield* checkImage(fs, config, yield* Effect.orElseSucceed(machines.version, () => null))
      if (from === null) return `${image}, pulled when a machine boots`
      const { size } = yield* Effect.mapError(fs.stat(from), (error) => problem(error.message, null))
      return `${from}, ${Math.ceil(Number(size) / 1024 / 1024)} MiB`
    })

    /** Of the doctor's own: the records of an orchestrator that may be running are not ours to clear up. */
    const ownRoot = Effect.gen(function* () {
      const root = `${yield* realStateRoot(fs, config.state.root)}/doctor`
      yield* fs.makeDirectory(`${root}/workspace`, { recursive: true })
      return yield* fs.realPath(root)
    }).pipe(Effect.mapError((error) => problem(error.message, null)))

    /** A real boot. Its machine is written down, so that one of a call that was killed goes with the next call. */
    const tryOne = Effect.fnUntraced(
      function* (root: string) {
        const sandbox = yield* makeSmolvmSandbox({ limits })
        const acquired = yield* sandbox.acquire({
          runId: makeRunId(0, 0),
          identifier: Identifier.make("doctor"),
          workflow: { ...definition, config: { ...config, state: { root } } },
          workspace: `${root}/workspace`,
          readonlyPaths,
          programs: [],
          keep: [],
          secretPaths: [],
          env: {},
          homeFiles: [],
          listener: { host: "127.0.0.1", port: 0 }
        })
        if ((yield* acquired.stop) === "unknown") {
          return yield* problem(`the machine ${acquired.name} boots and does not stop`, BY_HAND)
        }
        return new URL(acquired.listenerUrl).hostname
      },
      Effect.scoped,
      Effect.provideContext(context)
    )

    const boot = Effect.gen(function* () {
      const root = yield* ownRoot
      const host = yield* tryOne(root)
      const [left] = yield* Effect.mapError(readVmRecords(files, root), (error) =>
        problem(error.message, null)
      )
      if (left !== undefined) {
        return yield* problem(`the machine ${left.name} boots and stops, and cannot be deleted`, BY_HAND)
      }
      yield* Effect.mapError(fs.remove(root, { recursive: true }), (error) => problem(error.message, null))
      return `a machine boots, has Node, reaches symphony at ${host}, stops and is deleted`
    })

    return [
      { name: "image", run: pack },
      { name: "smolvm", run: version },
      { name: "machines", run: list },
      { name: "boot and network", run: boot }
    ]
  },
  Effect.provide(Layer.merge(ProcessTable.layer, SecureRandom.layerWebCrypto))
)

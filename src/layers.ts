import { type Config, Effect, FileSystem, Layer, Option } from "effect"
import { SecureRandom } from "effect/crypto"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as AcpSessions from "./agent/AcpSessions.ts"
import * as HostCredentials from "./agent/HostCredentials.ts"
import * as BoardLive from "./board/BoardLive.ts"
import * as hurry from "./cli/hurry.ts"
import { TrackerLock } from "./cli/lock.ts"
import * as NodeSafeFiles from "./files/NodeSafeFiles.ts"
import * as GitHandoff from "./handoff/GitHandoff.ts"
import { sourceTop } from "./handoff/sourceTop.ts"
import * as HttpServerLive from "./http/HttpServerLive.ts"
import type { LocatedWorkflow } from "./cli/locateWorkflow.ts"
import * as preflight from "./cli/preflight.ts"
import { openStateRoot } from "./cli/stateRoot.ts"
import * as sweepLeftovers from "./cli/sweepLeftovers.ts"
import * as FileJournal from "./journal/FileJournal.ts"
import * as FileTranscripts from "./journal/FileTranscripts.ts"
import { McpEndpoint } from "./mcp/McpEndpoint.ts"
import { RunGrants } from "./mcp/RunGrants.ts"
import { RunTools } from "./mcp/RunTools.ts"
import { ModelProxy } from "./proxy/ModelProxy.ts"
import * as HostMemory from "./run/HostMemory.ts"
import { Listener } from "./run/Listener.ts"
import { Previews } from "./run/Previews.ts"
import * as RunsLive from "./run/RunsLive.ts"
import { WorkLocks } from "./run/WorkLocks.ts"
import { Sandboxes } from "./sandbox/Sandboxes.ts"
import * as SandboxLayers from "./sandbox/layers.ts"
import * as SchedulerLive from "./scheduler/SchedulerLive.ts"
import * as MarkdownTracker from "./tracker/MarkdownTracker.ts"
import { version } from "./package.ts"
import * as FileWorkflow from "./workflow/FileWorkflow.ts"
import type { Operator } from "./workflow/Operator.ts"
import { Workflow } from "./workflow/Workflow.ts"
import { HookVariables } from "./workspace/hookEnvironment.ts"
import * as LocalWorkspaces from "./workspace/LocalWorkspaces.ts"

export interface SymphonyOptions {
  readonly workflow: LocatedWorkflow
  /** Absolute path of the running command, for hooks. */
  readonly bin: string
  /** From the command line; goes before `server.port`. */
  readonly port: number | null
  /** Whose environment the project goes by. */
  readonly operator: Layer.Layer<Operator, Config.ConfigError>
}

/** What everything else stands on: the machine. */
export const machine = Layer.mergeAll(NodeSafeFiles.layer, SecureRandom.layerWebCrypto).pipe(
  Layer.provideMerge(NodeServices.layer)
)

/**
 * The whole of symphony. The lock is taken before anything of the tracker is touched, and given back last; the
 * port is bound before anything is started.
 */
export const symphony = ({ bin, operator, port, workflow }: SymphonyOptions) => {
  const durable = Layer.unwrap(
    Effect.gen(function* () {
      const { config } = yield* (yield* Workflow).current
      const fs = yield* FileSystem.FileSystem
      const stateRoot = config.state.root
      yield* preflight.requireTracker(config.tracker.root)
      yield* openStateRoot(stateRoot)
      // Two ways to one folder are one tracker.
      const trackerRoot = yield* fs
        .realPath(config.tracker.root)
        .pipe(Effect.orElseSucceed(() => config.tracker.root))
      return Layer.mergeAll(
        FileJournal.layer({ stateRoot, trackerRoot }),
        FileTranscripts.layer({ stateRoot })
      ).pipe(Layer.provideMerge(TrackerLock.layer({ stateRoot, trackerRoot })))
    })
  )
  const ground = Layer.mergeAll(
    SandboxLayers.layer,
    AcpSessions.layer,
    HostCredentials.layer,
    GitHandoff.layer,
    RunGrants.layer,
    HostMemory.layer,
    ModelProxy.layer.pipe(Layer.provide(RunGrants.layer)),
    Listener.layer,
    LocalWorkspaces.layer
  ).pipe(
    Layer.provideMerge(MarkdownTracker.layer),
    Layer.provideMerge(durable),
    Layer.provideMerge(HookVariables.layer(bin, sourceTop)),
    Layer.provideMerge(operator),
    Layer.provideMerge(hurry.layer),
    Layer.provideMerge(FileWorkflow.layer(workflow.path, workflow.file))
  )
  /** What an earlier orchestrator left in sandboxes begins to go, while the tracker is ours. */
  const clearUp = Layer.effectDiscard(
    Effect.gen(function* () {
      const sandboxes = yield* Sandboxes
      yield* sandboxes.reap(yield* (yield* Workflow).current, [])
    })
  )
  const core = SchedulerLive.layer.pipe(
    Layer.provideMerge(Layer.merge(RunsLive.layer, Previews.layer)),
    Layer.provide(WorkLocks.layer),
    Layer.provide(clearUp),
    Layer.provide(sweepLeftovers.layer),
    Layer.provide(preflight.layer),
    Layer.provideMerge(HttpServerLive.listening({ port: Option.fromNullishOr(port) })),
    Layer.provideMerge(ground)
  )
  return HttpServerLive.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(BoardLive.layer, McpEndpoint.layer(version))),
    Layer.provideMerge(RunTools.layer),
    Layer.provideMerge(core)
  )
}

import { Context, Deferred, Effect, Layer, Random, Redacted, Ref } from "effect"
import { SecureRandom } from "effect/crypto"
import type { AgentError, AgentSessionOptions, TurnResult } from "../../src/agent/AgentSessions.ts"
import * as MemoryAgentSessions from "../../src/agent/MemoryAgentSessions.ts"
import * as MemoryCredentials from "../../src/agent/MemoryCredentials.ts"
import * as BoardLive from "../../src/board/BoardLive.ts"
import type { Identifier, RunId } from "../../src/domain/ids.ts"
import * as MemoryDisk from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import * as MemoryHandoff from "../../src/handoff/MemoryHandoff.ts"
import * as MemoryJournal from "../../src/journal/MemoryJournal.ts"
import * as MemoryTranscripts from "../../src/journal/MemoryTranscripts.ts"
import { RunGrants } from "../../src/mcp/RunGrants.ts"
import { RunTools } from "../../src/mcp/RunTools.ts"
import { ModelProxy } from "../../src/proxy/ModelProxy.ts"
import type { ToolResult } from "../../src/mcp/ToolResult.ts"
import { Listener } from "../../src/run/Listener.ts"
import { Previews } from "../../src/run/Previews.ts"
import * as RunsLive from "../../src/run/RunsLive.ts"
import { WorkLocks } from "../../src/run/WorkLocks.ts"
import { SandboxError, type SandboxRequest } from "../../src/sandbox/Sandboxes.ts"
import * as MemorySandboxes from "../../src/sandbox/MemorySandboxes.ts"
import { Hurry } from "../../src/scheduler/Hurry.ts"
import * as SchedulerLive from "../../src/scheduler/SchedulerLive.ts"
import * as MemoryTracker from "../../src/tracker/MemoryTracker.ts"
import { makeTrackerWorld, type TrackerWorld } from "../../src/tracker/TrackerWorld.ts"
import * as MemoryWorkflow from "../../src/workflow/MemoryWorkflow.ts"
import type { HookName, WorkflowDefinition } from "../../src/workflow/WorkflowConfig.ts"
import { Operator } from "../../src/workflow/Operator.ts"
import { HookVariables } from "../../src/workspace/hookEnvironment.ts"
import * as MemoryWorkspaces from "../../src/workspace/MemoryWorkspaces.ts"
import type { HookContext, HookError, Workspace, WorkspaceError } from "../../src/workspace/Workspaces.ts"

/** One turn of an agent of the house, seen from the agent. */
export interface AgentTurn extends MemoryAgentSessions.ScriptedTurn {
  readonly runId: RunId
  readonly identifier: Identifier
  /** Calls one of symphony's tools with the run's token, as an MCP client would. */
  readonly call: (tool: string, args: unknown) => Effect.Effect<ToolResult>
}

/** What the world around symphony does; may be changed at any time. */
export interface Behaviour {
  /** Of the agents. */
  prompt: (turn: AgentTurn) => Effect.Effect<TurnResult, AgentError>
  open: (options: AgentSessionOptions) => Effect.Effect<{ readonly resumes: boolean }, AgentError>
  /** Of sandboxes: to boot, and to answer whether one is dead. */
  boot: (request: SandboxRequest) => Effect.Effect<void, SandboxError>
  reap: (run: RunId) => Effect.Effect<"dead" | "unknown">
  hook: (hook: HookName, context: HookContext) => Effect.Effect<void, HookError>
  disk: (operation: "ensure" | "remove", workspace: Workspace) => Effect.Effect<void, WorkspaceError>
  tracker: NonNullable<MemoryTracker.MemoryTrackerOptions["before"]>
}

/** Everything that outlives the process: disks, guests, and what people see. */
export interface HouseWorld {
  readonly tracker: TrackerWorld
  readonly journal: MemoryJournal.JournalWorld
  readonly handoff: MemoryHandoff.HandoffWorld
  readonly disk: MemoryDisk.MemoryDisk
  readonly folders: Ref.Ref<ReadonlySet<string>>
  /** Sandboxes that have booted and are not known to be dead. */
  readonly guests: Map<RunId, Identifier>
  readonly behaviour: Behaviour
  /** What the agents were prompted with, in order. */
  readonly prompts: Array<{ readonly run: RunId; readonly identifier: Identifier; readonly text: string }>
}

export interface WorldOptions {
  readonly workflow: WorkflowDefinition
  /** Epoch milliseconds. */
  readonly now?: () => number
  readonly behaviour?: Partial<Behaviour>
}

const tokens = { input: 10, output: 5, total: 15, source: "reported" } as const

export const endOfTurn: TurnResult = { stopReason: "end_turn", tokens }

/** Works, says that it is done, and stops. */
export const diligent = (turn: AgentTurn) =>
  turn.call("mark_done", { title: "Done", summary: "All done." }).pipe(Effect.as(endOfTurn))

export const makeHouseWorld = ({ behaviour = {}, now, workflow }: WorldOptions): HouseWorld => {
  const disk = MemoryDisk.makeMemoryDisk(now === undefined ? {} : { now })
  disk.put(`${workflow.config.state.root}/.keep`, "")
  disk.put(`${workflow.config.workspace.root}/.keep`, "")
  return {
    tracker: makeTrackerWorld({ states: workflow.config.states }),
    journal: MemoryJournal.makeWorld(),
    handoff: MemoryHandoff.makeWorld(),
    disk,
    folders: Ref.makeUnsafe<ReadonlySet<string>>(new Set()),
    guests: new Map(),
    prompts: [],
    behaviour: {
      prompt: diligent,
      open: () => Effect.succeed({ resumes: true }),
      boot: () => Effect.void,
      reap: () => Effect.succeed("dead"),
      hook: () => Effect.void,
      disk: () => Effect.void,
      tracker: () => Effect.void,
      ...behaviour
    }
  }
}

interface Tools {
  readonly grants: RunGrants["Service"]
  readonly tools: RunTools["Service"]
}

/** The tools as agents reach them: through the listener, once the house stands. */
class ToolsOverHttp extends Context.Service<ToolsOverHttp, Deferred.Deferred<Tools>>()(
  "test/support/ToolsOverHttp"
) {
  static readonly layer = Layer.effect(ToolsOverHttp, Deferred.make<Tools>())
}

const unauthorized: ToolResult = { text: "401", isError: true }

const agents = ({ behaviour, prompts }: HouseWorld) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const reach = yield* ToolsOverHttp
      const grantOf = (options: AgentSessionOptions) =>
        Effect.gen(function* () {
          const { grants, tools } = yield* Deferred.await(reach)
          return { grants, tools, grant: yield* grants.find(Redacted.value(options.mcp.token)) }
        })
      return MemoryAgentSessions.layer({
        open: (options) =>
          Effect.gen(function* () {
            const answer = yield* behaviour.open(options)
            const { grant, grants, tools } = yield* grantOf(options)
            if (grant._tag === "Some") {
              yield* tools.list(grant.value)
              yield* grants.markToolsListed(grant.value.runId)
            }
            return answer
          }),
        prompt: (turn) =>
          Effect.gen(function* () {
            const { grant, tools } = yield* grantOf(turn.options)
            if (grant._tag === "None") return yield* Effect.die(new Error("an agent without a token"))
            const { identifier, runId } = grant.value
            prompts.push({ run: runId, identifier, text: turn.text })
            const call = (tool: string, args: unknown) =>
              Effect.flatMap(grantOf(turn.options), (now) =>
                now.grant._tag === "None"
                  ? Effect.succeed(unauthorized)
                  : tools.call(now.grant.value, tool, args)
              )
            return yield* behaviour.prompt({ ...turn, runId, identifier, call })
          })
      })
    })
  )

const sandboxes = ({ behaviour, guests }: HouseWorld) =>
  MemorySandboxes.layerMemory({
    program: () => Effect.succeed(0),
    boot: (request) =>
      Effect.andThen(
        behaviour.boot(request),
        Effect.sync(() => guests.set(request.runId, request.identifier))
      ),
    reap: (run) =>
      Effect.tap(behaviour.reap(run), (status) =>
        Effect.sync(() => {
          if (status === "dead") guests.delete(run)
        })
      )
  })

/** Tokens from the same randomness as everything else. */
const seededTokens = Layer.effect(
  SecureRandom.SecureRandom,
  Effect.map(SecureRandom.SecureRandom, (real) => ({
    ...real,
    randomBytes: (size: number) =>
      Effect.map(Effect.replicateEffect(Random.nextIntBetween(0, 256, { halfOpen: true }), size), (bytes) =>
        Uint8Array.from(bytes)
      )
  }))
).pipe(Layer.provide(SecureRandom.layerWebCrypto))

export interface HouseOptions {
  readonly world: HouseWorld
  readonly workflow: WorkflowDefinition
  readonly operator?: Partial<Operator["Service"]>
  /** Hurries a stop. */
  readonly hurry?: Effect.Effect<void>
  /** Of the scheduler, where they are not its own. */
  readonly scheduler?: SchedulerLive.SchedulerOptions
  /** Stand in the place of what is in memory. */
  readonly leaves?: {
    readonly tracker?: ReturnType<typeof MemoryTracker.layer>
    readonly journal?: ReturnType<typeof MemoryJournal.layer>
    readonly transcripts?: typeof MemoryTranscripts.layer
  }
}

/** The production layers over leaves in memory: one life of the program. Ends gracefully with its scope. */
export const houseLayer = ({
  hurry = Effect.never,
  leaves = {},
  operator = {},
  scheduler,
  workflow,
  world
}: HouseOptions) => {
  const grants = RunGrants.layer.pipe(Layer.provide(seededTokens))
  const ground = Layer.mergeAll(
    leaves.tracker ?? MemoryTracker.layer(world.tracker, { before: (step) => world.behaviour.tracker(step) }),
    leaves.journal ?? MemoryJournal.layer(world.journal),
    leaves.transcripts ?? MemoryTranscripts.layer,
    MemoryWorkflow.layer(workflow),
    MemoryHandoff.layer(world.handoff),
    MemorySafeFiles.layer(world.disk),
    MemoryCredentials.layer(),
    MemoryWorkspaces.layerMemory({
      folders: world.folders,
      hook: (hook, context) => world.behaviour.hook(hook, context),
      disk: (operation, workspace) => world.behaviour.disk(operation, workspace)
    }),
    sandboxes(world),
    Layer.succeed(
      HookVariables,
      HookVariables.of({
        bin: "/bin/symphony",
        source: "/project",
        operator: { ...Operator.nothingSet, ...operator }
      })
    ),
    Listener.layer,
    grants,
    ModelProxy.layer.pipe(Layer.provide(grants))
  )
  const opened = Layer.effectDiscard(
    Effect.gen(function* () {
      const reach = yield* ToolsOverHttp
      const tools = { grants: yield* RunGrants, tools: yield* RunTools }
      yield* Deferred.succeed(reach, tools)
      yield* (yield* Listener).bound({ host: "127.0.0.1", port: 8787 })
    })
  )
  return opened.pipe(
    Layer.provideMerge(Layer.mergeAll(RunTools.layer, BoardLive.layer)),
    Layer.provideMerge(
      (scheduler === undefined ? SchedulerLive.layer : SchedulerLive.layerWith(scheduler)).pipe(
        Layer.provide(Layer.succeed(Hurry, hurry))
      )
    ),
    Layer.provideMerge(Layer.merge(RunsLive.layer, Previews.layer)),
    Layer.provideMerge(WorkLocks.layer),
    Layer.provideMerge(agents(world)),
    Layer.provideMerge(Layer.mergeAll(ground, ToolsOverHttp.layer))
  )
}

import { NodeServices } from "@effect/platform-node"
import { Duration, Effect, type FileSystem, Layer, References, type Scope } from "effect"
import { Identifier, makeRunId } from "../../src/domain/ids.ts"
import { layer as safeFilesLayer } from "../../src/files/NodeSafeFiles.ts"
import { layerWith } from "../../src/sandbox/layers.ts"
import type { Sandboxes, SandboxRequest } from "../../src/sandbox/Sandboxes.ts"
import { defaultLimits, type Limits } from "../../src/sandbox/smolvm/limits.ts"
import { makeWorld, type World } from "../sandbox/world.ts"
import type { ConfigOverrides } from "../support/workflow.ts"
import { openStandIn, type Profile, type StandIn } from "./standIn.ts"

export const layerFor = (limits: Partial<Limits> = {}) =>
  layerWith({ limits: { ...defaultLimits, askAgain: Duration.millis(100), ...limits } }).pipe(
    Layer.provideMerge(safeFilesLayer),
    Layer.provideMerge(NodeServices.layer),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
  )

/** The program finds the stand-in as it would find smolvm: by its environment. */
export const standInScoped = (profile: Profile, behaviour: Readonly<Record<string, unknown>> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = { ...process.env }
      const standIn = openStandIn(profile, behaviour)
      Object.assign(process.env, standIn.env)
      return { standIn, before }
    }),
    ({ before, standIn }) =>
      Effect.sync(() => {
        process.env = before
        standIn.close()
      })
  ).pipe(Effect.map(({ standIn }) => standIn))

export interface Scene {
  readonly standIn: StandIn
  readonly world: World
  /** The request of an issue's `n`-th run. */
  readonly request: (identifier: string, n?: number, overrides?: Partial<SandboxRequest>) => SandboxRequest
}

/** A project, a stand-in, and a body that uses smolvm; `again` provides another life of the program. */
export const onSmolvm = <A, E>(
  options: {
    readonly profile?: Profile
    readonly behaviour?: Readonly<Record<string, unknown>>
    readonly limits?: Partial<Limits>
    readonly config?: ConfigOverrides
    readonly net?: boolean
  },
  body: (
    scene: Scene,
    life: <B, F>(
      effect: Effect.Effect<B, F, Sandboxes | FileSystem.FileSystem | Scope.Scope>
    ) => Effect.Effect<B, F>
  ) => Effect.Effect<A, E, Scope.Scope>
) =>
  Effect.gen(function* () {
    const standIn = yield* standInScoped(options.profile ?? "now", {
      isolation: "plain",
      ...options.behaviour
    })
    const world = yield* Effect.provide(
      makeWorld("smolvm", options.net ?? true, options.config),
      NodeServices.layer
    )
    const request: Scene["request"] = (identifier, n = 1, overrides = {}) =>
      world.request({
        identifier: Identifier.make(identifier),
        runId: makeRunId(1, n),
        ...overrides
      })
    return yield* body({ standIn, world, request }, (effect) =>
      effect.pipe(Effect.scoped, Effect.provide(layerFor(options.limits)))
    )
  }).pipe(Effect.scoped)

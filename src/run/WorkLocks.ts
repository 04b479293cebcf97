import { Context, Effect, Layer } from "effect"
import { makeFolderLocks } from "../workspace/folderLocks.ts"

/**
 * What looks at the work in a workspace, takes it out or removes it does so alone: nobody is shown, or hands over,
 * half of what another one is taking away. Not to be asked for twice by one fiber.
 */
export class WorkLocks extends Context.Service<
  WorkLocks,
  {
    readonly exclusively: (
      workspace: string
    ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
>()("symphony/run/WorkLocks") {
  static readonly layer = Layer.effect(
    WorkLocks,
    Effect.map(makeFolderLocks, (exclusively) => WorkLocks.of({ exclusively }))
  )
}

import { Effect, RcMap, Scope, Semaphore } from "effect"

/**
 * One at a time for each folder: a second `ensure` finds what the first made, and a `remove` waits for both.
 * Folders do not wait for each other.
 */
export const makeFolderLocks = Effect.map(
  RcMap.make({ lookup: (_path: string) => Semaphore.make(1) }),
  (locks) =>
    (path: string) =>
    <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.scopedWith((scope) =>
        Effect.flatMap(Scope.provide(RcMap.get(locks, path), scope), (lock) => lock.withPermit(effect))
      )
)

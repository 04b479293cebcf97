import { Deferred, Effect, FiberSet, type Scope, Semaphore } from "effect"

/**
 * Lets many share one look at the world. Who asks while one is under way gets the next, together with all others
 * who do: a look that began before the question does not answer it. `both`: what serves two wishes.
 */
export const makeSharedLook = <Wish, A>(
  look: (wish: Wish) => Effect.Effect<A>,
  both: (left: Wish, right: Wish) => Wish
): Effect.Effect<(wish: Wish) => Effect.Effect<A>, never, Scope.Scope> =>
  Effect.gen(function* () {
    // Of nobody who asks: who asked first may be interrupted while others wait.
    const run = yield* FiberSet.makeRuntime<never>()
    const oneAtATime = yield* Semaphore.make(1)
    let next: { wish: Wish; readonly answer: Deferred.Deferred<A> } | null = null

    return (wish) =>
      Effect.suspend(() => {
        if (next !== null) {
          next.wish = both(next.wish, wish)
          return Deferred.await(next.answer)
        }
        const mine = { wish, answer: Deferred.makeUnsafe<A>() }
        next = mine
        run(
          oneAtATime.withPermit(
            Effect.suspend(() => {
              next = null
              return Deferred.complete(mine.answer, look(mine.wish))
            })
          )
        )
        return Deferred.await(mine.answer)
      })
  })

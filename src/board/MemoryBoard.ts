import { Context, Effect, Layer, Stream, SubscriptionRef } from "effect"
import { Board, type BoardSnapshot } from "./Board.ts"

/** The other end of a board in memory: what happens is set here. */
export class BoardEditor extends Context.Service<
  BoardEditor,
  {
    readonly set: (snapshot: BoardSnapshot) => Effect.Effect<void>
    readonly update: (change: (snapshot: BoardSnapshot) => BoardSnapshot) => Effect.Effect<void>
  }
>()("symphony/board/BoardEditor") {}

export const layer = (initial: BoardSnapshot): Layer.Layer<Board | BoardEditor> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const ref = yield* SubscriptionRef.make(initial)
      const board = Board.of({
        snapshot: SubscriptionRef.get(ref),
        changes: SubscriptionRef.changes(ref).pipe(
          Stream.drop(1),
          Stream.map(() => undefined)
        )
      })
      const editor = BoardEditor.of({
        set: (snapshot) => SubscriptionRef.set(ref, snapshot),
        update: (change) => SubscriptionRef.update(ref, change)
      })
      return Context.make(Board, board).pipe(Context.add(BoardEditor, editor))
    })
  )

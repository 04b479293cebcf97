import { Effect, Stream } from "effect"
import type { BoardIssue } from "../board/Board.ts"
import { Board } from "../board/Board.ts"
import { isQuiet } from "../scheduler/decide.ts"
import { Scheduler } from "../scheduler/Scheduler.ts"

/** Returns when nothing more will happen unless a person or the tracker changes something. */
export const untilQuiet = Effect.gen(function* () {
  const scheduler = yield* Scheduler
  yield* scheduler.views.pipe(
    Stream.filter((view) => isQuiet(view.state, view.observation, view.at)),
    Stream.take(1),
    Stream.runDrain
  )
})

/** Issues that are neither finished nor on their way, with the reason. */
export const leftOver: Effect.Effect<ReadonlyArray<BoardIssue>, never, Board> = Effect.gen(function* () {
  const board = yield* Board
  const { issues } = yield* board.snapshot
  return issues.filter(
    (issue) =>
      issue.hold?.reason === "handoff" ||
      (issue.role !== "terminal" && (issue.role === "active" || issue.attempts > 0))
  )
})

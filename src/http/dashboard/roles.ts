import type { BoardSnapshot } from "../../board/Board.ts"
import { sameState, type StateRole } from "../../domain/State.ts"

/** Undeclared states are holding. */
export const roleIn = (board: BoardSnapshot, state: string): StateRole =>
  board.states.find(({ name }) => sameState(name, state))?.role ?? "holding"

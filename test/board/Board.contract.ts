import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Board, type BoardSnapshot } from "../../src/board/Board.ts"

/**
 * A board with two slots on which ASKS waits for an answer in a live run, WORKS runs, FREE waits for a slot, HELD was
 * stopped by a person, PROPOSED was filed by an agent, HANDED_OVER was done by one and CLOSED was put into Done by hand.
 */
export interface Bench {
  /** Runs an effect of the program to its end, without real time. */
  readonly run: <A>(effect: Effect.Effect<A, never, Board>) => A
  /** A person files WAITS_TOO, and symphony has seen it. */
  readonly file: () => void
}

const look = ({ run }: Bench): BoardSnapshot => run(Effect.flatMap(Board, (board) => board.snapshot))

/** The promises of `Board` that both layers keep, and with them the boards that the pages are tested with. */
export const boardContract = (title: string, makeBench: () => Bench) =>
  describe(`Board contract: ${title}`, () => {
    it("tells each issue's status and its one reason, those that need a person first", () => {
      const { issues } = look(makeBench())
      assert.deepStrictEqual(
        issues.map(({ identifier, role, status, why }) => [identifier, role, status, why.code]),
        [
          ["ASKS", "active", "needs you", "Running"],
          ["PROPOSED", "holding", "needs you", "Proposed"],
          ["WORKS", "active", "working", "Running"],
          ["HANDED_OVER", "terminal", "ready for review", "ForReview"],
          ["HELD", "active", "stopped", "Held"],
          ["FREE", "active", "waiting", "GlobalCap"],
          ["CLOSED", "terminal", "closed", "Finished"]
        ]
      )
    })

    it("has a run where one lives, a question where one is open, a hold where one holds", () => {
      const { issues } = look(makeBench())
      const having = (what: "run" | "question" | "hold") =>
        issues.filter((issue) => issue[what] !== null).map(({ identifier }) => identifier)
      assert.deepStrictEqual(having("run"), ["ASKS", "WORKS"])
      assert.deepStrictEqual(having("question"), ["ASKS"])
      assert.deepStrictEqual(having("hold"), ["HELD"])
    })

    it("offers a retry where it would not be refused", () => {
      const { issues } = look(makeBench())
      assert.deepStrictEqual(
        issues.filter((issue) => issue.retryable).map(({ identifier }) => identifier),
        ["HELD"]
      )
    })

    it("asks for attention while a question is open, and counts the slots in use", () => {
      const { badge, slots } = look(makeBench())
      assert.strictEqual(badge, "attention")
      assert.deepStrictEqual(slots, { used: 2, limit: 2 })
    })

    it("emits after what people see has changed, and the next look has it", () => {
      const bench = makeBench()
      let emitted = 0
      bench.run(
        Effect.flatMap(Board, (board) =>
          Effect.forkDetach(Stream.runForEach(board.changes, () => Effect.sync(() => (emitted += 1))))
        )
      )
      const before = emitted
      bench.file()
      assert.isAbove(emitted, before)
      const found = look(bench).issues.find(({ identifier }) => identifier === "WAITS_TOO")
      assert.deepStrictEqual([found?.status, found?.why.code], ["waiting", "GlobalCap"])
    })
  })

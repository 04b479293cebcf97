import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer } from "effect"
import { Board } from "../../src/board/Board.ts"
import * as MemoryBoard from "../../src/board/MemoryBoard.ts"
import { IssueId } from "../../src/domain/ids.ts"
import {
  askingIssue,
  board,
  boardIssue,
  closedIssue,
  finishedIssue,
  heldIssue,
  proposedIssue,
  workingIssue
} from "../http/boards.ts"
import { diligent } from "../support/house.ts"
import { makeHousehold } from "../support/household.ts"
import { makeMachine, tellExit } from "../support/Machine.ts"
import { asking, busy, inTurn } from "../support/scripts.ts"
import { type Bench, boardContract } from "./Board.contract.ts"

const liveBench = (): Bench => {
  const house = makeHousehold({
    config: { agent: { maxConcurrentAgents: 2 } },
    issues: {
      "Todo/HELD.md": {},
      "Todo/HANDED_OVER.md": {},
      "Parked/PROPOSED.md": { proposedBy: "WORKS" },
      "Done/CLOSED.md": {}
    },
    behaviour: {
      prompt: (turn) => {
        if (turn.identifier === "ASKS") return asking("Which colour?")(turn)
        return turn.identifier === "HANDED_OVER" ? diligent(turn) : busy(turn)
      }
    }
  })
  house.advance("1 minute")
  house.command({ _tag: "Stop", issue: IssueId.make("HELD") })
  for (const name of ["ASKS", "WORKS"]) {
    house.put(`Todo/${name}.md`)
    house.advance("1 second")
  }
  house.put("Todo/FREE.md")
  house.advance("1 second")
  return {
    run: (effect) => house.run(effect),
    file: () => {
      house.put("Todo/WAITS_TOO.md")
      house.advance("1 second")
    }
  }
}

const memoryBench = (): Bench => {
  const machine = makeMachine()
  const issues = [
    askingIssue("ASKS"),
    proposedIssue("PROPOSED", "WORKS"),
    workingIssue("WORKS", 2),
    finishedIssue("HANDED_OVER"),
    heldIssue("HELD"),
    boardIssue("FREE"),
    closedIssue("CLOSED")
  ]
  const life = machine.start(
    Effect.flatMap(Effect.scope, (scope) =>
      Layer.buildWithScope(MemoryBoard.layer(board(issues, { slots: { used: 2, limit: 2 } })), scope)
    )
  )
  machine.settle()
  const run = <A>(effect: Effect.Effect<A, never, Board | MemoryBoard.BoardEditor>): A => {
    const context: Context.Context<Board | MemoryBoard.BoardEditor> | undefined = life.value()
    if (context === undefined) throw new Error("the program does not stand")
    const fiber = life.fork(Effect.provide(effect, context))
    machine.settle()
    const exit = fiber.pollUnsafe()
    if (exit === undefined) throw new Error("the effect has not ended")
    if (Exit.isFailure(exit)) throw new Error(tellExit(exit))
    return exit.value
  }
  const file = Effect.flatMap(MemoryBoard.BoardEditor, (editor) =>
    editor.update((now) => ({ ...now, issues: [...now.issues, boardIssue("WAITS_TOO")] }))
  )
  return { run, file: () => run(file) }
}

boardContract("the join of what is known", liveBench)
boardContract("in memory", memoryBench)

describe("an issue that is stopped while it asks", () => {
  it("needs nobody from then on, while its run still ends as well", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: { prompt: asking("Which colour?"), reap: () => Effect.succeed("unknown") }
    })
    const A = IssueId.make("A")
    const looked = () => house.run(Effect.flatMap(Board, (board) => board.snapshot)).issues[0]
    house.advance("1 second")
    assert.strictEqual(looked()?.status, "needs you")
    house.send({ _tag: "Stop", issue: A })
    house.settle()
    assert.deepInclude(looked(), { status: "working" })
    assert.deepStrictEqual(looked()?.why, { code: "Running", text: "stopping: an operator asked for it" })
    house.world.behaviour.reap = () => Effect.succeed("dead")
    house.advance("1 minute")
    assert.deepInclude(looked(), { status: "stopped", retryable: true })
    assert.deepStrictEqual(looked()?.why, { code: "Held", text: "stopped by the operator" })
    house.command({ _tag: "RetryNow", issue: A })
    assert.deepInclude(looked(), { status: "needs you" })
  })
})

describe("an issue whose file cannot be read", () => {
  const house = () =>
    makeHousehold({
      config: { agent: { maxConcurrentAgents: 3, steeringHoldMs: 1000 } },
      onDisk: true,
      issues: {
        "Todo/ASKS.md": {},
        "Todo/HELD.md": {},
        "Todo/WORKS.md": { title: "Work", description: "Much of it." }
      },
      behaviour: {
        prompt: (turn) => (turn.identifier === "ASKS" ? asking("Which colour?")(turn) : busy(turn))
      }
    })
  const looked = (made: ReturnType<typeof house>) =>
    made.run(Effect.flatMap(Board, (board) => board.snapshot))

  const spoilt = (made: ReturnType<typeof house>) => {
    made.advance("1 minute")
    made.command({ _tag: "Stop", issue: IssueId.make("HELD") })
    made.advance("10 seconds")
    for (const name of ["ASKS", "HELD", "WORKS"]) made.folder.spoil(`Todo/${name}.md`)
    made.advance("10 seconds")
    return made
  }

  it("stays, as it was read last, where a run works on it, it asks something, or is held", () => {
    const { issues, slots } = looked(spoilt(house()))
    assert.deepStrictEqual(
      issues.map(({ identifier, status }) => [identifier, status]),
      [
        ["ASKS", "needs you"],
        ["WORKS", "working"],
        ["HELD", "stopped"]
      ]
    )
    assert.strictEqual(slots.used, 1)
    const [asks, works, held] = issues
    assert.strictEqual(asks?.question?.text, "Which colour?")
    assert.deepInclude(works, { title: "Work", state: "Todo", description: "Much of it." })
    for (const issue of [asks, works, held]) {
      assert.strictEqual(issue?.why.code, "Unreadable")
      assert.include(issue?.why.text, `its file cannot be read: `)
      assert.include(issue?.why.text, `${issue?.identifier}.md`)
      assert.isFalse(issue?.retryable)
    }
  })

  it("stays over a restart, by what was journaled of it", () => {
    const made = spoilt(house())
    made.restart()
    made.advance("1 minute")
    assert.deepStrictEqual(
      looked(made).issues.map(({ identifier, state, status, title }) => [identifier, state, status, title]),
      [
        ["ASKS", "Todo", "needs you", "Todo/ASKS.md"],
        ["HELD", "Todo", "stopped", "Todo/HELD.md"],
        ["WORKS", "Todo", "waiting", "Work"]
      ]
    )
  })

  it("is gone with its file, but for a run that has not ended", () => {
    const made = spoilt(house())
    made.world.behaviour.reap = () => Effect.succeed("unknown")
    for (const name of ["ASKS", "HELD", "WORKS"]) made.folder.remove(`Todo/${name}.md`)
    made.advance("10 seconds")
    const { issues } = looked(made)
    assert.deepStrictEqual(
      issues.map(({ identifier, why }) => [identifier, why.text]),
      [["WORKS", "its file is not in the tracker"]]
    )
    assert.strictEqual(issues[0]?.run?.stopping, "issue_missing")
  })
})

it("what was handed over stays known while a later run is under way, until that hands over", () => {
  const house = makeHousehold({
    issues: { "Todo/A.md": {} },
    behaviour: { prompt: inTurn(diligent, busy) }
  })
  const handoffs = () => {
    const [issue] = house.run(Effect.flatMap(Board, (board) => board.snapshot)).issues
    return [issue?.handoff?.verdict, issue?.earlierHandoff?.verdict]
  }
  house.advance("10 seconds")
  assert.deepStrictEqual(handoffs(), ["verified", undefined])
  house.command({ _tag: "Move", issue: IssueId.make("A"), to: "Todo" })
  house.advance("10 seconds")
  assert.deepStrictEqual(handoffs(), [undefined, "verified"])
})

it("an issue that nothing was done about is as old as its file says, or else as its file", () => {
  const house = makeHousehold({ onDisk: true, config: { agent: { maxConcurrentAgents: 1 } } })
  house.advance("1 hour")
  const filed = house.machine.wall()
  const look = () => house.run(Effect.flatMap(Board, (board) => board.snapshot))
  house.put("Parked/PLAIN.md")
  house.world.disk.put(
    `${look().trackerRoot}/Parked/DATED.md`,
    "---\ntitle: Dated\ncreated_at: 2020-01-01T00:00:00Z\n---\n"
  )
  house.advance("1 hour")
  assert.deepStrictEqual(
    Object.fromEntries(look().issues.map(({ changedAt, identifier }) => [identifier, changedAt])),
    { DATED: Date.UTC(2020, 0, 1), PLAIN: filed }
  )
})

import { Effect, Redacted } from "effect"
import { AgentError, type AgentSessionOptions, type TurnResult } from "../../src/agent/AgentSessions.ts"
import { Identifier, RunId } from "../../src/domain/ids.ts"
import { setWork } from "../../src/handoff/MemoryHandoff.ts"
import { RunGrants } from "../../src/mcp/RunGrants.ts"
import { RunTools } from "../../src/mcp/RunTools.ts"
import type { AgentTurn } from "../support/house.ts"
import { Violation } from "./Ledger.ts"
import { MINUTE, type World } from "./World.ts"

const failure = (reason: AgentError["reason"], resetAt: number | null = null) =>
  new AgentError({ reason, detail: `the agent's ${reason}`, resetAt })

/** The agents of a simulated world: mostly diligent, and as bad as agents are while there are faults. */
export const makeAgents = (world: World) => {
  const { dice, house, ledger, machine } = world
  /** Tokens that were given out in lives that have ended. */
  const old: Array<string> = []
  const given = new Set<string>()
  const endedRuns: Array<RunId> = []
  /** Prompts whose turns have ended as turns should. */
  const takenUp: Array<{ readonly identifier: string; readonly text: string }> = []
  let commits = 0

  const usage = (): TurnResult => {
    const total = dice.between(100, 5_000)
    return {
      stopReason: "end_turn",
      tokens: { input: total - 50, output: 50, total, source: "reported" }
    }
  }

  const think = (turn: AgentTurn, longest = 6 * MINUTE) =>
    Effect.gen(function* () {
      const pauses = dice.between(1, 3)
      for (let index = 0; index < pauses; index++) {
        yield* turn.emit({ _tag: "Message", text: "thinking" })
        yield* Effect.sleep(dice.between(100, longest / pauses))
      }
    })

  const commit = (turn: AgentTurn) =>
    Effect.suspend(() => {
      commits += 1
      return setWork(house.handoff, turn.identifier, {
        head: `c${commits}-${turn.identifier}`,
        commits: 1,
        uncommitted: []
      })
    })

  /** What a tool has accepted is journaled, for a run that lives. */
  const checked = (turn: AgentTurn, tool: string, args: unknown) =>
    Effect.tap(turn.call(tool, args), ({ isError, text }) =>
      Effect.sync(() => {
        world.trace(`agent ${turn.runId} ${tool}: ${isError ? "refused " : ""}${text.slice(0, 60)}`)
        if (isError) return
        const run = ledger.liveRun(turn.runId)
        if (run === undefined || !run.slot) {
          world.fail(new Violation("no effect by an old generation", `${tool} of ${turn.runId} is accepted`))
        } else if ((tool === "mark_done" || tool === "transition") && !run.done) {
          world.fail(
            new Violation("intent, effect, result", `${tool} of ${turn.runId} is answered and not journaled`)
          )
        }
      })
    )

  const done = (turn: AgentTurn) => checked(turn, "mark_done", { title: "Done", summary: "It is done." })
  const ask = (turn: AgentTurn) =>
    checked(turn, "request_human_steering", { question: `Which way, ${turn.identifier}?` })

  const diligent = (turn: AgentTurn) =>
    Effect.gen(function* () {
      yield* think(turn)
      yield* commit(turn)
      yield* done(turn)
      return usage()
    })

  const bad = (turn: AgentTurn): Effect.Effect<TurnResult, AgentError> => {
    const roll = dice.between(0, 99)
    const { hit } = world
    if (roll < 8) {
      hit("agent crashes", turn.runId)
      return Effect.andThen(think(turn), Effect.fail(failure("exit")))
    }
    if (roll < 12) {
      hit("agent stalls", turn.runId)
      return Effect.andThen(think(turn, MINUTE), Effect.never)
    }
    if (roll < 24) {
      hit("agent asks", turn.runId)
      return Effect.gen(function* () {
        yield* think(turn)
        const { isError } = yield* ask(turn)
        if (!isError && dice.chance(0.4)) early(turn)
        if (dice.chance(0.2)) yield* Effect.sleep(dice.between(1_000, 30_000))
        if (dice.chance(0.1)) return yield* Effect.fail(failure("exit"))
        return usage()
      })
    }
    if (roll < 28) {
      hit("agent asks and goes on", turn.runId)
      return Effect.gen(function* () {
        yield* ask(turn)
        early(turn)
        yield* think(turn)
        if (dice.chance(0.5)) return yield* diligent(turn)
        return usage()
      })
    }
    if (roll < 38) {
      hit("agent never signals", turn.runId)
      return Effect.map(think(turn), usage)
    }
    if (roll < 42) {
      hit("agent signals twice", turn.runId)
      return Effect.gen(function* () {
        yield* commit(turn)
        yield* Effect.all([done(turn), done(turn)], { concurrency: 2 })
        yield* done(turn)
        return usage()
      })
    }
    if (roll < 46) {
      hit("agent ignores cancel", turn.runId)
      return Effect.gen(function* () {
        yield* commit(turn)
        yield* done(turn)
        return yield* Effect.never
      })
    }
    if (roll < 50) {
      hit("agent calls late", turn.runId)
      return Effect.gen(function* () {
        yield* commit(turn)
        // Outlives its turn, as a background job of the agent does.
        const life = world.services()
        machine.after(dice.between(100, 5 * MINUTE), () => {
          if (life !== undefined && world.services() === life) world.fork(done(turn))
        })
        if (dice.chance(0.5)) yield* done(turn)
        return usage()
      })
    }
    if (roll < 54) {
      hit("agent lies", turn.runId)
      return Effect.gen(function* () {
        yield* setWork(house.handoff, turn.identifier, {
          head: `dirty-${turn.identifier}`,
          commits: 0,
          uncommitted: ["work.txt"]
        })
        yield* done(turn)
        return usage()
      })
    }
    if (roll < 57) {
      hit("agent floods", turn.runId)
      return Effect.gen(function* () {
        for (let index = 0; index < 80; index++) yield* turn.call("no_such_tool", {})
        return usage()
      })
    }
    if (roll < 61) {
      hit("agent rate limited", turn.runId)
      return Effect.fail(failure("rate_limit", machine.wall() + dice.between(MINUTE, 90 * MINUTE)))
    }
    if (roll < 63) {
      hit("agent auth refused", turn.runId)
      return Effect.fail(failure("auth"))
    }
    if (roll < 67) {
      hit("agent proposes", turn.runId)
      return Effect.gen(function* () {
        yield* checked(turn, "propose_issue", { title: `Found by ${turn.runId}` })
        return yield* diligent(turn)
      })
    }
    if (roll < 80) {
      hit("agent transitions", turn.runId)
      return Effect.gen(function* () {
        yield* think(turn)
        yield* commit(turn)
        yield* checked(turn, "transition", {
          to_state: dice.pick(["Review", "Todo", "Triage", "Done"]),
          notes: "Notes."
        })
        return usage()
      })
    }
    return diligent(turn)
  }

  /** The person is quick: the reply comes while the turn that asked goes on. */
  const early = (turn: AgentTurn): void => {
    machine.after(dice.between(0, 2_000), () => answerEarly(turn.identifier))
  }
  let answerEarly: (identifier: string) => void = () => undefined

  return {
    onEarly: (answer: (identifier: string) => void): void => {
      answerEarly = answer
    },
    open: (options: AgentSessionOptions) =>
      Effect.suspend(() => {
        given.add(Redacted.value(options.mcp.token))
        const run = /r\d+-\d+/.exec(options.sandbox.name)?.[0]
        if (run !== undefined) endedRuns.push(RunId.make(run))
        if (world.isFaulty() && dice.chance(0.01)) {
          world.hit("agent hangs at open")
          return Effect.never
        }
        if (world.isFaulty() && dice.chance(0.01)) {
          world.hit("agent fails to open")
          return Effect.fail(failure("start"))
        }
        const resumes = !(world.isFaulty() && options.resume !== null && dice.chance(0.3))
        if (!resumes) world.hit("agent loses session")
        return Effect.as(Effect.sleep(dice.between(1, 3_000)), { resumes })
      }),
    prompt: (turn: AgentTurn): Effect.Effect<TurnResult, AgentError> =>
      Effect.suspend(() => {
        world.trace(`agent ${turn.runId} is prompted`)
        try {
          ledger.prompted(turn.runId, turn.text)
        } catch (error) {
          if (!(error instanceof Violation)) throw error
          world.fail(error)
        }
        return Effect.tap(world.isFaulty() ? bad(turn) : diligent(turn), () =>
          Effect.sync(() => takenUp.push({ identifier: turn.identifier, text: turn.text }))
        )
      }),
    hasTakenUp: (identifier: string, text: string): boolean =>
      takenUp.some((prompt) => prompt.identifier === identifier && prompt.text.includes(text)),
    /** A life has ended: its agents may go on for a while. */
    orphaned: (): void => {
      for (const token of given) old.push(token)
      given.clear()
    },
    /** A new life stands: what is left of the old ones knocks. */
    reached: (): void => {
      const token = old.at(-1)
      const run = endedRuns.at(0)
      if (token !== undefined) {
        world.hit("zombie calls")
        world.fork(
          Effect.flatMap(RunGrants, (grants) => grants.find(token)),
          (exit) => {
            if (exit._tag === "Success" && exit.value._tag === "Some")
              throw new Violation("every token is revoked with its run", "a token outlived its process")
          }
        )
      }
      if (run === undefined || ledger.liveRun(run) !== undefined) return
      world.fork(
        Effect.flatMap(RunTools, (tools) =>
          tools.call({ runId: run, identifier: Identifier.make("zombie"), purpose: "mcp" }, "mark_done", {
            title: "Done",
            summary: "It is done."
          })
        ),
        (exit) => {
          if (exit._tag === "Success" && !exit.value.isError)
            throw new Violation("no effect by an old generation", `${run} has ended and is done`)
        }
      )
    }
  }
}
export type Agents = ReturnType<typeof makeAgents>

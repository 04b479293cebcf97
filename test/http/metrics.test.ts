import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Board, Status } from "../../src/board/Board.ts"
import { IssueId } from "../../src/domain/ids.ts"
import { metricsText } from "../../src/http/metrics.ts"
import { type Household, makeHousehold } from "../support/household.ts"
import { busy, only } from "../support/scripts.ts"
import { askingIssue, board, proposedIssue, workingIssue } from "./boards.ts"
import { sendAuthorized, server } from "./support.ts"

const BOARD = board([askingIssue("DEMO-1"), workingIssue("DEMO-2", 2), proposedIssue("DEMO-3", "DEMO-2")])

interface Family {
  readonly type: string
  readonly help: string
  /** By label set, as written. */
  readonly values: Readonly<Record<string, number>>
}

const families = (text: string): Readonly<Record<string, Family>> =>
  Object.fromEntries(
    text
      .split(/^(?=# HELP )/m)
      .filter((part) => part !== "")
      .map((part) => {
        const [, name = "", help = ""] = /^# HELP (\S+) (.*)$/m.exec(part) ?? []
        const values = [...part.matchAll(/^([a-z_]+)(\{.*\})? (\S+)$/gm)].map(
          ([, of, labels = "", value]) => {
            assert.strictEqual(of, name)
            return [labels, Number(value)] as const
          }
        )
        return [
          name,
          { help, type: /^# TYPE \S+ (\w+)$/m.exec(part)?.[1] ?? "", values: Object.fromEntries(values) }
        ]
      })
  )

const countersOf = (house: Household): Readonly<Record<string, number>> => {
  const text = house.run(Effect.flatMap(Board, ({ snapshot }) => Effect.flatMap(snapshot, metricsText)))
  return Object.fromEntries(
    Object.entries(families(text)).flatMap(([name, { type, values }]) =>
      type === "counter" ? [[name, Object.values(values)[0] ?? 0] as const] : []
    )
  )
}

describe("/metrics", () => {
  it.live("has what the board shows", () =>
    Effect.gen(function* () {
      const found = families(yield* (yield* sendAuthorized("GET", "/metrics")).text)
      assert.deepStrictEqual(
        found["symphony_issues"]?.values,
        Object.fromEntries(
          Status.literals.map((status) => [
            `{status="${status}"}`,
            { "needs you": 2, working: 1 }[status as string] ?? 0
          ])
        )
      )
      assert.deepStrictEqual(found["symphony_slots_limit"]?.values, { "": 10 })
      assert.deepStrictEqual(found["symphony_runs_completed_total"]?.values, { "": 2 })
      assert.deepStrictEqual(found["symphony_cost_total"]?.values, {
        '{currency="USD"}': 1.25,
        '{currency="credits"}': 3
      })
      // Asked twice, it counts nothing twice.
      assert.deepStrictEqual(families(yield* (yield* sendAuthorized("GET", "/metrics")).text), found)
    }).pipe(Effect.provide(server({ board: BOARD })))
  )

  it.effect("calls a total a counter and nothing else, and says what each is, as its page does", () =>
    Effect.gen(function* () {
      const found = Object.entries(families(yield* metricsText(BOARD)))
      for (const [name, { help, type }] of found) {
        assert.strictEqual(type, name.endsWith("_total") ? "counter" : "gauge", name)
        assert.notStrictEqual(help, "", name)
      }
      const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8")
      assert.deepStrictEqual(
        [...page.matchAll(/^\| `(\w+)(?:\{(\w+)\})?` \| (\w+) \| (.*) \|$/gm)].map((cells) => cells.slice(1)),
        found.map(([name, { help, type, values }]) => [
          name,
          /\{(\w+)=/.exec(Object.keys(values)[0] ?? "")?.[1],
          type,
          help
        ])
      )
    })
  )

  it("has counters that never fall, whatever becomes of the process", () => {
    const house = makeHousehold({
      issues: { "Todo/A.md": {}, "Todo/B.md": {} },
      behaviour: { prompt: only("A", busy) }
    })
    let before = countersOf(house)
    const hasNotFallen = () => {
      const now = countersOf(house)
      for (const [name, value] of Object.entries(before)) assert.isAtLeast(now[name] ?? -1, value, name)
      before = now
    }
    for (const how of ["power", "process", "power"] as const) {
      house.advance("10 minutes")
      hasNotFallen()
      house.restart(how)
      hasNotFallen()
    }
    house.command({ _tag: "Stop", issue: IssueId.make("A") })
    house.advance("1 minute")
    hasNotFallen()
    assert.isAbove(before["symphony_agent_seconds_total"] ?? 0, 600)
    assert.isAbove(before["symphony_runs_total"] ?? 0, 1)
    house.restart("power")
    hasNotFallen()
  })
})

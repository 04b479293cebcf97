import { Effect, Metric } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { Board, type BoardSnapshot, Status } from "../board/Board.ts"

const issues = Metric.gauge("symphony_issues", { description: "Issues by the word for what they are at" })
const slotsUsed = Metric.gauge("symphony_slots_used", { description: "Runs that hold a slot" })
const slotsLimit = Metric.gauge("symphony_slots_limit", { description: "Runs that may hold one" })
const problems = Metric.gauge("symphony_problems", { description: "Problems that somebody should mend" })
const tokens = Metric.gauge("symphony_tokens_total", { description: "Tokens of all runs, as far as known" })
const cost = Metric.gauge("symphony_cost_total", {
  description: "What agents say that all runs have cost, as far as known"
})
const seconds = Metric.gauge("symphony_agent_seconds_total", { description: "Seconds of all runs" })
const runs = Metric.gauge("symphony_runs_total", { description: "Runs started" })
const completed = Metric.gauge("symphony_runs_completed_total", { description: "Runs that handed over" })

const observe = (board: BoardSnapshot) =>
  Effect.all([
    ...Status.literals.map((status) =>
      Metric.update(
        Metric.withAttributes(issues, { status }),
        board.issues.filter((issue) => issue.status === status).length
      )
    ),
    Metric.update(slotsUsed, board.slots.used),
    Metric.update(slotsLimit, board.slots.limit),
    Metric.update(problems, board.problems.length),
    Metric.update(tokens, board.totals.tokens.total),
    ...Object.entries(board.totals.tokens.cost?.amounts ?? {}).map(([currency, amount]) =>
      Metric.update(Metric.withAttributes(cost, { currency }), amount)
    ),
    Metric.update(seconds, board.totals.seconds),
    Metric.update(runs, board.totals.runs),
    Metric.update(completed, board.totals.completed)
  ])

/** `GET /metrics` for Prometheus: what the board shows, in numbers, beside what the program counts itself. */
export const metricsRoute = HttpRouter.add(
  "GET",
  "/metrics",
  Effect.gen(function* () {
    const board = yield* Board
    yield* observe(yield* board.snapshot)
    return HttpServerResponse.text(yield* PrometheusMetrics.format(), {
      contentType: "text/plain; version=0.0.4; charset=utf-8"
    })
  })
)

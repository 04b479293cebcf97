import { Effect, Metric } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { Board, type BoardSnapshot, Status } from "../board/Board.ts"

const issues = Metric.gauge("symphony_issues", { description: "Issues by the word for what they are at" })
const slotsUsed = Metric.gauge("symphony_slots_used", { description: "Runs that hold a slot" })
const slotsLimit = Metric.gauge("symphony_slots_limit", { description: "Runs that may hold one" })
const problems = Metric.gauge("symphony_problems", { description: "Problems that somebody should mend" })

const counter = (name: string, description: string) =>
  Metric.counter(name, { description, incremental: true })

const tokens = counter("symphony_tokens_total", "Tokens of all runs, as far as known")
const cost = counter("symphony_cost_total", "What agents say that all runs have cost, as far as known")
const seconds = counter("symphony_agent_seconds_total", "Seconds of all runs that have ended")
const runs = counter("symphony_runs_total", "Runs started")
const completed = counter("symphony_runs_completed_total", "Runs that handed over")

const observe = ({ issues: all, problems: found, slots, totals }: BoardSnapshot) =>
  Effect.all([
    ...Status.literals.map((status) =>
      Metric.update(
        Metric.withAttributes(issues, { status }),
        all.filter((issue) => issue.status === status).length
      )
    ),
    Metric.update(slotsUsed, slots.used),
    Metric.update(slotsLimit, slots.limit),
    Metric.update(problems, found.length),
    Metric.update(tokens, totals.tokens.total),
    ...Object.entries(totals.tokens.cost?.amounts ?? {}).map(([currency, amount]) =>
      Metric.update(Metric.withAttributes(cost, { currency }), amount)
    ),
    Metric.update(seconds, totals.endedSeconds),
    Metric.update(runs, totals.runs),
    Metric.update(completed, totals.completed)
  ])

/**
 * What the board shows, in numbers, as Prometheus reads them. The counters are the journal's totals and outlive the
 * process: they are told anew each time, instead of being counted here beside it.
 */
export const metricsText = (board: BoardSnapshot): Effect.Effect<string> =>
  Effect.andThen(observe(board), PrometheusMetrics.format()).pipe(
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

/** `GET /metrics` for Prometheus. */
export const metricsRoute = HttpRouter.add(
  "GET",
  "/metrics",
  Effect.gen(function* () {
    const board = yield* Board
    return HttpServerResponse.text(yield* metricsText(yield* board.snapshot), {
      contentType: "text/plain; version=0.0.4; charset=utf-8"
    })
  })
)

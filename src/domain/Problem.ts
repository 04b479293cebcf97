import { Schema } from "effect"

/**
 * Something a person should mend, shown on stderr, in `problems` of `/api/v1/state` and on the page until
 * it is gone.
 */
export const Problem = Schema.Struct({
  source: Schema.Literals([
    "workflow",
    "tracker",
    "adapter",
    "sandbox",
    "handoff",
    "journal",
    "machine",
    "http"
  ]),
  severity: Schema.Literals(["error", "warning"]),
  /** `file`, `file:line` or `file:line:column`; a name where no file is at fault. */
  where: Schema.String,
  /** What happened, in one line. */
  message: Schema.String,
  /** What to do about it. */
  hint: Schema.NullOr(Schema.String)
})
export type Problem = typeof Problem.Type

/** One line for a terminal or a log: `where message - hint`. */
export const renderProblem = (problem: Problem): string =>
  `${problem.where} ${problem.message}${problem.hint === null ? "" : ` - ${problem.hint}`}`

import { Schema } from "effect"

/** Stable identity of an issue: front matter `id`, else the identifier. Survives moves and edits. */
export const IssueId = Schema.NonEmptyString.pipe(Schema.brand("IssueId"))
export type IssueId = typeof IssueId.Type

/** What people call the issue: front matter `identifier`, else its file name without `.md`. */
export const Identifier = Schema.NonEmptyString.pipe(Schema.brand("Identifier"))
export type Identifier = typeof Identifier.Type

/**
 * One run of one issue, and at the same time its fencing generation: `r<epoch>-<n>`, where `epoch` counts
 * the starts of the orchestrator and `n` the runs since then. Ordered, never reused within a tracker, safe
 * as a file name, a git ref and an environment value.
 */
export const RunId = Schema.String.pipe(Schema.check(Schema.isPattern(/^r\d+-\d+$/)), Schema.brand("RunId"))
export type RunId = typeof RunId.Type

export const makeRunId = (epoch: number, n: number): RunId => RunId.make(`r${epoch}-${n}`)

/** One question of an agent to a human. */
export const QuestionId = Schema.String.pipe(
  Schema.check(Schema.isPattern(/^q-r\d+-\d+-\d+$/)),
  Schema.brand("QuestionId")
)
export type QuestionId = typeof QuestionId.Type

export const makeQuestionId = (run: RunId, n: number): QuestionId => QuestionId.make(`q-${run}-${n}`)

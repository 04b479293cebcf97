import { Effect, Schema, SchemaIssue } from "effect"
import { sameState } from "../domain/State.ts"

/** Longest texts an agent may send, in characters (Unicode code points). */
export const LIMITS = {
  title: 72,
  summary: 20_000,
  question: 4_000,
  context: 20_000,
  notes: 20_000,
  issueTitle: 200,
  description: 50_000,
  label: 50,
  labels: 20
} as const

const CONTROL_OR_BREAK = /[\p{Cc}\p{Zl}\p{Zp}]/u
const codePoints = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}

/** One line, counted and kept without surrounding blanks. */
const line = (max: number, description: string) =>
  Schema.String.pipe(
    Schema.check(
      Schema.makeFilter<string>(
        (text) => {
          const trimmed = text.trim()
          const count = codePoints(trimmed)
          if (count === 0) return "must not be blank"
          const found = [
            ...(count > max ? [`${count} characters`] : []),
            ...(CONTROL_OR_BREAK.test(trimmed) ? ["a line break or another control character"] : [])
          ]
          return found.length === 0
            ? undefined
            : `must be one line of at most ${max} characters; it has ${found.join(" and ")}`
        },
        { toJsonSchema: () => ({ minLength: 1, maxLength: max }) }
      )
    )
  ).annotate({ description: `${description} One line of at most ${max} characters.` })

/** Text of any number of lines. */
const text = (max: number, description: string) =>
  Schema.String.pipe(
    Schema.check(
      Schema.makeFilter<string>(
        (value) => {
          if (value.trim() === "") return "must not be blank"
          const count = codePoints(value)
          return count > max ? `must be at most ${max} characters; it has ${count}` : undefined
        },
        { toJsonSchema: () => ({ minLength: 1, maxLength: max }) }
      )
    )
  ).annotate({ description: `${description} At most ${max} characters.` })

/** Agents leave an optional argument out or send null for it. */
const optional = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

export const MarkDone = Schema.Struct({
  title: line(LIMITS.title, "What was done, worded like the subject of a commit."),
  summary: text(
    LIMITS.summary,
    "What was changed and why, how it was checked, and what a reviewer should know."
  )
})

export const RequestHumanSteering = Schema.Struct({
  question: text(LIMITS.question, "The one question a person has to answer, understandable on its own."),
  context: optional(
    text(LIMITS.context, "What you found out, the choices you see, and which of them you would take.")
  )
})

/** The states to choose from are those of the issue, so the schema is made for it. */
export const transitionTo = (states: ReadonlyArray<string>) =>
  Schema.Struct({
    to_state: Schema.String.pipe(
      Schema.check(
        Schema.makeFilter<string>(
          (state) =>
            states.some((name) => sameState(name, state))
              ? undefined
              : `must be one of: ${states.join(", ")}`,
          { toJsonSchema: () => ({ enum: [...states] }) }
        )
      )
    ).annotate({ description: `The state to move your issue to: ${states.join(", ")}.` }),
    notes: text(LIMITS.notes, "What the next reader of the issue needs: it is appended to the issue.")
  })

export const ProposeIssue = Schema.Struct({
  title: line(LIMITS.issueTitle, "What should be done."),
  description: optional(
    text(LIMITS.description, "Markdown: the problem, where it is, and how to tell that it is solved.")
  ),
  labels: optional(
    Schema.Array(line(LIMITS.label, "A label.")).pipe(
      Schema.check(Schema.isMaxLength(LIMITS.labels, { expected: `at most ${LIMITS.labels} labels` }))
    )
  ),
  priority: optional(Schema.Int.annotate({ description: "A whole number; smaller is more urgent." }))
})

export const jsonSchemaOf = (schema: Schema.Top): Readonly<Record<string, unknown>> =>
  Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error" }).schema

const PROBLEMS_SHOWN = 20
const PATH_SHOWN = 100
const format = SchemaIssue.makeFormatterStandardSchemaV1()

const problemsOf = (issue: SchemaIssue.Issue): string => {
  const problems = format(issue).issues.map(({ message, path }) => {
    const where = (path ?? []).map(String).join(".")
    return `- ${where === "" ? "arguments" : where.slice(0, PATH_SHOWN)}: ${message}`
  })
  const shown = problems.slice(0, PROBLEMS_SHOWN)
  const left = problems.length - shown.length
  return [...shown, ...(left > 0 ? [`- and ${left} more`] : [])].join("\n")
}

/** All problems of the arguments at once, one a line, without the rejected values. */
export class ArgumentsRefused extends Schema.TaggedError<ArgumentsRefused>()("ArgumentsRefused", {
  problems: Schema.String
}) {}

/** Elements of lists and members of objects that arguments may hold in all: several times what any tool takes. */
const ELEMENTS = 200

/** Looked at before decoding, which would name every one of a million problems first. */
const isBloated = (args: unknown): boolean => {
  let left = ELEMENTS
  const pending = [args]
  while (pending.length > 0) {
    const value = pending.pop()
    if (typeof value !== "object" || value === null) continue
    const members = Object.values(value)
    left -= members.length
    if (left < 0) return true
    pending.push(...members)
  }
  return false
}

export const decodeArguments = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownEffect(schema, { errors: "all", onExcessProperty: "error" })
  return (args: unknown): Effect.Effect<S["Type"], ArgumentsRefused> =>
    isBloated(args)
      ? new ArgumentsRefused({ problems: `- arguments: more than ${ELEMENTS} values in all` })
      : decode(args ?? {}).pipe(
          Effect.mapError((error) => new ArgumentsRefused({ problems: problemsOf(error.issue) }))
        )
}

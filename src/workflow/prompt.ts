import { basename } from "node:path"
import { Effect, Result } from "effect"
import { Liquid, type Template } from "liquidjs"
import type { Issue } from "../domain/Issue.ts"
import { nearest } from "./keys.ts"
import { PromptError } from "./Workflow.ts"
import type { WorkflowDefinition } from "./WorkflowConfig.ts"

/** Why a run starts again: `null` on the first; a person's answer, a failed run, or unfinished work before it. */
export type RetryKind = "continuation" | "failure" | "reply"

export interface PromptScope {
  readonly issue: Issue
  /** `null` on the first run, else 1 or more. */
  readonly attempt: number | null
  readonly retryKind: RetryKind | null
}

/** Used where WORKFLOW.md has no prompt of its own. */
export const DEFAULT_PROMPT = `You are working on the issue {{ issue.identifier }}: {{ issue.title }}

{{ issue.description }}

Do the work in the current folder and commit it to the branch that is checked out. When it is finished and
committed, call the mark_done tool. If you cannot go on without a decision of a person, call the
request_human_steering tool and end your turn.`

const LIMITS = { parseLimit: 256 * 1024, renderLimit: 1_000, memoryLimit: 16 * 1024 * 1024 }
const READS_OTHER_TEMPLATES = ["include", "render", "layout", "block"]

/** Strict, without prototypes, without other templates, and without filters that evaluate a text. */
const makeEngine = (): Liquid => {
  const engine = new Liquid({
    ...LIMITS,
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    relativeReference: false,
    dynamicPartials: false,
    templates: {}
  })
  for (const tag of READS_OTHER_TEMPLATES) delete engine.tags[tag]
  for (const filter of Object.keys(engine.filters)) {
    if (filter.endsWith("_exp")) delete engine.filters[filter]
  }
  return engine
}

const engine = makeEngine()

const ISSUE_FIELDS = [
  "id",
  "identifier",
  "title",
  "description",
  "priority",
  "state",
  "branch_name",
  "url",
  "labels",
  "blocked_by",
  "created_at",
  "updated_at",
  "assignee_id",
  "native_ref"
] as const

const issueScope = (issue: Issue): Record<(typeof ISSUE_FIELDS)[number], unknown> => ({
  id: issue.id,
  identifier: issue.identifier,
  title: issue.title,
  description: issue.description,
  priority: issue.priority,
  state: issue.state,
  branch_name: issue.branchName,
  url: issue.url,
  labels: [...issue.labels],
  blocked_by: issue.blockedBy.map(({ id, identifier, state }) => ({ id, identifier, state })),
  created_at: issue.createdAt,
  updated_at: issue.updatedAt,
  assignee_id: issue.assigneeId,
  native_ref: issue.nativeRef
})

const ROOTS = ["issue", "attempt", "retry_kind"]

export interface TemplateFault {
  /** 1-based, within the template. */
  readonly line: number
  readonly column: number
  readonly message: string
  readonly hint: string | null
}

const PLACE = /, line:(\d+), col:(\d+)$/

/** The engine puts the place at the end of the first line; a value of the issue may be in it. */
const faultOf = (cause: unknown): TemplateFault => {
  const [message = ""] = (cause instanceof Error ? cause.message : String(cause)).split("\n", 1)
  const [, line = "1", column = "1"] = PLACE.exec(message) ?? []
  const text = message
    .replace(PLACE, "")
    .replaceAll(/\p{Cc}/gu, " ")
    .slice(0, 300)
  return { line: Number(line), column: Number(column), message: text, hint: null }
}

const parse = (template: string): Result.Result<Array<Template>, TemplateFault> =>
  Result.try({ try: () => engine.parse(template), catch: faultOf })

const meant = (word: string, candidates: ReadonlyArray<string>): string => {
  const candidate = nearest(word, candidates)
  return candidate === undefined ? `there are ${candidates.join(", ")}` : `did you mean "${candidate}"?`
}

/** Variables that no scope will have: they would fail every run that gets to them. */
const unknownVariables = (templates: Array<Template>): ReadonlyArray<TemplateFault> =>
  Object.values(engine.analyzeSync(templates, { partials: false }).globals)
    .flat()
    .flatMap(({ segments: [root, field], location }) => {
      const at = { line: location.row, column: location.col }
      if (typeof root !== "string") return []
      if (!ROOTS.includes(root)) {
        return [{ ...at, message: `unknown variable ${root}`, hint: meant(root, ROOTS) }]
      }
      if (root !== "issue" || typeof field !== "string") return []
      return ISSUE_FIELDS.some((name) => name === field)
        ? []
        : [{ ...at, message: `unknown variable issue.${field}`, hint: meant(field, ISSUE_FIELDS) }]
    })

/** What can be known to be wrong with a template before there is an issue. */
export const checkTemplate = (template: string): ReadonlyArray<TemplateFault> =>
  Result.match(
    Result.flatMap(parse(template), (templates) =>
      Result.try({ try: () => unknownVariables(templates), catch: faultOf })
    ),
    { onFailure: (fault) => [fault], onSuccess: (faults) => faults }
  )

/** The first prompt of a session. What an issue says is data: template text in it is not evaluated. */
export const renderPrompt = Effect.fn("workflow.renderPrompt")(function* (
  { path, prompt, promptLine }: WorkflowDefinition,
  { attempt, issue, retryKind }: PromptScope
) {
  const failed =
    (code: PromptError["code"]) =>
    ({ column, line, message }: TemplateFault) =>
      new PromptError({
        code,
        where: `${basename(path)}:${promptLine + line - 1}:${column}`,
        detail: message
      })
  const templates = yield* Effect.fromResult(parse(prompt)).pipe(
    Effect.mapError(failed("template_parse_error"))
  )
  const scope = { issue: issueScope(issue), attempt, retry_kind: retryKind }
  return yield* Effect.try({
    try: () => String(engine.renderSync(templates, scope)),
    catch: (cause) => failed("template_render_error")(faultOf(cause))
  })
})

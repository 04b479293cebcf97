import { basename, dirname } from "node:path"
import { Result, Schema, SchemaIssue } from "effect"
import type { Problem } from "../domain/Problem.ts"
import { splitFrontMatter, type FrontMatter } from "../files/frontMatter.ts"
import { toConfig } from "./config.ts"
import { describe, refuse, renderKey, warn, type Finding } from "./findings.ts"
import { expectedAt, keysOf, suggestionFor, type KeyPath } from "./keys.ts"
import type { Environment } from "./paths.ts"
import { checkTemplate, DEFAULT_PROMPT } from "./prompt.ts"
import { FrontMatterKeys } from "./schema.ts"
import { decodeStates } from "./states.ts"
import { WorkflowError } from "./Workflow.ts"
import type { WorkflowDefinition } from "./WorkflowConfig.ts"

export interface DecodedWorkflow {
  readonly definition: WorkflowDefinition
  readonly warnings: ReadonlyArray<Problem>
}

type Data = Readonly<Record<string, unknown>>

const isMap = (value: unknown): value is Data =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const sections = Object.keys(FrontMatterKeys.fields).filter((name) => name !== "states")

/** A section that is missing or empty is one with nothing in it. */
const withSections = (data: Data): Data =>
  Object.fromEntries([
    ...Object.entries(data),
    ...sections
      .filter((name) => !Object.hasOwn(data, name) || data[name] === null)
      .map((name) => [name, {}] as const)
  ])

const valueAt = (data: unknown, path: KeyPath): unknown =>
  path.reduce<unknown>((value, step) => {
    if (Array.isArray(value)) return value[Number(step)]
    return isMap(value) && Object.hasOwn(value, step) ? value[String(step)] : undefined
  }, data)

/** Leaves of a Schema issue carry only their tag: the texts are ours, and never show a value. */
const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1({ leafHook: (leaf) => leaf._tag })

const decode = Schema.decodeUnknownResult(FrontMatterKeys, { errors: "all", onExcessProperty: "error" })
const decodeKnown = Schema.decodeUnknownResult(FrontMatterKeys, { onExcessProperty: "ignore" })

const names = keysOf(FrontMatterKeys).map(({ name }) => name)

const unknownKey = (path: KeyPath): Finding => {
  const meant = suggestionFor(FrontMatterKeys, names, path)
  return warn(path, "unknown key, ignored", meant === undefined ? null : `did you mean "${meant}"?`)
}

const badValue = (data: Data, path: KeyPath): Finding =>
  refuse(path, `expected ${expectedAt(FrontMatterKeys, path)}, got ${describe(valueAt(data, path))}`)

/** What the schema says, one finding for each place. */
const schemaFindings = (data: Data): ReadonlyArray<Finding> => {
  const decoded = decode(data)
  if (Result.isSuccess(decoded)) return []
  const found = new Map<string, Finding>()
  for (const { message, path = [] } of issuesOf(decoded.failure.issue).issues) {
    const steps = path.map((step) => (typeof step === "object" ? step.key : step))
    const place = JSON.stringify(steps.map(String))
    if (found.has(place)) continue
    found.set(place, message === "UnexpectedKey" ? unknownKey(steps) : badValue(data, steps))
  }
  return [...found.values()]
}

const below = (places: ReadonlyArray<KeyPath>, step: string | number): ReadonlyArray<KeyPath> =>
  places.filter(([first]) => String(first) === String(step)).map((place) => place.slice(1))

/** The value without what lies at `places`; a list that has a bad item goes as a whole. */
const without = (value: unknown, places: ReadonlyArray<KeyPath>): unknown => {
  if (places.length === 0) return value
  if (places.some((place) => place.length === 0)) return undefined
  if (Array.isArray(value)) {
    if (places.some((place) => place.length === 1)) return undefined
    return value.map((item, index) => without(item, below(places, index)))
  }
  if (!isMap(value)) return undefined
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, member]) => [name, without(member, below(places, name))] as const)
      .filter(([, member]) => member !== undefined)
  )
}

const over = (fallback: Data, value: unknown): Data => ({ ...fallback, ...(isMap(value) ? value : {}) })

/**
 * The data without what was refused, so that the rules between keys can be checked on the rest. Keys that
 * have no default get a value that no rule objects to.
 */
const withoutRefused = (data: Data, refused: ReadonlyArray<Finding>): Data => {
  const kept = without(
    data,
    refused.map(({ path }) => path)
  )
  const { smolvm, states, tracker, ...rest } = withSections(isMap(kept) ? kept : {})
  const volumes = valueAt(smolvm, ["volumes"])
  return {
    ...rest,
    tracker: over({ kind: "local" }, tracker),
    ...(isMap(states) && {
      states: Object.fromEntries(
        Object.entries(states).map(([name, state]) => [name, over({ role: "active" }, state)] as const)
      )
    }),
    smolvm: {
      ...over({}, smolvm),
      ...(Array.isArray(volumes) && {
        volumes: volumes.map((volume) => over({ host: ".", guest: "/" }, volume))
      })
    }
  }
}

const aboutStates = ({ path }: Finding): boolean =>
  path[0] === "states" || path[1] === "active_states" || path[1] === "terminal_states"

/** State names in the order of the file: JavaScript puts names that look like numbers first. */
const declaredStates = (data: Data, locate: FrontMatter["locate"]): ReadonlyArray<string> =>
  isMap(data["states"])
    ? Object.keys(data["states"])
        .map((name) => ({ name, at: locate(["states", name]) }))
        .sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column)
        .map(({ name }) => name)
    : []

/**
 * Reads the text of WORKFLOW.md. Pure: `environment` holds the variables that it may name. Fails with every
 * problem at once, in the order of the file.
 */
export const decodeWorkflow = (
  path: string,
  text: string,
  environment: Environment
): Result.Result<DecodedWorkflow, WorkflowError> => {
  const file = basename(path)
  const problem = (line: number, column: number, severity: Problem["severity"], message: string) => ({
    source: "workflow" as const,
    severity,
    where: `${file}:${line}:${column}`,
    message,
    hint: null
  })
  const fail = (code: WorkflowError["code"], problems: ReadonlyArray<Problem>) =>
    Result.fail(new WorkflowError({ path, code, problems }))

  const split = splitFrontMatter(text)
  if (Result.isFailure(split)) {
    return fail(
      "workflow_parse_error",
      split.failure.map(({ line, column, message }) => problem(line, column, "error", message))
    )
  }
  const { body, bodyLine, data: written, fence, locate } = split.success
  if (fence === "unterminated") {
    return fail("workflow_parse_error", [
      problem(1, 1, "error", "front matter: expected a closing line of ---, got none")
    ])
  }
  const data = fence === "absent" ? {} : (written ?? {})
  if (!isMap(data)) {
    return fail("workflow_front_matter_not_a_map", [
      problem(2, 1, "error", `front matter: expected a map of keys, got ${describe(data)}`)
    ])
  }

  const whole = withSections(data)
  const fromSchema = schemaFindings(whole)
  const refused = fromSchema.filter(({ severity }) => severity === "error")
  const keys = decodeKnown(withoutRefused(whole, refused))
  const fromRules = Result.match(keys, {
    onFailure: () => undefined,
    onSuccess: (known) => {
      const { findings: stateFindings, states } = decodeStates({
        keys: known,
        declared: declaredStates(data, locate),
        hasList: (list) => valueAt(data, ["tracker", list]) !== undefined,
        incomplete: refused.some(aboutStates)
      })
      const { config, findings } = toConfig(known, states, dirname(path), environment)
      return { config, findings: [...stateFindings, ...findings] }
    }
  })
  const prompt = body.trim() === "" ? DEFAULT_PROMPT : body.trim()
  const leading = body.length - body.trimStart().length
  const promptLine = bodyLine + (body.slice(0, leading).split("\n").length - 1)
  const located = [
    ...[...fromSchema, ...(fromRules?.findings ?? [])].map((finding) => {
      const { line, column } = locate(finding.path)
      return { line, column, ...finding, message: `${renderKey(finding.path)}: ${finding.message}` }
    }),
    ...checkTemplate(prompt).map((fault) => ({
      line: promptLine + fault.line - 1,
      column: fault.column,
      severity: "error" as const,
      message: `prompt: ${fault.message}`,
      hint: fault.hint
    }))
  ].sort((a, b) => a.line - b.line || a.column - b.column)
  const problems = located.map(({ line, column, severity, message, hint }) => ({
    ...problem(line, column, severity, message),
    hint
  }))
  if (fromRules === undefined || problems.some(({ severity }) => severity === "error")) {
    return fail("invalid_workflow", problems)
  }
  return Result.succeed({
    definition: { path, config: fromRules.config, prompt, promptLine },
    warnings: problems
  })
}

import { Result } from "effect"
import { stringify } from "yaml"
import { nameFault } from "../domain/names.ts"
import { parkingState, policyOf, sameState, type StatePolicies, statesWithRole } from "../domain/State.ts"
import { unmarked } from "./notes.ts"
import { IssueRefused, type NewIssue } from "./Tracker.ts"

const LONGEST_TITLE = 300
const LONGEST_DESCRIPTION = 256 * 1024
const FIELDS = new Set([
  "id",
  "identifier",
  "title",
  "priority",
  "labels",
  "blocked_by",
  "created_at",
  "updated_at"
])

/** The name of the file of an identifier; what cannot be in a name is replaced. */
export const fileNameOf = (identifier: string): string => `${identifier.replaceAll(/[/\\]/g, "_")}.md`

const identifierFault = (identifier: string): string | undefined =>
  nameFault(identifier) ??
  (/^[^.\s]/.test(identifier) && Buffer.byteLength(identifier) <= 200 && !/\s$/.test(identifier)
    ? undefined
    : "it cannot be a file name: use letters, digits, `-`, `_` and `.`")

const titleFault = (title: string): string | undefined =>
  title.trim() === ""
    ? "it is empty"
    : /[\r\n]/.test(title)
      ? "it has more than one line"
      : title.length > LONGEST_TITLE
        ? `it is longer than ${LONGEST_TITLE} characters`
        : undefined

/** The state an issue is to be made in, or why it is refused. */
export const checkNewIssue = (
  issue: NewIssue,
  policies: StatePolicies
): Result.Result<string, IssueRefused> => {
  const refuse = (field: string, detail: string) => Result.fail(new IssueRefused({ field, detail }))
  const title = titleFault(issue.title)
  if (title !== undefined) return refuse("title", title)
  const identifier = issue.identifier === null ? undefined : identifierFault(issue.identifier)
  if (identifier !== undefined) return refuse("identifier", identifier)
  if ((issue.description?.length ?? 0) > LONGEST_DESCRIPTION) {
    return refuse("description", `it is longer than ${LONGEST_DESCRIPTION} characters`)
  }
  const extra = Object.keys(issue.extra).find((key) => FIELDS.has(key) || !/^[a-z][a-z0-9_]*$/.test(key))
  if (extra !== undefined) return refuse(extra, "it cannot be set as further front matter")
  const state = issue.state ?? statesWithRole(policies, "active")[0] ?? ""
  const parking = parkingState(policies)
  const name = policyOf(policies, state)?.name ?? (sameState(state, parking) ? parking : undefined)
  return name === undefined
    ? refuse("state", `"${state}" is not declared; there are ${policies.map(({ name }) => name).join(", ")}`)
    : Result.succeed(name)
}

/**
 * `<PREFIX>-<next number>`, with the prefix that most of the names have: of all that issues have had, for one whose
 * file an editor has put aside is not there just now.
 */
export const nextIdentifier = (names: Iterable<string>): string => {
  const counts = new Map<string, { readonly count: number; readonly highest: number }>()
  for (const name of names) {
    const match = /^([A-Za-z][A-Za-z0-9_]*)-(\d{1,9})$/.exec(name)
    const prefix = match?.[1]
    if (prefix === undefined) continue
    const { count, highest } = counts.get(prefix) ?? { count: 0, highest: 0 }
    counts.set(prefix, { count: count + 1, highest: Math.max(highest, Number(match?.[2])) })
  }
  const [most] = [...counts].sort(
    ([left, a], [right, b]) => b.count - a.count || (left < right ? -1 : left > right ? 1 : 0)
  )
  return most === undefined ? "ISSUE-1" : `${most[0]}-${most[1].highest + 1}`
}

/** The file of a new issue. What people and agents gave is data in it, whatever it looks like. */
export const renderNewIssue = (identifier: string, issue: NewIssue, createdAt: string): string => {
  const frontMatter = {
    id: identifier,
    identifier,
    title: issue.title.trim(),
    ...(issue.priority === null ? {} : { priority: issue.priority }),
    ...(issue.labels.length === 0 ? {} : { labels: issue.labels }),
    ...(issue.blockedBy.length === 0 ? {} : { blocked_by: issue.blockedBy }),
    created_at: createdAt,
    updated_at: createdAt,
    ...issue.extra
  }
  const yaml = stringify(frontMatter, {
    lineWidth: 0,
    defaultStringType: "QUOTE_DOUBLE",
    defaultKeyType: "PLAIN"
  })
  const body = unmarked(issue.description ?? "").trim()
  return `---\n${yaml}---\n${body === "" ? "" : `\n${body}\n`}`
}

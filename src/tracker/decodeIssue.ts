import { createHash } from "node:crypto"
import { DateTime, Option, Result } from "effect"
import { nameFault } from "../domain/names.ts"
import { printableLine } from "../domain/printable.ts"
import type { Problem } from "../domain/Problem.ts"
import { type FrontMatter, type Position, splitFrontMatter } from "../files/frontMatter.ts"

/** An issue as its file tells it: blockers are names still, to be resolved against the other issues. */
export interface IssueRecord {
  readonly id: string
  readonly identifier: string
  readonly title: string
  readonly description: string | null
  readonly priority: number | null
  readonly branchName: string | null
  readonly url: string | null
  readonly labels: ReadonlyArray<string>
  readonly blockedBy: ReadonlyArray<string>
  readonly createdAt: string | null
  readonly updatedAt: string | null
  readonly assigneeId: string | null
  readonly nativeRef: string | null
  readonly proposedBy: string | null
  readonly fileName: string
  readonly state: string
  readonly inode: string
  readonly modifiedAt: number | null
  readonly contentHash: string
}

export interface IssueFile {
  /** As problems name it. */
  readonly where: string
  readonly state: string
  readonly fileName: string
  readonly inode: string
  /** Epoch milliseconds. */
  readonly modifiedAt: number
  readonly text: string
}

const LONGEST_TITLE = 500
const MOST_ENTRIES = 200

export const trackerProblem = (
  where: string,
  message: string,
  hint: string | null,
  severity: Problem["severity"] = "error"
): Problem => ({
  source: "tracker",
  severity,
  where: printableLine(where),
  message: printableLine(message),
  hint
})

export const baseNameOf = (fileName: string): string =>
  fileName.endsWith(".md") ? fileName.slice(0, -".md".length) : fileName

/**
 * The line on which an unresolved merge begins, outside of code blocks: all three kinds of markers, in order.
 */
const conflictLine = (text: string): number | undefined => {
  if (!text.includes("<<<<<<< ")) return undefined
  let fence: string | undefined
  let start: number | undefined
  let divided = false
  for (const [index, line] of text.split("\n").entries()) {
    const mark = /^ {0,3}(```+|~~~+)/.exec(line)?.[1]
    if (mark !== undefined) {
      if (fence === undefined) fence = mark
      else if (mark.startsWith(fence)) fence = undefined
    }
    if (fence !== undefined) continue
    if (line.startsWith("<<<<<<< ")) start = index + 1
    else if (start !== undefined && line.trimEnd() === "=======") divided = true
    else if (divided && line.startsWith(">>>>>>> ")) return start
  }
  return undefined
}

const isMap = (data: unknown): data is Readonly<Record<string, unknown>> =>
  typeof data === "object" && data !== null && !Array.isArray(data)

const scalar = (value: unknown): string | null =>
  typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : null

const text = (value: unknown): string | null => {
  const found = scalar(value)?.trim() ?? ""
  return found === "" ? null : found
}

const priorityOf = (value: unknown): number | null => {
  const number = typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : value
  return typeof number === "number" && Number.isSafeInteger(number) ? number : null
}

const entries = (value: unknown): ReadonlyArray<unknown> =>
  value === null || value === undefined ? [] : Array.isArray(value) ? value : [value]

const labelsOf = (value: unknown): ReadonlyArray<string> => [
  ...new Set(entries(value).flatMap((entry) => text(entry)?.toLowerCase() ?? []))
]

/** An entry that names nothing stays, as a blocker that cannot be found: it must not let the issue through. */
const blockersOf = (value: unknown): ReadonlyArray<string> => [
  ...new Set(entries(value).map((entry) => text(entry) ?? printableLine(JSON.stringify(entry), 80)))
]

const timeOf = (value: unknown): string | null => {
  const written = text(value)
  return written === null
    ? null
    : Option.match(DateTime.make(written), { onNone: () => null, onSome: DateTime.formatIso })
}

interface Required {
  readonly id: string
  readonly identifier: string
  readonly title: string
}

const at = (where: string, { line, column }: Position): string => `${where}:${line}:${column}`

const requiredOf = (
  file: IssueFile,
  data: Readonly<Record<string, unknown>>,
  locate: FrontMatter["locate"]
): Result.Result<Required, ReadonlyArray<Problem>> => {
  const base = baseNameOf(file.fileName)
  const problems: Array<Problem> = []
  const field = (key: string, fallback: string, check: (value: string) => string | undefined): string => {
    const written = data[key]
    if (written === undefined || written === null) return fallback
    const value = scalar(written)?.replaceAll(/\s+/g, " ").trim()
    const wrong = value === undefined ? "a text is expected" : check(value)
    if (value !== undefined && wrong === undefined) return value
    problems.push(
      trackerProblem(at(file.where, locate([key])), `${key}: ${wrong}`, "mend it, or leave the key out")
    )
    return fallback
  }
  const identifier = field("identifier", base, nameFault)
  const id = field("id", base, nameFault)
  const title = field("title", identifier, (value) =>
    value === ""
      ? "it is empty"
      : value.length > LONGEST_TITLE
        ? `it is longer than ${LONGEST_TITLE} characters`
        : undefined
  )
  for (const key of ["labels", "blocked_by"]) {
    if (entries(data[key]).length <= MOST_ENTRIES) continue
    problems.push(
      trackerProblem(
        at(file.where, locate([key])),
        `${key}: it has more than ${MOST_ENTRIES} entries`,
        "shorten it"
      )
    )
  }
  return problems.length > 0 ? Result.fail(problems) : Result.succeed({ id, identifier, title })
}

/** What a file says that cannot be used, and that the issue does without. */
const warningsOf = (
  file: IssueFile,
  data: Readonly<Record<string, unknown>>,
  locate: FrontMatter["locate"]
): ReadonlyArray<Problem> => {
  const isWritten = (value: unknown) => value !== undefined && value !== null && value !== ""
  const time = (value: unknown) => isWritten(value) && timeOf(value) === null
  const faults: ReadonlyArray<
    readonly [key: string, isUnusable: (value: unknown) => boolean, message: string]
  > = [
    [
      "priority",
      (value) => isWritten(value) && priorityOf(value) === null,
      "a whole number is expected, so it counts as none"
    ],
    [
      "labels",
      (value) => entries(value).some((entry) => text(entry) === null),
      "only texts are expected, so some count as none"
    ],
    ["created_at", time, "a time is expected, so it counts as none"],
    ["updated_at", time, "a time is expected, so it counts as none"]
  ]
  return faults.flatMap(([key, isUnusable, message]) =>
    isUnusable(data[key])
      ? [
          trackerProblem(
            at(file.where, locate([key])),
            `${key}: ${message}`,
            "mend it, or leave the key out",
            "warning"
          )
        ]
      : []
  )
}

export interface DecodedIssue {
  readonly record: IssueRecord
  readonly warnings: ReadonlyArray<Problem>
}

/** One problem per fault, with line and column; nothing in the file makes it throw. */
export const decodeIssue = (file: IssueFile): Result.Result<DecodedIssue, ReadonlyArray<Problem>> => {
  const fail = (where: string, message: string, hint: string | null) =>
    Result.fail([trackerProblem(where, message, hint)])
  const nameWrong = nameFault(baseNameOf(file.fileName))
  if (nameWrong !== undefined) return fail(file.where, `file name: ${nameWrong}`, "rename the file")
  if (file.text.trim() === "") {
    return Result.fail([
      trackerProblem(file.where, "it is empty", "write a title or a text into it", "warning")
    ])
  }
  const conflict = conflictLine(file.text)
  if (conflict !== undefined) {
    return fail(
      `${file.where}:${conflict}:1`,
      "a merge left conflict markers (<<<<<<<)",
      "resolve the conflict"
    )
  }
  const split = splitFrontMatter(file.text)
  if (Result.isFailure(split)) {
    return Result.fail(
      split.failure.map((fault) =>
        trackerProblem(at(file.where, fault), fault.message, "mend the front matter")
      )
    )
  }
  const { body, data = {}, locate } = split.success
  if (!isMap(data)) {
    return fail(
      `${file.where}:2:1`,
      "front matter is not a map",
      "write `key: value` lines between the fences"
    )
  }
  const description = body.trim()
  return Result.map(requiredOf(file, data, locate), (required) => {
    const record: IssueRecord = {
      ...required,
      description: description === "" ? null : description,
      priority: priorityOf(data["priority"]),
      branchName: text(data["branch_name"]),
      url: text(data["url"]),
      labels: labelsOf(data["labels"]),
      blockedBy: blockersOf(data["blocked_by"]),
      createdAt: timeOf(data["created_at"]),
      updatedAt: timeOf(data["updated_at"]),
      assigneeId: text(data["assignee_id"]),
      nativeRef: text(data["native_ref"]),
      proposedBy: text(data["proposed_by"]),
      fileName: file.fileName,
      state: file.state,
      inode: file.inode,
      modifiedAt: file.modifiedAt,
      contentHash: createHash("sha256").update(file.text).digest("hex")
    }
    return { record, warnings: warningsOf(file, data, locate) }
  })
}

import { DateTime } from "effect"
import { costText } from "../domain/Cost.ts"
import { printable, printableLine } from "../domain/printable.ts"
import { isFree } from "../domain/Tokens.ts"
import type { ChangedFile, HandoffFlag, HandoffRequest } from "./Handoff.ts"
import type { Commit } from "./history.ts"

const MOST_LISTED = 500
const LONGEST_SUMMARY = 64 * 1024

export interface ReportInput {
  readonly request: Omit<HandoffRequest, "workflow">
  readonly verdict: "verified" | "analysis"
  readonly baseBranch: string
  readonly base: string
  readonly head: string | null
  readonly tree: string | null
  readonly commits: ReadonlyArray<Commit>
  readonly files: ReadonlyArray<typeof ChangedFile.Type>
  readonly flags: ReadonlyArray<typeof HandoffFlag.Type>
  /** Absolute paths; null where there is none. */
  readonly patch: string | null
  readonly bundle: string | null
  readonly rest: string | null
  readonly finishedAt: number
}

/** Untrusted text within a line of Markdown: every character that could mean something is escaped. */
const inline = (text: string, limit = 400): string =>
  printableLine(text, limit).replaceAll(/[\\`*_[\]<>#!|~&@]/g, "\\$&")

/** Untrusted text as code within a line. */
const code = (text: string): string => {
  const shown = printableLine(text)
  const longest = Math.max(0, ...(shown.match(/`+/g) ?? []).map((run) => run.length))
  const fence = "`".repeat(longest + 1)
  return longest === 0 ? `\`${shown}\`` : `${fence} ${shown} ${fence}`
}

/** Untrusted text over several lines, in a fence longer than any that it holds. */
const block = (text: string): string => {
  const shown = printable(text.slice(0, LONGEST_SUMMARY)).trimEnd()
  const longest = Math.max(2, ...(shown.match(/`+/g) ?? []).map((run) => run.length))
  const fence = "`".repeat(longest + 1)
  return `${fence}text\n${shown}\n${fence}`
}

const list = (items: ReadonlyArray<string>): string =>
  [
    ...items.slice(0, MOST_LISTED).map((item) => `- ${item}`),
    ...(items.length > MOST_LISTED ? [`- and ${items.length - MOST_LISTED} more`] : [])
  ].join("\n")

const shell = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

const duration = (milliseconds: number): string => {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

const tokens = ({ tokens }: ReportInput["request"]): string =>
  tokens.source === "unknown"
    ? "unknown"
    : `${tokens.total} (${tokens.input} in, ${tokens.output} out; ${tokens.source})`

const cost = ({ tokens }: ReportInput["request"]): string =>
  isFree(tokens)
    ? "none, no model was asked"
    : tokens.cost === undefined
      ? "unknown"
      : `${costText(tokens.cost)}, as the agent says`

const file = ({ path, added, removed }: typeof ChangedFile.Type): string =>
  added === null || removed === null ? `${code(path)} (binary)` : `${code(path)} +${added} -${removed}`

const howToApply = (input: ReportInput): string => {
  const steps: Array<string> = []
  if (input.patch !== null) {
    steps.push(`On a clean ${code(input.baseBranch)}:\n\n    git am ${shell(input.patch)}`)
  }
  if (input.bundle !== null) {
    const branch = shell(input.request.branch)
    steps.push(
      `Or as a branch, with every commit as it is:\n\n    git fetch ${shell(input.bundle)} ${branch}:${branch}`
    )
  }
  if (input.rest !== null) {
    steps.push(`What was left uncommitted, on top of it:\n\n    git apply ${shell(input.rest)}`)
  }
  return steps.length === 0 ? "There is no commit to apply: the summary is the result." : steps.join("\n\n")
}

type Work = Pick<ReportInput, "request" | "flags" | "commits" | "files">

/** What both the file and the pull request say. */
const sectionsOf = ({ request, flags, commits, files }: Work): ReadonlyArray<string> => [
  ...(flags.length === 0
    ? []
    : [
        `## Look at this first\n\n${list(flags.map(({ kind, detail }) => `**${inline(kind)}** ${code(detail)}`))}`
      ]),
  `## Summary\n\nIn the agent's own words, with the tests it says it ran; nothing here was checked.\n\n${block(request.summary)}`,
  ...(commits.length === 0 ? [] : [`## Commits\n\n${list(commits.map(commitLine))}`]),
  ...(files.length === 0 ? [] : [`## Files\n\n${list(files.map(file))}`])
]

const commitLine = ({ id, author, message }: Commit): string =>
  `${code(id.slice(0, 12))} ${inline(message.split("\n", 1)[0] ?? "", 120)} (${inline(author.name, 80)})`

const verdictOf = (input: ReportInput): string =>
  input.verdict === "verified"
    ? "verified (applied to a clean base with git am: same files, authors, dates and count)"
    : "analysis (no commits)"

/** HANDOFF.md: what a reviewer reads first. What an agent wrote stays text, whatever it holds. */
export const renderReport = (input: ReportInput): string => {
  const { request } = input
  const facts = [
    `Verdict: ${verdictOf(input)}`,
    ...(input.base === ""
      ? []
      : [`Branch: ${code(request.branch)}, from ${code(input.baseBranch)} at ${code(input.base)}`]),
    ...(input.head === null ? [] : [`Commit: ${code(input.head)}, tree ${code(input.tree ?? "")}`]),
    `Run: ${code(request.runId)}, started ${DateTime.formatIso(DateTime.makeUnsafe(request.startedAt))}, took ${duration(input.finishedAt - request.startedAt)}`,
    `Tokens: ${tokens(request)}`,
    `Cost: ${cost(request)}`
  ]
  const sections = [
    `# ${inline(request.identifier, 100)}: ${inline(request.title, 200)}`,
    list(facts),
    ...sectionsOf(input),
    `## How to apply\n\n${howToApply(input)}`
  ]
  return `${sections.join("\n\n")}\n`
}

/** What the forge accepts as a body, with some room. */
const LONGEST_BODY = 60_000

/** The body of a pull request: no path of this machine, and no text of an agent that the forge would act on. */
export const renderPullRequest = (input: Work): string => {
  const sections = [
    `Run ${code(input.request.runId)}, tokens: ${tokens(input.request)}, cost: ${cost(input.request)}`,
    ...sectionsOf(input)
  ]
  const body: Array<string> = []
  let size = 0
  for (const section of sections) {
    size += section.length + 2
    if (size > LONGEST_BODY) {
      body.push("The rest is too long for a pull request; it is in HANDOFF.md.")
      break
    }
    body.push(section)
  }
  return `${body.join("\n\n")}\n`
}

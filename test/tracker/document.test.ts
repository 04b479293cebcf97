import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { Issue } from "../../src/domain/Issue.ts"
import { TOOL_TEXTS } from "../../src/mcp/toolTexts.ts"
import { decodeIssue } from "../../src/tracker/decodeIssue.ts"

const page = readFileSync(new URL("../../docs/tracker.md", import.meta.url), "utf8")

/** The cells of the rows below a header. */
const table = (header: string): ReadonlyArray<ReadonlyArray<string>> => {
  const [, rest = ""] = page.split(`\n| ${header} |`, 2)
  const [, , ...rows] = (rest.split("\n\n", 1)[0] ?? "").split("\n")
  return rows.map((row) => row.slice(2, -2).split(" | "))
}

const nameIn = (cell: string | undefined): string => /^`(\w+)`$/.exec(cell ?? "")?.[1] ?? ""

/** What becomes of a file whose field is something that none can use. */
const fateOf = (field: string): string => {
  const text = `---\n${field}: {not: usable}\n---\n`
  const where = "issues/Todo/A.md"
  const decoded = decodeIssue({ where, state: "Todo", fileName: "A.md", inode: "1", modifiedAt: 0, text })
  if (Result.isFailure(decoded)) return "refuses the file"
  const { record, warnings } = decoded.success
  if (record.blockedBy.length > 0) return "blocks, as an issue that is not there"
  return warnings.some(({ message }) => message.startsWith(`${field}:`))
    ? "as left out, with a warning"
    : "as left out"
}

describe("docs/tracker.md", () => {
  it("has every field of an issue that its file tells, and what becomes of one that cannot be used", () => {
    const ofTheFile = ["description", "state", "fileName", "inode", "modifiedAt", "contentHash"]
    const fields = Object.keys(Issue.fields)
      .filter((name) => !ofTheFile.includes(name))
      .map((name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
    const rows = table("field | what it is | left out | if it cannot be used")
    assert.sameMembers(
      rows.map(([field]) => nameIn(field)),
      fields
    )
    assert.deepStrictEqual(
      rows.map(([field, , , fate]) => [field, fate]),
      rows.map(([field]) => [field, fateOf(nameIn(field))])
    )
  })

  it("has every tool of an agent", () => {
    assert.deepStrictEqual(
      table("tool | what becomes of the files").map(([tool]) => nameIn(tool)),
      Object.keys(TOOL_TEXTS)
    )
  })
})

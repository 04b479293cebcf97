import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { CHECKLIST } from "./support/checklist.ts"
import { projectRoot } from "./support/sources.ts"

interface Claim {
  readonly id: string
  /** The requirement, and how we differ from it. */
  readonly text: string
  readonly tests: ReadonlyArray<{ readonly file: string; readonly title: string }>
}

const claimOf = (item: string): Claim => {
  const [head = "", ...tests] = item.split("\n  - ")
  const [, id = "", text = ""] = /^- ([A-Z]\d+) ([^]*)$/.exec(head.replaceAll(/\n +/g, " ")) ?? []
  return {
    id,
    text,
    tests: tests.map((line) => {
      const [, file = "", title = ""] = /^(test\/\S+\.ts): (.+)$/.exec(line.trim()) ?? []
      return { file, title }
    })
  }
}

const page = readFileSync(join(projectRoot, "docs/conformance.md"), "utf8")
const claims = page
  .split(/\n(?=- |## |$)/)
  .filter((part) => part.startsWith("- "))
  .map(claimOf)

describe("docs/conformance.md", () => {
  it("has each core line of the checklist once, as the checklist says it, and nothing else", () => {
    assert.lengthOf(Object.keys(CHECKLIST), 82)
    assert.deepStrictEqual(
      claims.map(({ id, text }) => [id, text.split(". Differs: ")[0]]),
      Object.entries(CHECKLIST)
    )
  })

  it("names for each the tests that show it, or that show how we differ", () => {
    assert.deepStrictEqual(
      claims.filter(({ tests }) => tests.length === 0).map(({ id }) => id),
      []
    )
  })

  it("names tests that exist", () => {
    const missing = claims.flatMap(({ id, tests }) =>
      tests.flatMap(({ file, title }) => {
        const path = join(projectRoot, file)
        return existsSync(path) && readFileSync(path, "utf8").includes(JSON.stringify(title))
          ? []
          : [`${id}: ${file}: ${title}`]
      })
    )
    assert.deepStrictEqual(missing, [])
  })
})

import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { projectRoot } from "./support/sources.ts"

const page = readFileSync(join(projectRoot, "docs/conformance.md"), "utf8")
const named = [...page.matchAll(/^ {2}- (test\/\S+\.ts): (.+)$/gm)].map(([, file = "", title = ""]) => ({
  file,
  title
}))
const claims = page.split("\n").filter((line) => line.startsWith("- "))

describe("docs/conformance.md", () => {
  it("names tests that exist", () => {
    const missing = named.filter(({ file, title }) => {
      const path = join(projectRoot, file)
      return !existsSync(path) || !readFileSync(path, "utf8").includes(JSON.stringify(title))
    })
    assert.deepStrictEqual(missing, [])
  })

  it("names a test for every line", () => {
    const lines = page.split("\n")
    const bare = lines.filter((line, index) => {
      if (!line.startsWith("- ")) return false
      const rest = lines.slice(index + 1)
      return !(rest.find((next) => next.startsWith("- ") || next.startsWith("  - ")) ?? "").startsWith("  - ")
    })
    assert.deepStrictEqual(bare, [])
    assert.isAbove(claims.length, 60)
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { linkEscapes, protectedKind } from "../../src/handoff/changes.ts"

type Tree = ReadonlyMap<string, string>

/** Follows a path from the root as a kernel does; true: it comes out of the tree. */
const leaves = (links: Tree, path: string): boolean => {
  const here: Array<string> = []
  const ahead = path.split("/")
  for (let steps = 0; steps < 200 && ahead.length > 0; steps += 1) {
    const name = ahead.shift() ?? ""
    if (name === "" || name === ".") continue
    if (name === "..") {
      if (here.length === 0) return true
      here.pop()
      continue
    }
    const target = links.get([...here, name].join("/"))
    if (target === undefined) here.push(name)
    else ahead.unshift(...target.split("/"))
  }
  return false
}

describe("a link in a commit", () => {
  const name = fc.constantFrom("a", "b", "c")
  const place = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"))
  const target = fc
    .array(fc.constantFrom("a", "b", "c", "..", "..", ".", ""), { minLength: 1, maxLength: 7 })
    .map((names) => names.join("/"))

  it("that is let through leaves the tree in no company of others that are", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(place, target), { maxLength: 6 }), (all) => {
        const links = new Map(all.filter(([path, to]) => !linkEscapes(path, to)))
        // A link has nothing below it.
        for (const path of links.keys()) {
          if ([...links.keys()].some((other) => path.startsWith(`${other}/`))) links.delete(path)
        }
        for (const path of links.keys()) assert.isFalse(leaves(links, path), JSON.stringify([...links]))
      }),
      { numRuns: 5000 }
    )
  })

  it("may lead anywhere inside, upwards first", () => {
    for (const to of ["README.md", "../README.md", "./../docs/a", "../../docs/a", "..", "."]) {
      assert.isFalse(linkEscapes("docs/new/link", to), to)
    }
    for (const to of ["../../../x", "a/../b", "/etc/passwd", "a/.git/config", "a/../../x", ""]) {
      assert.isTrue(linkEscapes("docs/new/link", to), to)
    }
  })
})

describe("a file that runs by itself, or decides what runs", () => {
  for (const path of [
    ".lfsconfig",
    "Cargo.toml",
    "crates/x/build.rs",
    "go.mod",
    "Gemfile",
    "gradlew",
    "gradle/wrapper/gradle-wrapper.jar",
    ".pnp.cjs",
    ".yarn/releases/yarn-4.cjs",
    "vite.config.ts",
    "packages/x/jest.config.mjs",
    "eslint.config.js",
    "tox.ini",
    "noxfile.py",
    ".zshenv",
    ".bash_profile",
    ".gdbinit",
    ".clinerules",
    ".clinerules/rule.md",
    ".kiro/steering/x.md",
    ".junie/guidelines.md",
    ".github/copilot-instructions.md"
  ])
    it(`is protected: ${path}`, () => assert.isNotNull(protectedKind(path)))

  it("is not every file", () => {
    for (const path of ["src/main.ts", "README.md", "docs/config.md", "src/gradle.ts", "lib/mod.go"]) {
      assert.isNull(protectedKind(path), path)
    }
  })
})

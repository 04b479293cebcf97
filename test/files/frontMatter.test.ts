import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import matter from "gray-matter"
import { splitFrontMatter } from "../../src/files/frontMatter.ts"

const parsed = (text: string) => Result.getOrThrow(splitFrontMatter(text))
const faults = (text: string) => Result.getOrThrow(Result.flip(splitFrontMatter(text)))

describe("front matter", () => {
  it("is split from the body", () => {
    const { fence, data, body, bodyLine } = parsed("---\ntitle: Hello\nn: [1, two]\n---\n\nBody\n---\nmore\n")
    assert.deepStrictEqual(
      { fence, data, body, bodyLine },
      {
        fence: "present",
        data: { title: "Hello", n: [1, "two"] },
        body: "\nBody\n---\nmore\n",
        bodyLine: 5
      }
    )
  })

  it.each([
    ["CRLF", "---\r\ntitle: A\r\n---\r\nBody\r\n", { title: "A" }, "Body\r\n"],
    ["a byte order mark", "\uFEFF---\ntitle: A\n---\nBody", { title: "A" }, "Body"],
    ["blanks after the fences", "---  \ntitle: A\n---\t\nBody", { title: "A" }, "Body"],
    ["no newline at the end", "---\ntitle: A\n---", { title: "A" }, ""],
    ["nothing in it", "---\n---\nBody", {}, "Body"],
    ["comments only", "---\n# none\n#\n---\nBody", {}, "Body"],
    ["a list", "---\n- a\n---\n", ["a"], ""],
    ["a scalar", "---\nhello\n---\n", "hello", ""],
    ["a block scalar with dashes", "---\na: |\n  ---\n  b\n---\n", { a: "---\nb\n" }, ""],
    ["YAML 1.1 words", "---\na: yes\nb: 012\n---\n", { a: "yes", b: 12 }, ""],
    ["a merge key", "---\na: &x {k: 1}\nb: {<<: *x}\n---\n", { a: { k: 1 }, b: { "<<": { k: 1 } } }, ""],
    ["an excerpt separator", "---\nexcerpt_separator: B\n---\nABC", { excerpt_separator: "B" }, "ABC"]
  ])("with %s", (_, text, data, body) => {
    assert.deepStrictEqual(parsed(text).data, data)
    assert.strictEqual(parsed(text).body, body)
  })

  it.each(["", "Body", "----\na: b\n---\n", "--- some words ---\n", "-- -\n", "\n---\na: b\n---\n"])(
    "is absent from %j",
    (text) => {
      assert.deepInclude(parsed(text), { fence: "absent", data: undefined, body: text })
    }
  )

  it("that is never closed is body", () => {
    for (const text of ["---", "---\n", "---\ntitle: A\n", "---\ntitle: A\n --- \n----\n"]) {
      assert.deepInclude(parsed(text), { fence: "unterminated", data: undefined, body: text })
    }
  })

  it("tells where a key is written", () => {
    const { locate } = parsed(
      "---\n# comment\nagent:\n  max_turns: 0\n  list:\n    - one\n    - {a: b}\n---\n"
    )
    assert.deepStrictEqual(locate(["agent"]), { line: 3, column: 1 })
    assert.deepStrictEqual(locate(["agent", "max_turns"]), { line: 4, column: 3 })
    assert.deepStrictEqual(locate(["agent", "list", 1, "a"]), { line: 7, column: 8 })
    assert.deepStrictEqual(locate(["agent", "missing", "deep"]), { line: 3, column: 1 })
    assert.deepStrictEqual(locate([]), { line: 1, column: 1 })
  })

  it("names the place of a mistake in the file", () => {
    assert.deepStrictEqual(
      faults("---\ntitle: [a\nb: c\n---\n").map(({ line }) => line),
      [3]
    )
    assert.deepInclude(faults("---\na: 1\nb:\n  c: 1\n  c: 2\n---\n")[0], {
      line: 5,
      column: 3,
      message: 'duplicate key "c"'
    })
  })

  it.each(["js", "javascript", "json", "coffee", "cson", "toml", "yaml", "__proto__", " js", "JS "])(
    "in another language (---%s) is refused and never run",
    (language) => {
      const text = `---${language}\n{ "a": globalThis.pwned = 1 }\n---\nBody\n`
      const result = splitFrontMatter(text)
      if (language.startsWith("_")) assert.isTrue(Result.isSuccess(result))
      else assert.include(faults(text)[0]?.message ?? "", "YAML")
      assert.notProperty(globalThis, "pwned")
    }
  )

  it.each([
    ["a custom tag", "a: !!js/function 'function () {}'"],
    ["a local tag", "a: !env HOME"],
    ["a binary tag", "a: !!binary aGVsbG8="],
    ["a set", "a: !!set {a, b}"],
    ["an unknown alias", "a: *nobody"],
    ["a cycle", "a: &x\n  b: *x"],
    ["two documents", "a: 1\n...\n---x\n"],
    ["a collection as a key", "? [a]\n: 1"],
    ["a laughing billion", laughs(9)],
    ["quadratic aliases", `a: &a [${"x,".repeat(500)}x]\nb: [${"*a,".repeat(500)}*a]`],
    ["great depth in flow", `a: ${"[".repeat(20_000)}`],
    ["great depth in balance", `a: ${"[".repeat(2_000)}${"]".repeat(2_000)}`],
    ["a thousand blank lines", "\n".repeat(60_000)],
    ["too much", `a: ${"x".repeat(70_000)}`]
  ])("with %s is refused", (_, yaml) => {
    assert.isNotEmpty(faults(`---\n${yaml}\n---\n`)[0]?.message)
  })

  it("with thousands of keys takes no quadratic time", () => {
    const keys = Array.from({ length: 4_000 }, (_, n) => `k${n}: 1`).join("\n")
    assert.strictEqual(Object.keys(parsed(`---\n${keys}\n---\n`).data as object).length, 4_000)
  })

  it("cannot reach a prototype", () => {
    const { data } = parsed("---\n__proto__: {polluted: 1}\nconstructor: {prototype: {polluted: 1}}\n---\n")
    assert.isUndefined(({} as Record<string, unknown>)["polluted"])
    assert.strictEqual(Object.getPrototypeOf(data), Object.prototype)
  })

  it("leaves nothing in gray-matter's cache", () => {
    parsed("---\ntitle: cached?\n---\n")
    assert.deepStrictEqual(Object.keys((matter as unknown as { cache: object }).cache), [])
  })

  it("never throws, whatever the text", () => {
    const yamlish = fc.stringMatching(/^[-:{}[\]&*!|>'"%@`,?# a-c\n\r\t]{0,80}$/)
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), yamlish), (text) => {
        for (const each of [text, `---\n${text}`, `---\n${text}\n---\nbody`]) splitFrontMatter(each)
      }),
      { numRuns: 2_000 }
    )
  })
})

function laughs(levels: number): string {
  const lines = ["l0: &l0 lol"]
  for (let n = 1; n <= levels; n++) lines.push(`l${n}: &l${n} [${`*l${n - 1},`.repeat(9)}*l${n - 1}]`)
  return lines.join("\n")
}

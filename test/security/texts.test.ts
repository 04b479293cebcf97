import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as fc from "fast-check"
import { splitFrontMatter } from "../../src/files/frontMatter.ts"
import { Identifier, IssueId } from "../../src/domain/ids.ts"
import { Issue } from "../../src/domain/Issue.ts"
import { decodeIssue } from "../../src/tracker/decodeIssue.ts"
import { checkTemplate, renderPrompt } from "../../src/workflow/prompt.ts"
import { testWorkflow } from "../support/workflow.ts"

/** Milliseconds of processor time, the best of three: what else runs on the machine does not count. */
const cost = (work: () => void): number =>
  Math.min(
    ...[1, 2, 3].map(() => {
      const before = process.cpuUsage()
      work()
      const { system, user } = process.cpuUsage(before)
      return (system + user) / 1000
    })
  )

const issueOf = (frontMatter: string, body = "") =>
  decodeIssue({
    where: "w",
    state: "Todo",
    fileName: "A-1.md",
    inode: "1",
    modifiedAt: 0,
    text: `---\n${frontMatter}\n---\n${body}`
  })

const bombs: Readonly<Record<string, string>> = {
  "billion laughs": [
    "a: &a [x, x, x, x, x, x, x, x, x]",
    ..."bcdefghi"
      .split("")
      .map((name, n) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[n]}`).join()}]`)
  ].join("\n"),
  "merge keys": `b: &b { x: 1 }\n${Array.from({ length: 2000 }, (_, n) => `a${n}: {<<: *b}`).join("\n")}`,
  "open lists": `a: ${"[".repeat(20_000)}`,
  "open maps": `a: ${"{a: ".repeat(16_000)}`,
  "lists in lists": `a:\n  ${"- ".repeat(30_000)}`,
  "keys of keys": "? ".repeat(30_000),
  "values of values": ": ".repeat(30_000),
  "maps in maps": "a: ".repeat(20_000),
  "closed lists": `a: ${"[]".repeat(30_000)}`,
  "closing brackets": `a: ${"]".repeat(60_000)}`,
  commas: `a: [${",".repeat(60_000)}]`,
  anchors: `a: ${"&a ".repeat(20_000)}`,
  aliases: `a: ${"*a ".repeat(20_000)}`,
  tags: Array.from({ length: 5000 }, (_, n) => `a${n}: !x y`).join("\n"),
  "the same key": "a: 1\n".repeat(12_000),
  "many keys": Array.from({ length: 4000 }, (_, n) => `k${n}: 1`).join("\n")
}

describe("YAML", () => {
  it("15. billion laughs, nesting, merge keys, floods of errors: refused within 100 ms each, and the process lives", () => {
    for (const [name, bomb] of Object.entries(bombs)) {
      const milliseconds = cost(() => issueOf(bomb))
      assert.isBelow(milliseconds, 100, name)
      const decoded = issueOf(bomb)
      if (name !== "many keys") assert.isTrue(Result.isFailure(decoded), name)
    }
  })

  it("15. any mixture of YAML's marks: never more than the parser can take", () => {
    const mark = fc.constantFrom(
      "- ",
      "? ",
      ": ",
      "a: ",
      "[",
      "{",
      "]",
      "}",
      ",",
      "&a ",
      "*a",
      "!x ",
      "\n",
      "\n ",
      "|\n",
      '"',
      "'",
      "#",
      "\t"
    )
    const part = fc
      .tuple(fc.array(mark, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 4000 }))
      .map(([marks, times]) => marks.join("").repeat(times))
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const text = parts.join("").slice(0, 60_000)
        const split = splitFrontMatter(`---\n${text}\n---\n`)
        if (Result.isFailure(split)) {
          assert.isAtMost(split.failure.length, 20)
          assert.notInclude(JSON.stringify(split.failure), "too deeply")
        }
      }),
      { numRuns: 100 }
    )
  })

  it("15. __proto__, duplicate keys, tags that make objects, another language: refused, and no prototype changes", () => {
    for (const text of [
      "a: 1\na: 2",
      "title: !!js/function 'function () {}'",
      "title: !!python/object/apply:os.system ['id']",
      "title: !!binary aGk=",
      "a: &a [*a]"
    ]) {
      assert.isTrue(Result.isFailure(issueOf(text)), text)
    }
    for (const text of [
      "title: A\n__proto__: { polluted: true }",
      "title: A\nconstructor: { prototype: { polluted: true } }"
    ])
      issueOf(text)
    assert.isUndefined(({} as { readonly polluted?: unknown }).polluted)
    for (const language of ["js", "javascript", "json", "coffee"]) {
      const decoded = decodeIssue({
        where: "w",
        state: "Todo",
        fileName: "A-1.md",
        inode: "1",
        modifiedAt: 0,
        text: `---${language}\n{ title: process.exit(1) }\n---\n`
      })
      assert.isTrue(Result.isFailure(decoded), language)
    }
  })
})

const issue = (title: string, description: string): Issue => {
  const { record: decoded } = Result.getOrThrow(issueOf(`title: ${JSON.stringify(title)}`, description))
  const id = IssueId.make(decoded.id)
  const identifier = Identifier.make(decoded.identifier)
  return new Issue({ ...decoded, id, identifier, state: "Todo", blockedBy: [] })
}

const render = (prompt: string, title = "Title", description = "") =>
  renderPrompt(testWorkflow({ prompt }), {
    issue: issue(title, description),
    attempt: null,
    retryKind: null
  })

describe("Liquid", () => {
  it.effect("16. templates that read files, reach prototypes, or never end: refused or cut off", () =>
    Effect.gen(function* () {
      for (const template of [
        "{% include '/etc/passwd' %}",
        "{% render '../../../etc/passwd' %}",
        "{% layout '/etc/passwd' %}"
      ])
        assert.isNotEmpty(checkTemplate(template), template)
      for (const template of [
        "{{ issue.constructor }}",
        "{{ issue.__proto__ }}",
        "{{ issue.title.constructor.constructor }}",
        "{{ issue.labels.pop }}"
      ]) {
        const rendered = yield* Effect.result(render(template))
        if (rendered._tag === "Success") assert.strictEqual(rendered.success, "", template)
      }
      for (const template of [
        "{% for a in (1..100000000) %}x{% endfor %}",
        "{% for a in (1..9999) %}{% for b in (1..9999) %}{% for c in (1..9999) %}x{% endfor %}{% endfor %}{% endfor %}",
        `{% assign a = "xxxxxxxxxx" %}${"{% assign a = a | append: a %}".repeat(60)}{{ a }}`,
        "{% assign a = (1..99999999) | join: 'x' %}{{ a }}"
      ]) {
        const error = yield* Effect.flip(render(template))
        assert.strictEqual(error.code, "template_render_error", template)
      }
    })
  )

  it.effect("17. template text in an issue: arrives as it was written", () =>
    Effect.gen(function* () {
      const hostile =
        "{{ issue.identifier }}{% raw %}{% include '/etc/passwd' %}{%- for a in (1..999999999) -%}"
      const rendered = yield* render("{{ issue.title }}|{{ issue.description }}", hostile, hostile)
      assert.strictEqual(rendered, `${hostile}|${hostile}`)
    })
  )
})

import { readFile } from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Issue } from "../../src/domain/Issue.ts"
import { Identifier, IssueId } from "../../src/domain/ids.ts"
import { decodeWorkflow } from "../../src/workflow/decodeWorkflow.ts"
import { checkTemplate, DEFAULT_PROMPT, renderPrompt, type PromptScope } from "../../src/workflow/prompt.ts"
import { continuationPrompt, replyPrompt, retryNote } from "../../src/workflow/texts.ts"
import { testWorkflow } from "../support/workflow.ts"

const issue = (overrides: Partial<typeof Issue.Type> = {}) =>
  new Issue({
    id: IssueId.make("id-1"),
    identifier: Identifier.make("ABC-1"),
    title: "Mend it",
    description: null,
    priority: 2,
    state: "Todo",
    branchName: null,
    url: null,
    labels: ["bug", "auth"],
    blockedBy: [
      { id: IssueId.make("id-5"), identifier: "ABC-5", state: "Done" },
      { id: null, identifier: "ABC-6", state: null }
    ],
    createdAt: "2026-01-01T00:00:00Z",
    updatedAt: null,
    assigneeId: null,
    nativeRef: null,
    proposedBy: null,
    fileName: "ABC-1.md",
    inode: "1",
    modifiedAt: 0,
    contentHash: "x",
    ...overrides
  })

const render = (prompt: string, scope: Partial<PromptScope> = {}) =>
  renderPrompt(testWorkflow({ prompt }), { issue: issue(), attempt: null, retryKind: null, ...scope })

describe("the prompt", () => {
  /** Each field on a line of its own. */
  const everyField =
    [
      "id",
      "identifier",
      "title",
      "description",
      "priority",
      "state",
      "branch_name",
      "url",
      "created_at",
      "updated_at",
      "assignee_id",
      "native_ref"
    ]
      .map((field) => `${field}={{ issue.${field} }}`)
      .join("\n") +
    "\nlabels={% for label in issue.labels %}[{{ label }}]{% endfor %}" +
    "\nblocked_by={% for b in issue.blocked_by %}{{ b.identifier }}={{ b.state }}/{{ b.id }};{% endfor %}"

  it.effect("knows every field of the issue under the names of 0.1.0", () =>
    Effect.gen(function* () {
      const full = issue({
        description: "It is broken.",
        branchName: "mend-it",
        url: "https://tracker.test/ABC-1",
        updatedAt: "2026-01-02T00:00:00Z",
        assigneeId: "ada",
        nativeRef: "GH-17"
      })
      assert.deepStrictEqual((yield* render(everyField, { issue: full })).split("\n"), [
        "id=id-1",
        "identifier=ABC-1",
        "title=Mend it",
        "description=It is broken.",
        "priority=2",
        "state=Todo",
        "branch_name=mend-it",
        "url=https://tracker.test/ABC-1",
        "created_at=2026-01-01T00:00:00Z",
        "updated_at=2026-01-02T00:00:00Z",
        "assignee_id=ada",
        "native_ref=GH-17",
        "labels=[bug][auth]",
        "blocked_by=ABC-5=Done/id-5;ABC-6=/;"
      ])
    })
  )

  it.effect("has null where the issue does not say", () =>
    Effect.gen(function* () {
      const unsaid = ["description", "branch_name", "url", "updated_at", "assignee_id", "native_ref"]
      const template = unsaid.map((field) => `{% if issue.${field} == nil %}null{% endif %}`).join(" ")
      assert.strictEqual(yield* render(template), unsaid.map(() => "null").join(" "))
    })
  )

  it.effect("tells the first run from those that follow", () =>
    Effect.gen(function* () {
      const template = "{% if attempt %}{{ retry_kind }} {{ attempt }}{% else %}first{% endif %}"
      assert.strictEqual(yield* render(template), "first")
      assert.strictEqual(yield* render(template, { attempt: 2, retryKind: "failure" }), "failure 2")
    })
  )

  it.effect("takes what an issue says for data", () =>
    Effect.gen(function* () {
      const hostile = "{{ attempt }} {% include '/etc/passwd' %} {% for i in (1..9) %}x{% endfor %}"
      const text = yield* render("{{ issue.title }}|{{ issue.description }}", {
        issue: issue({ title: hostile, description: hostile })
      })
      assert.strictEqual(text, `${hostile}|${hostile}`)
    })
  )

  it.effect("fails where a variable turns out to be missing", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(render("one\ntwo {{ issue[issue.title] }}"))
      assert.strictEqual(error.code, "template_render_error")
      assert.include(error.message, "WORKFLOW.md:2:8 prompt: undefined variable")
    })
  )

  it.effect("is bounded in time and memory", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(render("{% for i in (1..100000000) %}x{% endfor %}"))
      assert.strictEqual(error.code, "template_render_error")
      assert.include(error.message, "limit")
    })
  )

  it.effect("does not reach prototypes", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(render("{% assign c = 'constructor' %}{{ issue[c] }}"))
      assert.strictEqual(error.code, "template_render_error")
    })
  )

  it.effect("has a default that names no tracker", () =>
    Effect.gen(function* () {
      const text = yield* render(DEFAULT_PROMPT)
      assert.include(text, "ABC-1: Mend it")
      assert.notMatch(text, /linear|github|jira/i)
    })
  )
})

describe("the prompts that are shipped", () => {
  it.live.each(["WORKFLOW.md", "WORKFLOW.template.md"])("%s says what is known and how to finish", (name) =>
    Effect.gen(function* () {
      const source = yield* Effect.promise(() => readFile(new URL(`../../${name}`, import.meta.url), "utf8"))
      const { definition } = yield* Effect.fromResult(decodeWorkflow(`/project/${name}`, source, {}))
      const bare = issue({ labels: [], blockedBy: [] })
      const first = yield* renderPrompt(definition, { issue: bare, attempt: null, retryKind: null })
      const later = yield* renderPrompt(definition, { issue: issue(), attempt: 2, retryKind: "failure" })
      const [plain, repeated] = [first, later].map((text) => text.replaceAll(/\s+/g, " "))
      for (const text of [plain, repeated]) {
        assert.include(text, "ABC-1: Mend it")
        assert.include(text, "the mark_done tool")
        assert.include(text, "the request_human_steering tool")
        assert.include(text, "branch that is checked out")
      }
      assert.include(repeated, "starts from the base branch")
    })
  )
})

describe("a template", () => {
  it.each([
    ["a\n {% if attempt %}", 2, 2, "tag {% if attempt %} not closed"],
    ["{{ issue.title | shout }}", 1, 1, "undefined filter: shout"],
    ["{% include 'x' %}", 1, 1, 'tag "include" not found'],
    ["{% render 'x' %}", 1, 1, 'tag "render" not found'],
    ["{% layout 'x' %}", 1, 1, 'tag "layout" not found'],
    ["{{ issue.labels | where_exp: 'l', 'l' }}", 1, 1, "undefined filter: where_exp"],
    ["{{ issue.title }", 1, 1, 'output "{{ issue.title }" not closed'],
    ["\n\n  {{ isue.title }}", 3, 6, "unknown variable isue"],
    ["{{ issue.titel }}", 1, 4, "unknown variable issue.titel"],
    ["{% if other %}{% endif %}", 1, 7, "unknown variable other"],
    ["x".repeat(300_000), 1, 1, "parse length limit exceeded"]
  ])("is checked before there is an issue: %s", (template, line, column, message) => {
    const [fault] = checkTemplate(template)
    assert.strictEqual(fault?.message, message)
    assert.deepStrictEqual([fault?.line, fault?.column], [line, column])
  })

  it("may have variables of its own", () => {
    assert.deepStrictEqual(
      checkTemplate(
        "{% assign n = 1 %}{{ n }}{% for l in issue.labels %}{{ forloop.index }}{{ l }}{% endfor %}{% capture c %}x{% endcapture %}{{ c }}{{ issue.labels.size }}"
      ),
      []
    )
  })
})

describe("the fixed prompts", () => {
  it("carry question, context and answer, so that any session can go on", () => {
    const text = replyPrompt({ question: "Red or blue? ", context: "The button.", reply: "Blue {{ x }}" })
    for (const part of ["Red or blue?", "The button.", "Blue {{ x }}", "mark_done tool"]) {
      assert.include(text, part)
    }
    assert.notInclude(replyPrompt({ question: "q", context: null, reply: "r" }), "context")
  })

  it("say how to go on, and why a run is repeated", () => {
    assert.include(continuationPrompt, "mark_done tool")
    assert.include(retryNote({ attempt: 3, reason: "the agent exited" }), "retry 3")
    assert.include(retryNote({ attempt: 3, reason: "the agent exited" }), "the agent exited")
  })
})

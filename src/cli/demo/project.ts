/** The sample project of `symphony demo`: a small repository with four failing tests and an issue for each. */
export interface DemoIssue {
  readonly identifier: string
  readonly title: string
  /** The test that fails on the base and passes with the issue's patch. */
  readonly test: string
  readonly frontMatter: ReadonlyArray<string>
  readonly text: string
  readonly script: string
}

const script = (lines: string): string => lines.replace(/^\n/, "")

export const demoIssues: ReadonlyArray<DemoIssue> = [
  {
    identifier: "DEMO-1",
    title: "Add numbers",
    test: "test/add.test.js",
    frontMatter: ["priority: 1", "labels: [bug]"],
    text: "`add` subtracts. Make `test/add.test.js` pass.",
    script: script(`
say Looking at src/add.js
write src/add.js <<END
/** The sum of two numbers. */
export const add = (left, right) => left + right
END
run node --test test/add.test.js
commit Add numbers instead of subtracting them
done Add numbers instead of subtracting them | add() returned the difference. It returns the sum now; test/add.test.js passes.
`)
  },
  {
    identifier: "DEMO-2",
    title: "Greet people by name",
    test: "test/greet.test.js",
    frontMatter: ["priority: 2"],
    text: '`greet` ignores the name it is given. Which greeting to use is for a person to say: "Hello" or "Good day".',
    script: script(`
say There are two ways to greet. A person should decide.
ask Which greeting should greet() use: Hello, or Good day?
write src/greet.js <<END
/** A greeting for one person. */
export const greet = (name) => \`{{reply}}, \${name}!\`
END
run node --test test/greet.test.js
commit Greet people by name
done Greet people by name | greet() says "{{reply}}" and the name, as decided by a person; test/greet.test.js passes.
`)
  },
  {
    identifier: "DEMO-3",
    title: "Parse durations",
    test: "test/duration.test.js",
    frontMatter: ["priority: 3"],
    text: '`parseDuration("90s")` gives nothing. It should give milliseconds. The first attempt at this issue fails.',
    script: script(`
fail-once The scripted agent fails its first attempt on purpose
write src/duration.js <<END
const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Milliseconds of a duration such as 90s, undefined when it is none. */
export const parseDuration = (text) => {
  const match = /^(\\d+)(ms|s|m|h)$/.exec(text)
  return match === null ? undefined : Number(match[1]) * units[match[2]]
}
END
run node --test test/duration.test.js
commit Parse durations into milliseconds
done Parse durations into milliseconds | parseDuration() understands ms, s, m and h; test/duration.test.js passes.
`)
  },
  {
    identifier: "DEMO-4",
    title: "Average a list of numbers",
    test: "test/average.test.js",
    frontMatter: ["priority: 1", "blocked_by: [DEMO-1]"],
    text: "Waits for DEMO-1. `average([])` should be 0 and not NaN. Like every issue it starts from the base branch.",
    script: script(`
write src/average.js <<END
/** The mean of a list of numbers, 0 for an empty one. */
export const average = (numbers) =>
  numbers.length === 0 ? 0 : numbers.reduce((sum, number) => sum + number, 0) / numbers.length
END
run node --test test/average.test.js
commit Average an empty list as 0
done Average an empty list as 0 | average([]) was NaN; test/average.test.js passes.
`)
  }
]

/** What the demo's own operator answers with `--once`. */
export const DEMO_ANSWER = "Hello"

/** The base of the sample repository, by path. */
export const demoFiles: Readonly<Record<string, string>> = {
  "package.json": `${JSON.stringify({ name: "symphony-demo", private: true, type: "module", scripts: { test: "node --test" } }, null, 2)}\n`,
  ".gitignore": ".symphony/\nissues/\nWORKFLOW.md\n",
  "README.md":
    "# A sample project\n\nMade by `symphony demo`. Its four tests fail; each issue in `issues/` makes one of them pass.\n",
  "src/add.js": "export const add = (left, right) => left - right\n",
  "src/greet.js": 'export const greet = () => "Hey!"\n',
  "src/duration.js": "export const parseDuration = () => undefined\n",
  "src/average.js":
    "export const average = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length\n",
  "test/add.test.js": `import assert from "node:assert"
import { test } from "node:test"
import { add } from "../src/add.js"

test("adds", () => assert.equal(add(2, 3), 5))
`,
  "test/greet.test.js": `import assert from "node:assert"
import { test } from "node:test"
import { greet } from "../src/greet.js"

test("greets by name", () => assert.match(greet("Ada"), /^(Hello|Good day), Ada!$/))
`,
  "test/duration.test.js": `import assert from "node:assert"
import { test } from "node:test"
import { parseDuration } from "../src/duration.js"

test("parses seconds", () => assert.equal(parseDuration("90s"), 90_000))
test("refuses nonsense", () => assert.equal(parseDuration("soon"), undefined))
`,
  "test/average.test.js": `import assert from "node:assert"
import { test } from "node:test"
import { average } from "../src/average.js"

test("averages", () => assert.equal(average([1, 2, 3]), 2))
test("averages nothing", () => assert.equal(average([]), 0))
`
}

export const demoIssueFile = (issue: DemoIssue): string =>
  [
    "---",
    `title: ${JSON.stringify(issue.title)}`,
    ...issue.frontMatter,
    "---",
    issue.text,
    "",
    "The demo agent has no model; it follows this script:",
    "",
    "```demo",
    issue.script.trimEnd(),
    "```",
    ""
  ].join("\n")

/** A microVM needs Node and git in it. */
const machine = (sandbox: string): string =>
  sandbox === "smolvm" ? "smolvm:\n  image: node:24-bookworm\n" : ""

export const demoWorkflow = (options: { readonly sandbox: string }): string => `---
# Made by \`symphony demo\`: the scripted demo agent, no model, no VM.
tracker:
  kind: local
  root: ./issues
states:
  Todo: { role: active, on_start: In Progress }
  In Progress: { role: active }
  Parked: { role: holding }
  Done: { role: terminal }
workspace:
  root: ./.symphony/workspaces
agent:
  max_concurrent_agents: 2
  # Soon, for a demonstration.
  max_retry_backoff_ms: 1000
acp:
  adapter: demo
sandbox:
  kind: ${options.sandbox}
${machine(options.sandbox)}handoff:
  mode: patch
hooks:
  after_create: |
    set -eu
    git clone --quiet --local --no-hardlinks --no-tags --template= --branch "$SYMPHONY_BASE_BRANCH" -- "$SYMPHONY_SOURCE_REPO" .
    git checkout --quiet -B "$SYMPHONY_BRANCH"
    git remote remove origin
---
You are working on {{ issue.identifier }}: {{ issue.title }}

{{ issue.description }}

Commit your work to the current branch, then call the mark_done tool.
`

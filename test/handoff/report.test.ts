import { assert, it } from "@effect/vitest"
import { Identifier, makeRunId } from "../../src/domain/ids.ts"
import type { Tokens } from "../../src/domain/Tokens.ts"
import { renderPullRequest, renderReport } from "../../src/handoff/report.ts"

const reportOn = (tokens: Tokens) => ({
  request: {
    runId: makeRunId(1, 1),
    identifier: Identifier.make("A-1"),
    branch: "agent/A-1",
    workspace: "/workspaces/A-1",
    title: "Work",
    summary: "Worked.",
    tokens,
    startedAt: 0
  },
  verdict: "analysis" as const,
  baseBranch: "main",
  base: "",
  head: null,
  tree: null,
  commits: [],
  files: [],
  flags: [],
  patch: null,
  bundle: null,
  rest: null,
  finishedAt: 1000
})

const used = (source: Tokens["source"]): Tokens => ({ input: 10, output: 5, total: 15, source })

it.each<readonly [string, Tokens, string]>([
  [
    "told",
    { ...used("counted"), cost: { amounts: { USD: 0.42 }, partial: true } },
    "≥ $0.42, as the agent says"
  ],
  ["not told", used("reported"), "unknown"],
  ["nothing", used("scripted"), "none, no model was asked"]
])("a report says what a run has cost: %s", (_name, tokens, cost) => {
  assert.include(renderReport(reportOn(tokens)), `- Cost: ${cost}`)
  assert.include(renderPullRequest(reportOn(tokens)), `cost: ${cost}`)
})

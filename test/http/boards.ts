import type { BoardIssue, BoardRun, BoardSnapshot } from "../../src/board/Board.ts"
import { Identifier, IssueId, makeQuestionId, makeRunId } from "../../src/domain/ids.ts"
import { agentBranch } from "../../src/domain/workspaceKey.ts"

/** 2026-11-22T12:00:00Z. */
export const NOON = Date.UTC(2026, 10, 22, 12)

const reported = (total: number) => ({ input: total - 1, output: 1, total, source: "reported" }) as const

export const boardRun = (overrides: Partial<BoardRun> = {}): BoardRun => ({
  run: makeRunId(1, 1),
  attempt: 1,
  stage: "conversing",
  adapter: "demo",
  session: "sess-1",
  turn: 2,
  tokens: reported(1200),
  startedAt: NOON - 300_000,
  lastEvent: "Message",
  lastMessage: "running the tests",
  lastEventAt: NOON - 4000,
  sandbox: "host",
  markedDone: false,
  stopping: null,
  ...overrides
})

/** An issue that waits for a slot. */
export const boardIssue = (identifier: string, overrides: Partial<BoardIssue> = {}): BoardIssue => ({
  id: IssueId.make(`id-${identifier}`),
  identifier: Identifier.make(identifier),
  title: `Title of ${identifier}`,
  description: `Text of ${identifier}`,
  state: "Todo",
  role: "active",
  status: "waiting",
  why: { code: "GlobalCap", text: "all 2 slots are in use" },
  priority: 2,
  labels: ["bug"],
  blockedBy: [],
  url: null,
  proposedBy: null,
  createdAt: "2026-11-22T10:00:00.000Z",
  updatedAt: null,
  run: null,
  question: null,
  retry: null,
  retryable: false,
  hold: null,
  attempts: 0,
  history: [],
  handoff: null,
  earlierHandoff: null,
  account: null,
  pullRequest: null,
  workspace: null,
  branch: agentBranch(identifier),
  tokens: { input: 0, output: 0, total: 0, source: "unknown" },
  seconds: 0,
  changedAt: NOON - 7_200_000,
  ...overrides
})

export const workingIssue = (identifier: string, n = 1, overrides: Partial<BoardIssue> = {}): BoardIssue =>
  boardIssue(identifier, {
    status: "working",
    why: { code: "Running", text: "conversing, run 1" },
    run: boardRun({ run: makeRunId(1, n) }),
    attempts: 1,
    workspace: `/project/.symphony/workspaces/${identifier}`,
    ...overrides
  })

export const askingIssue = (identifier: string, n = 1, overrides: Partial<BoardIssue> = {}): BoardIssue =>
  workingIssue(identifier, n, {
    status: "needs you",
    why: { code: "Running", text: "waiting, run 1" },
    run: boardRun({ run: makeRunId(1, n), stage: "waiting" }),
    question: {
      id: makeQuestionId(makeRunId(1, n), 1),
      text: "Which colour?",
      context: "Both fit.",
      askedAt: NOON - 60_000,
      turn: 1,
      reply: null
    },
    ...overrides
  })

/** Stopped by a person. */
export const heldIssue = (identifier: string, overrides: Partial<BoardIssue> = {}): BoardIssue =>
  boardIssue(identifier, {
    status: "stopped",
    why: { code: "Held", text: "stopped by the operator" },
    hold: { reason: "operator", message: "stopped by the operator", at: NOON - 60_000 },
    retryable: true,
    ...overrides
  })

export const finishedIssue = (identifier: string, overrides: Partial<BoardIssue> = {}): BoardIssue =>
  boardIssue(identifier, {
    state: "Done",
    role: "terminal",
    status: "ready for review",
    why: { code: "ForReview", text: "handed over: it is in Done" },
    ...overrides
  })

/** Finished, and nobody needs to look at it. */
export const closedIssue = (identifier: string, overrides: Partial<BoardIssue> = {}): BoardIssue =>
  finishedIssue(identifier, {
    status: "closed",
    why: { code: "Finished", text: "closed: it is in Done" },
    ...overrides
  })

/** Filed by the agent of another issue. */
export const proposedIssue = (
  identifier: string,
  by: string,
  overrides: Partial<BoardIssue> = {}
): BoardIssue =>
  boardIssue(identifier, {
    state: "Triage",
    role: "holding",
    status: "needs you",
    why: { code: "Proposed", text: `proposed by the agent of ${by}: approve or discard it` },
    proposedBy: by,
    ...overrides
  })

export const board = (
  issues: ReadonlyArray<BoardIssue>,
  overrides: Partial<BoardSnapshot> = {}
): BoardSnapshot => ({
  generatedAt: NOON,
  workflow: "/project/WORKFLOW.md",
  trackerRoot: "/project/issues",
  mode: "running",
  badge: issues.some((issue) => issue.status === "needs you") ? "attention" : "working",
  issues,
  states: [
    { name: "Todo", role: "active" },
    { name: "In Progress", role: "active" },
    { name: "Triage", role: "holding" },
    { name: "Done", role: "terminal" }
  ],
  slots: { used: issues.filter((issue) => issue.run !== null).length, limit: 10 },
  totals: {
    tokens: { ...reported(5000), cost: { amounts: { USD: 1.25, credits: 3 }, partial: true } },
    seconds: 3725,
    endedSeconds: 3600,
    runs: 4,
    completed: 2
  },
  problems: [],
  ...overrides
})

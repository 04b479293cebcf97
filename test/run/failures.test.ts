import { assert, describe, it } from "@effect/vitest"
import { AgentError } from "../../src/agent/AgentSessions.ts"
import { FileError } from "../../src/files/SafeFiles.ts"
import { failureOf } from "../../src/run/failures.ts"
import { SandboxError } from "../../src/sandbox/Sandboxes.ts"
import { ofFile as sandboxProblem } from "../../src/sandbox/fileProblem.ts"
import { TrackerError } from "../../src/tracker/Tracker.ts"
import { HookError, WorkspaceError } from "../../src/workspace/Workspaces.ts"
import { ofFile as workspaceProblem } from "../../src/workspace/workspaceRoot.ts"

const files = (["full", "descriptors"] as const).map(
  (reason) => new FileError({ operation: "write", path: "/x", reason, detail: reason })
)

describe("an error of a stage", () => {
  it("has a class, which says who has to act, and a name that programs can rely on", () => {
    const told = [
      new TrackerError({ operation: "read", path: "/x", detail: "gone" }),
      new WorkspaceError({ reason: "foreign_root", path: "/x", detail: "theirs" }),
      new HookError({ hook: "before_run", reason: "exit", code: 1, detail: "exit code 1", output: "" }),
      new SandboxError({ kind: "smolvm", reason: "unavailable", detail: "no KVM", hint: null }),
      new AgentError({ reason: "rate_limit", detail: "429", resetAt: 1 })
    ].map(failureOf)
    assert.deepStrictEqual(
      told.map((failure) => [failure.class, failure.reason]),
      [
        ["infrastructure", "tracker_unreadable"],
        ["configuration", "workspace_foreign_root"],
        ["infrastructure", "hook_before_run"],
        ["configuration", "sandbox_unavailable"],
        ["rate_limit", "agent_rate_limit"]
      ]
    )
  })
})

describe("what the machine has no more of", () => {
  it("is nobody's failure, wherever a run meets it", () => {
    const met = [
      ...files.map(workspaceProblem),
      ...files.map((error) => sandboxProblem("host", error)),
      new SandboxError({ kind: "host", reason: "exhausted", detail: "EMFILE", hint: null }),
      new HookError({ hook: "before_run", reason: "exhausted", code: null, detail: "EAGAIN", output: "" })
    ]
    for (const error of met) {
      assert.deepInclude(failureOf(error), { class: "infrastructure", reason: "machine_exhausted" })
    }
  })
})

import { assert, describe, it } from "@effect/vitest"
import { FileError } from "../../src/files/SafeFiles.ts"
import { failureOf } from "../../src/run/failures.ts"
import { SandboxError } from "../../src/sandbox/Sandboxes.ts"
import { ofFile as sandboxProblem } from "../../src/sandbox/fileProblem.ts"
import { HookError } from "../../src/workspace/Workspaces.ts"
import { ofFile as workspaceProblem } from "../../src/workspace/workspaceRoot.ts"

const files = (["full", "descriptors"] as const).map(
  (reason) => new FileError({ operation: "write", path: "/x", reason, detail: reason })
)

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

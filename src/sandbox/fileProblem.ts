import type { FileError } from "../files/SafeFiles.ts"
import type { SandboxKind } from "../workflow/WorkflowConfig.ts"
import { SandboxError } from "./Sandboxes.ts"

/** What a file that could not be written or read means to a sandbox. */
export const ofFile = (kind: SandboxKind, error: FileError): SandboxError =>
  new SandboxError({
    kind,
    reason: error.reason === "full" || error.reason === "descriptors" ? "exhausted" : "io",
    detail: error.message,
    hint: null
  })

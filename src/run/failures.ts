import type { AgentError } from "../agent/AgentSessions.ts"
import type { CredentialMissing } from "../agent/Credentials.ts"
import { RunFailure, type FailureClass } from "../domain/Outcome.ts"
import { MACHINE_EXHAUSTED, TRACKER_UNREADABLE } from "../scheduler/failures.ts"
import type { HandoffError } from "../handoff/Handoff.ts"
import type { SandboxError } from "../sandbox/Sandboxes.ts"
import type { IssueUnreadable, TrackerError } from "../tracker/Tracker.ts"
import type { PromptError } from "../workflow/Workflow.ts"
import type { HookError, WorkspaceError } from "../workspace/Workspaces.ts"

type Raised =
  | AgentError
  | CredentialMissing
  | HandoffError
  | HookError
  | IssueUnreadable
  | PromptError
  | SandboxError
  | TrackerError
  | WorkspaceError

const classOfAgent: Record<AgentError["reason"], FailureClass> = {
  not_found: "configuration",
  launch: "configuration",
  start: "infrastructure",
  lost: "infrastructure",
  protocol: "agent",
  auth: "configuration",
  billing: "configuration",
  rate_limit: "rate_limit",
  read_timeout: "infrastructure",
  prompt_timeout: "agent",
  stall_timeout: "agent",
  exit: "agent",
  turn: "agent",
  system: "infrastructure",
  input_required: "agent",
  flood: "agent",
  capability: "configuration"
}

const classOfHandoff: Record<HandoffError["reason"], FailureClass> = {
  source: "configuration",
  hostile: "agent",
  unverified: "agent",
  push: "infrastructure",
  forge: "infrastructure",
  io: "infrastructure"
}

/** Who has to act on an error of a stage, and under which stable name it is counted. */
export const failureOf = (error: Raised): RunFailure => {
  const make = (failureClass: FailureClass, reason: string, resetAt: number | null = null): RunFailure =>
    new RunFailure({ class: failureClass, reason, message: error.message, resetAt })
  if ("reason" in error && error.reason === "exhausted") return make("infrastructure", MACHINE_EXHAUSTED)
  switch (error._tag) {
    case "AgentError":
      return make(classOfAgent[error.reason], `agent_${error.reason}`, error.resetAt)
    case "CredentialMissing":
      return make("configuration", "credential_missing")
    case "HandoffError":
      return make(classOfHandoff[error.reason], `handoff_${error.reason}`)
    case "HookError":
      return make("infrastructure", `hook_${error.hook}`)
    case "PromptError":
      return make("configuration", error.code)
    case "SandboxError":
      return make(
        error.reason === "unavailable" || error.reason === "mount" ? "configuration" : "infrastructure",
        `sandbox_${error.reason}`
      )
    case "WorkspaceError":
      return make(error.reason === "io" ? "infrastructure" : "configuration", `workspace_${error.reason}`)
    case "IssueUnreadable":
    case "TrackerError":
      return make("infrastructure", TRACKER_UNREADABLE)
  }
}

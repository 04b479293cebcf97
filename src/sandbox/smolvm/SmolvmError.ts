import { Schema } from "effect"
import { SandboxError } from "../Sandboxes.ts"

/** What smolvm answered, or why it did not. */
export class SmolvmError extends Schema.TaggedError<SmolvmError>()("SmolvmError", {
  /**
   * `missing`: no such program; `server_down`: nobody listens at the endpoint; `timeout`: no answer in time;
   * `unanswered`: it was asked, and the connection broke before it answered;
   * `usage`: it does not know our syntax; `malformed`: it answered something that nobody can read. The others
   * as smolvm means them; `failed` is all that it does not tell apart.
   */
  reason: Schema.Literals([
    "missing",
    "server_down",
    "timeout",
    "unanswered",
    "usage",
    "malformed",
    "name_taken",
    "not_found",
    "image",
    "mount",
    "lost",
    "failed"
  ]),
  /** What was tried, without arguments: they may hold what must not be shown. */
  operation: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `smolvm ${this.operation}: ${this.detail}`
  }
}

/** What its text says; smolvm flattens most kinds of failure into one code. */
export const reasonIn = (text: string): SmolvmError["reason"] => {
  if (/already exists|being created/.test(text)) return "name_taken"
  if (/connection to VM lost/.test(text)) return "lost"
  if (/mount|krun_start_enter\b.*-22|-22\b/i.test(text)) return "mount"
  if (/image|manifest|sidecar|SMOLPACK|registry|pull/i.test(text)) return "image"
  if (/machine '[^']*' not found|no such machine/i.test(text)) return "not_found"
  return "failed"
}

const kinds: Record<SmolvmError["reason"], SandboxError["reason"]> = {
  missing: "unavailable",
  server_down: "server_down",
  timeout: "boot_timeout",
  unanswered: "server_down",
  usage: "boot",
  malformed: "boot",
  name_taken: "name_taken",
  not_found: "lost",
  image: "image",
  mount: "mount",
  lost: "lost",
  failed: "boot"
}

const hints: Partial<Record<SmolvmError["reason"], string>> = {
  missing:
    "install smolvm and put it on PATH, or set another `sandbox.kind`; `npm run demo` shows symphony without it",
  server_down: "start it with `smolvm serve start`, or leave `smolvm.endpoint` out to use the command line",
  image: "make one with scripts/build-vm.sh, or mend `smolvm.from` or `smolvm.image`",
  mount: "a machine takes three folders, none of them below a system folder; see `smolvm.volumes`",
  name_taken: "a machine that symphony did not make has this name; rename or delete it"
}

/** As the rest of symphony is told. */
export const sandboxError = (error: SmolvmError): SandboxError =>
  new SandboxError({
    kind: "smolvm",
    reason: kinds[error.reason],
    detail: error.message,
    hint: hints[error.reason] ?? null
  })

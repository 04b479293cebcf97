import { Schema } from "effect"
import { SandboxError } from "../Sandboxes.ts"

/** What smolvm answered, or why it did not. */
export class SmolvmError extends Schema.TaggedError<SmolvmError>()("SmolvmError", {
  /**
   * `missing`: no such program; `server_down`: nobody listens at the endpoint; `timeout`: no answer in time;
   * `unanswered`: it was asked, and the connection broke before it answered;
   * `not_ready`: it has given up a boot itself; `usage`: it does not know our syntax; `malformed`: it answered something that nobody can read. The others
   * as smolvm means them; `failed` is all that it does not tell apart.
   */
  reason: Schema.Literals([
    "missing",
    "server_down",
    "timeout",
    "unanswered",
    "not_ready",
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

/** Names and paths are the operator's, and may hold any word. */
const withoutNames = (text: string): string =>
  text.replaceAll(/'[^']*'|"[^"]*"|`[^`]*`/g, "''").replaceAll(/(?<=^|[\s:=(])\/\S+/g, "/")

const texts: ReadonlyArray<readonly [RegExp, SmolvmError["reason"]]> = [
  [/\bmachine '' not found|no such machine/i, "not_found"],
  [/already exists|is being created/i, "name_taken"],
  [/connection to VM lost/i, "lost"],
  [/did not become ready/i, "not_ready"],
  [/\bkrun_start_enter\b.*-22\b|\bmount (source|target|validation)\b|\binvalid volume\b/i, "mount"],
  [
    /\bpull(ing)? (the )?image\b|\bimage '' not found|\bmanifest (unknown|invalid)|\bsidecar file not found|\bexpected SMOLPACK|\bregistry\b|\bwrong arch/i,
    "image"
  ]
]

/** What its text says; smolvm flattens most kinds of failure into one code. */
export const reasonIn = (text: string): SmolvmError["reason"] => {
  const words = withoutNames(text)
  return texts.find(([pattern]) => pattern.test(words))?.[1] ?? "failed"
}

const kinds: Record<Exclude<SmolvmError["reason"], "timeout">, SandboxError["reason"]> = {
  missing: "unavailable",
  server_down: "server_down",
  unanswered: "server_down",
  not_ready: "boot_timeout",
  usage: "boot",
  malformed: "boot",
  name_taken: "name_taken",
  not_found: "lost",
  image: "image",
  mount: "mount",
  lost: "lost",
  failed: "boot"
}

/** Only a start that takes too long is a boot that does. */
const kindOf = ({ operation, reason }: SmolvmError): SandboxError["reason"] =>
  reason !== "timeout"
    ? kinds[reason]
    : operation === "machine start"
      ? "boot_timeout"
      : operation === "machine exec"
        ? "lost"
        : "boot"

const hints: Record<SmolvmError["reason"], string> = {
  missing:
    "install smolvm (https://smolmachines.com/) and put it on PATH, or set another `sandbox.kind`; `npm run demo` shows symphony without it",
  server_down: "start it with `smolvm serve start`, or leave `smolvm.endpoint` out to use the command line",
  timeout:
    "is this machine overloaded? Lower `agent.max_concurrent_agents`; `smolvm machine ls` shows whether smolvm answers",
  unanswered: "did `smolvm serve` end, or start anew? Its output says why",
  not_ready:
    "can this machine boot VMs (`/dev/kvm`), and has it the memory for another one? See `smolvm.mem_mib`",
  usage: "this release of smolvm does not know what symphony asks for: update smolvm, or symphony",
  malformed: "is `smolvm` on PATH, or the server at `smolvm.endpoint`, the microVM program of that name?",
  image: "make one with `bash scripts/build-vm.sh`, or mend `smolvm.from` or `smolvm.image`",
  mount: "a machine takes three folders that exist, none of them below a system folder; see `smolvm.volumes`",
  name_taken: "a machine that symphony did not make has this name; rename or delete it",
  not_found: "somebody else has removed the machine; the next run makes it anew",
  lost: "the machine ended while it was in use: has this machine run out of memory? See `smolvm.mem_mib`",
  failed: "`symphony doctor` goes through all that a machine needs"
}

/** As the rest of symphony is told. */
export const sandboxError = (error: SmolvmError): SandboxError =>
  new SandboxError({
    kind: "smolvm",
    reason: kindOf(error),
    detail: error.message,
    hint: hints[error.reason]
  })

import { Context, type Effect, type Redacted, Schema, type Scope, type Stream } from "effect"
import type { Identifier, RunId } from "../domain/ids.ts"
import type { ListenerAddress } from "./listenerHost.ts"
import type { SandboxKind, WorkflowDefinition } from "../workflow/WorkflowConfig.ts"

export class SandboxError extends Schema.TaggedError<SandboxError>()("SandboxError", {
  kind: Schema.Literals(["smolvm", "bubblewrap", "host"]),
  /**
   * `unavailable`: this machine cannot do it; `mount`: it cannot show what it is to (both configuration); `boot`,
   * `boot_timeout`, `server_down`, `lost`, `name_taken`, `image`: infrastructure; `spawn`: the command could not be started; `io`: its pipes broke;
   * `exhausted`: the machine has no space, processes or open files left.
   */
  reason: Schema.Literals([
    "unavailable",
    "boot",
    "boot_timeout",
    "server_down",
    "lost",
    "name_taken",
    "image",
    "mount",
    "spawn",
    "exhausted",
    "io"
  ]),
  detail: Schema.String,
  /** What to do about it. */
  hint: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    return `sandbox ${this.kind}: ${this.detail}${this.hint === null ? "" : ` - ${this.hint}`}`
  }
}

/** What this machine lacks for a kind of sandbox: each thing, and how to get it. */
export class SandboxUnavailable extends Schema.TaggedError<SandboxUnavailable>()("SandboxUnavailable", {
  kind: Schema.Literals(["smolvm", "bubblewrap", "host"]),
  missing: Schema.Array(Schema.Struct({ detail: Schema.String, hint: Schema.NullOr(Schema.String) }))
}) {
  override get message(): string {
    return this.missing
      .map(({ detail, hint }) => `sandbox ${this.kind}: ${detail}${hint === null ? "" : ` - ${hint}`}`)
      .join("\n")
  }
}

export interface SandboxRequest {
  readonly runId: RunId
  readonly identifier: Identifier
  readonly workflow: WorkflowDefinition
  /** Absolute host path, read-write in the sandbox at the same path. */
  readonly workspace: string
  /** Host folders the guest may read, at the same path. */
  readonly readonlyPaths: ReadonlyArray<string>
  /**
   * Names of programs to be found on PATH. A sandbox that shares this machine's files shows their
   * installations, read-only, wherever they are; one that is missing is for the shell to tell.
   */
  readonly programs: ReadonlyArray<string>
  /**
   * Relative to the guest's HOME: what outlives the run, for the next run of the same issue. Nothing of
   * `homeFiles`.
   */
  readonly keep: ReadonlyArray<string>
  /**
   * Relative to the guest's HOME: files in which its programs keep a credential. Where a HOME outlives the run,
   * they are removed before its first process starts, and again after its last.
   */
  readonly secretPaths: ReadonlyArray<string>
  /** Complete: nothing else of the host's environment reaches the guest but `PATH` and the locale. */
  readonly env: Readonly<Record<string, string | Redacted.Redacted>>
  /** Files placed into the guest before the first process starts, mode 0600, relative to the guest's HOME. */
  readonly homeFiles: ReadonlyArray<{ readonly path: string; readonly content: Redacted.Redacted }>
  readonly listener: ListenerAddress
}

export interface SandboxCommand {
  /** Run as `<shell> -lc <line>` in the workspace. */
  readonly shell: string
  readonly line: string
}

export interface ProcessExit {
  readonly code: number | null
  readonly detail: string
  /** The sandbox went away under the process, which says nothing about the process. */
  readonly lost: boolean
}

/** A process inside a sandbox. Its bytes are untrusted. */
export interface SandboxProcess {
  /** Host pid, where the process has one. */
  readonly pid: number | null
  /** Back-pressured; each is to be consumed once, and to the end, or the guest waits. */
  readonly stdout: Stream.Stream<Uint8Array, SandboxError>
  readonly stderr: Stream.Stream<Uint8Array, SandboxError>
  /** One writer at a time; back-pressured. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, SandboxError>
  readonly closeStdin: Effect.Effect<void>
  /**
   * Waits for the end. `code` is null when a signal ended it or the sandbox was lost; where an init of the
   * guest stands between, a signal is told as 128 plus its number.
   */
  readonly exit: Effect.Effect<ProcessExit>
}

export interface Sandbox {
  readonly kind: SandboxKind
  /** Base URL of symphony's listener as the guest sees it, without a trailing slash. */
  readonly listenerUrl: string
  /** The guest's HOME. */
  readonly home: string
  /** Names the sandbox for people: pid, VM name. */
  readonly name: string
  /** Closing the scope ends the process: stdin closed → SIGTERM → SIGKILL to the group. */
  readonly start: (command: SandboxCommand) => Effect.Effect<SandboxProcess, SandboxError, Scope.Scope>
  /**
   * Ends everything in the sandbox and tells whether it is dead. `unknown` (the machine does not answer) is
   * not `dead`: ask again later, release nothing.
   */
  readonly stop: Effect.Effect<"dead" | "unknown">
}

/**
 * Where agents run. A sandbox belongs to the scope it was acquired in; closing that stops it within a grace
 * period. Never weaker than asked: a kind that this machine cannot offer is refused.
 */
export class Sandboxes extends Context.Service<
  Sandboxes,
  {
    /**
     * Whether this machine can offer the workflow's kind; fails with all that is missing. Only looks, so that it
     * may be asked beside a running orchestrator.
     */
    readonly check: (workflow: WorkflowDefinition) => Effect.Effect<void, SandboxUnavailable>
    readonly acquire: (request: SandboxRequest) => Effect.Effect<Sandbox, SandboxError, Scope.Scope>
    /**
     * Ends what earlier runs of this tracker left behind, found by their recorded marker and never by guess.
     * Answers, per leftover, whether it is dead now. Whoever holds the tracker asks once at its start, also
     * when no run is left over: machines that were kept for their issues then begin to go.
     */
    readonly reap: (
      workflow: WorkflowDefinition,
      leftover: ReadonlyArray<RunId>
    ) => Effect.Effect<ReadonlyArray<{ readonly runId: RunId; readonly status: "dead" | "unknown" }>>
  }
>()("symphony/sandbox/Sandboxes") {}

import type { Duration, Effect, Redacted, Scope } from "effect"
import type { GuestProcess } from "../guestProcess.ts"
import type { SandboxError } from "../Sandboxes.ts"
import type { SmolvmError } from "./SmolvmError.ts"

/** A machine as smolvm lists it. */
export interface Machine {
  readonly name: string
  /** `created`, `running`, `stopped`, `failed`, `unreachable`, `frozen`, or something newer. */
  readonly state: string
  /** Of the process that is the machine. */
  readonly pid: number | null
}

export interface Mount {
  /** Absolute host folder. */
  readonly source: string
  readonly target: string
  readonly readonly: boolean
}

export interface MachineSpec {
  readonly name: string
  /** A `.smolmachine` file; goes before `image`. */
  readonly from: string | null
  readonly image: string | null
  readonly cpus: number
  readonly memMib: number
  readonly mounts: ReadonlyArray<Mount>
  /** false: nothing but this machine's loopback. */
  readonly net: boolean
}

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Where a detached program of the guest says what became of it, while anybody is told. */
export interface Launched {
  /** Returns, with the reason, when the program is known to have ended. */
  readonly ended: Effect.Effect<string>
}

/**
 * smolvm as far as symphony uses it, over its command line or its HTTP API. Every operation is bounded in
 * time. None of them can be trusted to have done nothing when it failed.
 */
export interface Machines {
  /** Says in words over what it speaks. */
  readonly description: string
  /** Whether what was asked for goes on when nobody waits for its answer any more. */
  readonly outlivesCaller: boolean
  readonly version: Effect.Effect<string, SmolvmError>
  /** A failure, or an answer that cannot be read, is "don't know" and never "none". */
  readonly list: Effect.Effect<ReadonlyArray<Machine>, SmolvmError>
  readonly create: (spec: MachineSpec) => Effect.Effect<void, SmolvmError>
  /** `limit`: how long to wait for it; a pull takes longer than a boot. */
  readonly start: (name: string, limit: Duration.Duration) => Effect.Effect<void, SmolvmError>
  readonly stop: (name: string) => Effect.Effect<void, SmolvmError>
  readonly remove: (name: string) => Effect.Effect<void, SmolvmError>
  /** Runs a short command to its end; `secret` reaches it as the first line of its stdin. */
  readonly execute: (
    name: string,
    command: ReadonlyArray<string>,
    secret: Redacted.Redacted
  ) => Effect.Effect<Answer, SmolvmError>
  /** Starts a command that then goes on by itself; `secret` as for `execute`. */
  readonly launch: (
    name: string,
    command: ReadonlyArray<string>,
    secret: Redacted.Redacted
  ) => Effect.Effect<Launched, SandboxError, Scope.Scope>
}

/** Commands whose stdin and stdout stay connected; the command line alone can do that. */
export type Attach = (
  name: string,
  command: ReadonlyArray<string>
) => Effect.Effect<GuestProcess, SandboxError, Scope.Scope>

import { Context, type Effect, type Option, type Redacted, type Scope } from "effect"
import type { Identifier, RunId } from "../domain/ids.ts"

/** What a token opens: one purpose of one run. */
export interface Grant {
  readonly runId: RunId
  readonly identifier: Identifier
  readonly purpose: "mcp" | "bridge" | "proxy"
}

/**
 * The only registry of tokens that runs are given. A token opens one purpose of one run and nothing once the
 * run has ended; all tokens of a run are revoked together.
 */
export class RunGrants extends Context.Service<
  RunGrants,
  {
    /** 32 random bytes, base64url. Revoked with the scope, or earlier by `revoke`. */
    readonly issue: (grant: Grant) => Effect.Effect<Redacted.Redacted, never, Scope.Scope>
    /** Compared in constant time. */
    readonly find: (token: string) => Effect.Effect<Option.Option<Grant>>
    readonly revoke: (runId: RunId) => Effect.Effect<void>
    /** Called by the MCP endpoint on an authorized `tools/list`. */
    readonly markToolsListed: (runId: RunId) => Effect.Effect<void>
    /** Returns once the run's agent has listed its tools; the first prompt waits for it. */
    readonly awaitToolsListed: (runId: RunId) => Effect.Effect<void>
    /** Runs that hold a token now; for invariants and for `doctor`. */
    readonly active: Effect.Effect<ReadonlyArray<Grant>>
  }
>()("symphony/mcp/RunGrants") {}

import { createHash, timingSafeEqual } from "node:crypto"
import { Context, Effect, Latch, Layer, Option, Redacted, type Scope } from "effect"
import { SecureRandom } from "effect/crypto"
import { Base64Url } from "effect/encoding"
import type { Identifier, RunId } from "../domain/ids.ts"

/** What a token opens: one purpose of one run. */
export interface Grant {
  readonly runId: RunId
  readonly identifier: Identifier
  readonly purpose: "mcp" | "bridge" | "proxy"
}

const TOKEN_BYTES = 32
/** Tokens that are over and still known. */
const ENDED_TOKENS = 1_000

interface Held {
  readonly grant: Grant
  readonly digest: Uint8Array
}

interface HolderRun {
  readonly held: Set<Held>
  readonly listed: Latch.Latch
}

/** Of equal length whatever was presented, so that the comparison tells nothing about the token. */
const digestOf = (token: string): Uint8Array => createHash("sha256").update(token).digest()

/**
 * The only registry of tokens that runs are given. A token opens one purpose of one run and nothing once the
 * run has ended; all tokens of a run are revoked together. Tokens are kept in memory only: they die with the
 * process, and only their digests are kept.
 */
export class RunGrants extends Context.Service<
  RunGrants,
  {
    /** 32 random bytes, base64url. Revoked with the scope, or earlier by `revoke`. */
    readonly issue: (grant: Grant) => Effect.Effect<Redacted.Redacted, never, Scope.Scope>
    /** Compared in constant time. */
    readonly find: (token: string) => Effect.Effect<Option.Option<Grant>>
    /** What a token opened that is over, of the last few: for the log, never to open anything. */
    readonly findEnded: (token: string) => Effect.Effect<Option.Option<Grant>>
    readonly revoke: (runId: RunId) => Effect.Effect<void>
    /** Called by the MCP endpoint on an authorized `tools/list`. */
    readonly markToolsListed: (runId: RunId) => Effect.Effect<void>
    /**
     * Returns once the run's agent has listed its tools; the first prompt waits for it. Never returns for a
     * run that holds no token, so the caller sets a limit.
     */
    readonly awaitToolsListed: (runId: RunId) => Effect.Effect<void>
    /** Runs that hold a token now; for invariants and for `doctor`. */
    readonly active: Effect.Effect<ReadonlyArray<Grant>>
  }
>()("symphony/mcp/RunGrants") {
  static readonly layer: Layer.Layer<RunGrants, never, SecureRandom.SecureRandom> = Layer.effect(
    RunGrants,
    Effect.gen(function* () {
      const random = yield* SecureRandom.SecureRandom
      const runs = new Map<RunId, HolderRun>()

      const hold = (held: Held): void => {
        const { runId } = held.grant
        const run = runs.get(runId) ?? {
          held: new Set<Held>(),
          listed: Latch.makeUnsafe()
        }
        run.held.add(held)
        runs.set(runId, run)
      }

      /** By the digest, in hexadecimal; the oldest first. */
      const ended = new Map<string, Grant>()
      const remember = ({ digest, grant }: Held): void => {
        const [oldest] = ended.keys()
        if (ended.size >= ENDED_TOKENS && oldest !== undefined) ended.delete(oldest)
        ended.set(Buffer.from(digest).toString("hex"), grant)
      }

      const drop = (held: Held): void => {
        const run = runs.get(held.grant.runId)
        if (run?.held.delete(held) !== true) return
        remember(held)
        if (run.held.size === 0) runs.delete(held.grant.runId)
      }

      const revoke = (runId: RunId): void => {
        for (const held of runs.get(runId)?.held ?? []) remember(held)
        runs.delete(runId)
      }

      const issue = Effect.fn("RunGrants.issue")(function* (grant: Grant) {
        const token = Base64Url.encode(yield* random.randomBytes(TOKEN_BYTES))
        const held: Held = { grant, digest: digestOf(token) }
        yield* Effect.acquireRelease(
          Effect.sync(() => hold(held)),
          () => Effect.sync(() => drop(held))
        )
        return Redacted.make(token, { label: `${grant.purpose} token of ${grant.runId}` })
      })

      /** Looks at every token, so that the time taken does not depend on which one matched. */
      const find = (token: string) =>
        Effect.sync(() => {
          const presented = digestOf(token)
          let found = Option.none<Grant>()
          for (const run of runs.values()) {
            for (const { digest, grant } of run.held) {
              if (timingSafeEqual(digest, presented)) found = Option.some(grant)
            }
          }
          return found
        })

      return RunGrants.of({
        issue,
        find,
        findEnded: (token) =>
          Effect.sync(() => Option.fromUndefinedOr(ended.get(Buffer.from(digestOf(token)).toString("hex")))),
        revoke: (runId) => Effect.sync(() => revoke(runId)),
        markToolsListed: (runId) => Effect.suspend(() => runs.get(runId)?.listed.open ?? Effect.void),
        awaitToolsListed: (runId) => Effect.suspend(() => runs.get(runId)?.listed.await ?? Effect.never),
        active: Effect.sync(() =>
          [...runs.values()].flatMap((run) => [...run.held].map((held) => held.grant))
        )
      })
    })
  )
}

import { createHash, timingSafeEqual } from "node:crypto"
import { Clock, Context, Effect, Layer, Redacted, Ref, Schema, Semaphore } from "effect"
import { SecureRandom } from "effect/crypto"
import { Base64Url } from "effect/encoding"
import { type FileError, SafeFiles } from "../files/SafeFiles.ts"
import { Workflow } from "../workflow/Workflow.ts"

/** Below `state.root`. */
export const TOKEN_FILE = "token"
const SESSIONS_FILE = "sessions.json"
const SECRET_BYTES = 32
const LONGEST_FILE = 64 * 1024
const KEPT_SESSIONS = 50
const SESSION_MS = 30 * 24 * 60 * 60 * 1000
const CODE_MS = 10 * 60 * 1000

export class OperatorTokenInvalid extends Schema.TaggedError<OperatorTokenInvalid>()("OperatorTokenInvalid", {
  path: Schema.String
}) {
  override get message(): string {
    return `${this.path}: this is not an operator token - remove the file, and a new one is made`
  }
}

const Session = Schema.Struct({
  /** SHA-256 of the cookie's value, hexadecimal. */
  digest: Schema.String.pipe(Schema.check(Schema.isPattern(/^[0-9a-f]{64}$/))),
  /** Epoch milliseconds. */
  until: Schema.Number
})
type Session = typeof Session.Type
const Sessions = Schema.fromJsonString(Schema.Array(Session))

const digestOf = (secret: string): Buffer => createHash("sha256").update(secret).digest()

/** Of digests, so that neither length nor content of what was presented shows in the time taken. */
const matches = (presented: string, digest: string): boolean =>
  timingSafeEqual(digestOf(presented), Buffer.from(digest, "hex"))

/**
 * Who may operate. One token, made at the first start and kept in `<state.root>/token`; a browser trades it,
 * or a one-time code printed on a terminal, for a session. Sessions outlive a restart; only their digests are
 * kept. With `server.auth: none` everybody who reaches the listener may.
 */
export class OperatorAuth extends Context.Service<
  OperatorAuth,
  {
    /** Absolute path of the token's file, for people. */
    readonly tokenPath: string
    /** For the command line, which talks to the listener of its own machine. */
    readonly token: Redacted.Redacted
    /** Told apart by token, so that two orchestrators on one machine do not overwrite each other's. */
    readonly cookieName: string
    readonly isOpen: Effect.Effect<boolean>
    readonly isToken: (presented: string) => boolean
    readonly isSession: (presented: string) => Effect.Effect<boolean>
    /** The value of a new session's cookie; valid for 30 days. */
    readonly startSession: Effect.Effect<Redacted.Redacted, FileError>
    readonly endSession: (presented: string) => Effect.Effect<void, FileError>
    /** A code for a sign-in link: works once, within ten minutes, in this process. */
    readonly issueCode: Effect.Effect<Redacted.Redacted>
    /** Whether the code was good; it is not any more. */
    readonly redeemCode: (presented: string) => Effect.Effect<boolean>
  }
>()("symphony/http/OperatorAuth") {
  static readonly layer: Layer.Layer<
    OperatorAuth,
    FileError | OperatorTokenInvalid,
    SafeFiles | SecureRandom.SecureRandom | Workflow
  > = Layer.effect(
    OperatorAuth,
    Effect.gen(function* () {
      const files = yield* SafeFiles
      const random = yield* SecureRandom.SecureRandom
      const workflow = yield* Workflow
      const { config } = yield* workflow.current
      const place = { root: config.state.root }
      const tokenPath = `${config.state.root}/${TOKEN_FILE}`
      const secret = Effect.map(random.randomBytes(SECRET_BYTES), Base64Url.encode)
      const oneAtATime = yield* Semaphore.make(1)

      const readToken = Effect.gen(function* () {
        const { text } = yield* files.readText(place, TOKEN_FILE, LONGEST_FILE)
        const token = text.trim()
        if (!/^[A-Za-z0-9_-]{43}$/.test(token)) return yield* new OperatorTokenInvalid({ path: tokenPath })
        return token
      })
      const makeToken = secret.pipe(
        Effect.flatMap((made) => files.createExclusive(place, TOKEN_FILE, `${made}\n`, { mode: 0o600 })),
        Effect.andThen(readToken)
      )
      const token = yield* readToken.pipe(
        Effect.catchTag("FileError", (error) => (error.reason === "missing" ? makeToken : Effect.fail(error)))
      )

      const readSessions = files.readText(place, SESSIONS_FILE, LONGEST_FILE).pipe(
        Effect.flatMap(({ text }) => Schema.decodeEffect(Sessions)(text)),
        Effect.catchTags({
          FileError: (error) =>
            error.reason === "missing" ? Effect.succeed<ReadonlyArray<Session>>([]) : Effect.fail(error),
          SchemaError: (error) =>
            Effect.as(
              Effect.logWarning("the list of sessions is damaged: everybody signs in anew", error),
              []
            )
        })
      )
      const sessions = yield* Ref.make(yield* readSessions)
      const codes = yield* Ref.make<ReadonlyArray<Session>>([])

      const update = (change: (sessions: ReadonlyArray<Session>, now: number) => ReadonlyArray<Session>) =>
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const next = change(yield* Ref.get(sessions), now).filter((session) => session.until > now)
          const text = yield* Effect.orDie(Schema.encodeEffect(Sessions)(next))
          yield* files.writeAtomic(place, SESSIONS_FILE, text, { mode: 0o600 })
          yield* Ref.set(sessions, next)
        }).pipe(oneAtATime.withPermit)

      const tokenDigest = digestOf(token).toString("hex")

      return OperatorAuth.of({
        tokenPath,
        token: Redacted.make(token, { label: "operator token" }),
        cookieName: `symphony-${tokenDigest.slice(0, 8)}`,
        isOpen: Effect.map(workflow.current, (definition) => definition.config.server.auth === "none"),
        isToken: (presented) => matches(presented, tokenDigest),
        isSession: (presented) =>
          Effect.gen(function* () {
            const now = yield* Clock.currentTimeMillis
            const kept = yield* Ref.get(sessions)
            return kept.some(({ digest, until }) => matches(presented, digest) && until > now)
          }),
        startSession: Effect.gen(function* () {
          const value = yield* secret
          yield* update((kept, now) => [
            ...kept.slice(1 - KEPT_SESSIONS),
            { digest: digestOf(value).toString("hex"), until: now + SESSION_MS }
          ])
          return Redacted.make(value, { label: "session" })
        }).pipe(Effect.withSpan("OperatorAuth.startSession")),
        endSession: Effect.fn("OperatorAuth.endSession")((presented: string) =>
          update((kept) => kept.filter(({ digest }) => !matches(presented, digest)))
        ),
        issueCode: Effect.gen(function* () {
          const code = yield* secret
          const now = yield* Clock.currentTimeMillis
          yield* Ref.update(codes, (issued) => [
            ...issued.filter(({ until }) => until > now),
            { digest: digestOf(code).toString("hex"), until: now + CODE_MS }
          ])
          return Redacted.make(code, { label: "sign-in code" })
        }),
        redeemCode: Effect.fn("OperatorAuth.redeemCode")(function* (presented: string) {
          const now = yield* Clock.currentTimeMillis
          return yield* Ref.modify(codes, (issued) => {
            const left = issued.filter(({ digest }) => !matches(presented, digest))
            const found = issued.find(({ digest }) => matches(presented, digest))
            return [found !== undefined && found.until > now, left]
          })
        })
      })
    })
  )
}

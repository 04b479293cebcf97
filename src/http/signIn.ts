import { Effect, Layer, Option, Redacted, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { failure } from "./failures.ts"
import { OperatorAuth } from "./OperatorAuth.ts"
import { signInPage } from "./signInPage.tsx"

const SESSION_DAYS = 30

/** A path of ours, so that signing in leads nowhere else. */
const localPath = (next: string): string => (/^\/(?![/\\])[^\s\\]*$/.test(next) ? next : "/")

const Code = Schema.Struct({ code: Schema.String })
const Form = Schema.Struct({ token: Schema.String, next: Schema.optional(Schema.String) })

const enter = Effect.fnUntraced(
  function* (auth: OperatorAuth["Service"], next: string) {
    const session = yield* auth.startSession
    return HttpServerResponse.setCookieUnsafe(
      HttpServerResponse.redirect(localPath(next), { status: 303 }),
      auth.cookieName,
      Redacted.value(session),
      { httpOnly: true, sameSite: "strict", path: "/", maxAge: `${SESSION_DAYS} days` }
    )
  },
  Effect.catchTag("FileError", (error) =>
    Effect.as(
      Effect.logError("a session could not be kept", error),
      failure(503, "unavailable", `Nobody can sign in: ${error.message}.`)
    )
  )
)

/** `/sign-in?code=…`, to be printed on a terminal: signs in once, within ten minutes. */
export const signInUrl = (origin: string) =>
  Effect.gen(function* () {
    const auth = yield* OperatorAuth
    return `${origin}/sign-in?code=${Redacted.value(yield* auth.issueCode)}`
  })

export const signInRoutes = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/sign-in",
    Effect.gen(function* () {
      const auth = yield* OperatorAuth
      const code = Option.map(
        yield* Effect.option(HttpServerRequest.schemaSearchParams(Code)),
        (query) => query.code
      )
      if (Option.isNone(code)) return signInPage({ tokenPath: auth.tokenPath, next: "/", wrong: false })
      return (yield* auth.redeemCode(code.value))
        ? yield* enter(auth, "/")
        : signInPage({ tokenPath: auth.tokenPath, next: "/", wrong: true })
    })
  ),
  HttpRouter.add(
    "POST",
    "/sign-in",
    Effect.gen(function* () {
      const auth = yield* OperatorAuth
      const { next = "/", token } = yield* HttpServerRequest.schemaBodyUrlParams(Form)
      return auth.isToken(token.trim())
        ? yield* enter(auth, next)
        : signInPage({ tokenPath: auth.tokenPath, next: localPath(next), wrong: true })
    }).pipe(
      Effect.catchTag("SchemaError", () =>
        Effect.succeed(failure(400, "bad_request", "The form has no token in it."))
      ),
      Effect.catchTag("HttpServerError", Effect.die)
    )
  ),
  HttpRouter.add(
    "POST",
    "/sign-out",
    Effect.gen(function* () {
      const auth = yield* OperatorAuth
      const request = yield* HttpServerRequest.HttpServerRequest
      yield* auth.endSession(request.cookies[auth.cookieName] ?? "")
      return HttpServerResponse.expireCookieUnsafe(
        HttpServerResponse.redirect("/", { status: 303 }),
        auth.cookieName,
        { path: "/" }
      )
    }).pipe(
      Effect.catchTag("FileError", (error) =>
        Effect.as(
          Effect.logError("a session could not be ended", error),
          failure(503, "unavailable", `The session could not be ended: ${error.message}.`)
        )
      )
    )
  )
)

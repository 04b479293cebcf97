import { Console, Effect, Stdio } from "effect"
import { HttpServer } from "effect/http"
import { OperatorAuth } from "../http/OperatorAuth.ts"
import { signInUrl } from "../http/signIn.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { TrackerLock } from "./lock.ts"

/** Where a browser of this machine finds what listens there: everywhere is here, too. */
export const originOf = (address: string, port: number): string => {
  const host = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`
}

/**
 * Tells where the dashboard is: a link that signs in once on a terminal; elsewhere, where output is kept and
 * read by others, the place of the token.
 */
export const greet = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  if (address._tag === "UnixPathAddress") return
  const stdio = yield* Stdio.Stdio
  const auth = yield* OperatorAuth
  const { config, path } = yield* (yield* Workflow).current
  const origin = originOf(String(address.address), address.port)
  yield* (yield* TrackerLock)
    .announce(origin)
    .pipe(Effect.catch((error) => Effect.logWarning("others cannot be told where this listens", error)))
  const signIn = (yield* auth.isOpen)
    ? "open to everybody who can reach it (server.auth: none)"
    : (yield* stdio.stdoutIsTerminal)
      ? `sign in once with ${yield* signInUrl(origin)}`
      : `the token to sign in with is in ${auth.tokenPath}`
  yield* Console.log(
    [
      `symphony works on ${config.tracker.root}`,
      `  workflow   ${path}`,
      `  dashboard  ${origin}/  ${signIn}`
    ].join("\n")
  )
})

import { Console, Effect, Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { SafeFiles } from "../files/SafeFiles.ts"
import { TOKEN_FILE } from "../http/OperatorAuth.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { readHolder } from "./lock.ts"

const LONGEST_TOKEN = 4096

/**
 * Has a running orchestrator, which may hold the issue for a handoff that failed, go on with it. Where none runs
 * there is nobody to tell: the next start asks again by itself.
 */
export const tellOrchestrator = Effect.fn("tellOrchestrator")(
  function* (identifier: string) {
    const { config } = yield* (yield* Workflow).current
    const files = yield* SafeFiles
    const holder = yield* readHolder(config.state.root)
    if (holder === null || holder.listener === null) return
    const { text } = yield* files.readText({ root: config.state.root }, TOKEN_FILE, LONGEST_TOKEN)
    const path = `/api/v1/issues/${encodeURIComponent(identifier)}/handoff`
    const request = HttpClientRequest.post(`${holder.listener}${path}`).pipe(
      HttpClientRequest.bearerToken(Redacted.make(text.trim()))
    )
    const { status } = yield* (yield* HttpClient.HttpClient).execute(request)
    if (status === 202) yield* Console.log("symphony, which waited for this, goes on")
  },
  Effect.provide(FetchHttpClient.layer),
  Effect.timeout("5 seconds"),
  Effect.catch((error) => Effect.logDebug("symphony was not told", error))
)

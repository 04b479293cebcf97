import * as http from "node:http"
import { Effect } from "effect"
import type { Endpoint } from "../../domain/Endpoint.ts"
import { SmolvmError } from "./SmolvmError.ts"

export interface Reply {
  readonly status: number
  readonly body: string
}

const MAX_BODY = 16 * 1024 * 1024
/** Nobody is there to answer: as opposed to somebody who answers badly. */
const DOWN = new Set(["ENOENT", "ECONNREFUSED", "EACCES", "ENOTFOUND", "ENOTSOCK"])

/** One request of the API, over a unix socket or TCP. Fetch cannot do the former. */
export const httpCall = (
  endpoint: Endpoint,
  operation: string,
  method: "GET" | "POST" | "DELETE",
  path: string,
  body: string | null
): Effect.Effect<Reply, SmolvmError> =>
  Effect.callback<Reply, SmolvmError>((resume) => {
    const broken = (error: Error) => {
      const code = "code" in error && typeof error.code === "string" ? error.code : error.message
      const reason = DOWN.has(code) ? "server_down" : "unanswered"
      resume(Effect.fail(new SmolvmError({ reason, operation, detail: `\`smolvm serve\`: ${code}` })))
    }
    const request = http.request(
      {
        ...(endpoint._tag === "Socket"
          ? { socketPath: endpoint.path, host: "localhost" }
          : { host: endpoint.host, port: endpoint.port }),
        method,
        path,
        agent: false,
        headers:
          body === null
            ? {}
            : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }
      },
      (response) => {
        const chunks: Array<Buffer> = []
        let size = 0
        response.on("data", (chunk: Buffer) => {
          size += chunk.length
          if (size > MAX_BODY) response.destroy(new Error("its answer is too long"))
          else chunks.push(chunk)
        })
        response.on("error", broken)
        response.on("end", () =>
          resume(
            Effect.succeed({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") })
          )
        )
      }
    )
    request.on("error", broken)
    request.end(body ?? undefined)
    return Effect.sync(() => void request.destroy())
  })

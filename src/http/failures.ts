import { HttpServerResponse } from "effect/http"
import type { Headers } from "effect/http"

/** Every error of the API: `{"error":{"code","message"}}`. */
export const failure = (
  status: number,
  code: string,
  message: string,
  headers?: Headers.Input
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(
    { error: { code, message } },
    headers === undefined ? { status } : { status, headers }
  )

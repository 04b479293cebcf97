import { Effect, Option } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { ModelProxy } from "./ModelProxy.ts"

const PATH = /^\/api\/v1\/issues\/([^/]+)\/model(\/[^?#]*)/

/** Below a listener's base URL: where the guest of an issue finds its model. */
export const modelPath = (identifier: string): string =>
  `/api/v1/issues/${encodeURIComponent(identifier)}/model`

/** Under the run's own placeholder; the operator's guard lets it pass. */
export const routes = HttpRouter.add(
  "*",
  "/api/v1/issues/:identifier/model/*",
  Effect.gen(function* () {
    const proxy = yield* ModelProxy
    const request = yield* HttpServerRequest.HttpServerRequest
    const [, encoded = "", path = "/"] = PATH.exec(request.url) ?? []
    const issue = Option.getOrElse(Option.liftThrowable(decodeURIComponent)(encoded), () => "")
    return yield* proxy.handle(request, issue, path)
  }).pipe(Effect.map(HttpServerResponse.setHeader("cache-control", "no-store")))
)

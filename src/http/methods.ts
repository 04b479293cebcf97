import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApi } from "effect/http-api"
import { Api } from "./api/Api.ts"
import { failure } from "./failures.ts"

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const

/** Answers 405 to every method that a path does not know, with those that it does. */
export const methodNotAllowed = (paths: ReadonlyMap<HttpRouter.PathInput, ReadonlySet<string>>) =>
  Layer.mergeAll(
    Layer.empty,
    ...[...paths].flatMap(([path, known]) =>
      METHODS.filter((method) => !known.has(method)).map((method) => {
        const allow = [...known].flatMap((name) => (name === "GET" ? ["GET", "HEAD"] : [name])).join(", ")
        return HttpRouter.add(
          method,
          path,
          Effect.succeed(failure(405, "method_not_allowed", `This address answers ${allow} only.`, { allow }))
        )
      })
    )
  )

const isPath = (path: string): path is `/${string}` => path.startsWith("/")

/** Paths of the API with their methods, as declared. */
export const apiMethods = (): ReadonlyMap<HttpRouter.PathInput, ReadonlySet<string>> => {
  const methods = new Map<HttpRouter.PathInput, Set<string>>()
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => {
      if (!isPath(endpoint.path)) return
      const known = methods.get(endpoint.path) ?? new Set()
      methods.set(endpoint.path, known.add(endpoint.method))
    }
  })
  return methods
}

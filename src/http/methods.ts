import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApi } from "effect/http-api"
import { Api } from "./api/Api.ts"
import { regions } from "./dashboard/partials.tsx"
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

const READ = new Set(["GET"])

/** Paths that only show something, beside the API's own. */
const SHOWN: ReadonlyArray<HttpRouter.PathInput> = [
  "/",
  "/healthz",
  "/metrics",
  "/issues/:identifier",
  "/api/v1/events",
  ...Object.keys(regions).map((name): HttpRouter.PathInput => `/api/v1/partials/${name}`)
]

/** Paths with their methods: those of the API as declared, and those that only show something. */
export const knownMethods = (): ReadonlyMap<HttpRouter.PathInput, ReadonlySet<string>> => {
  const methods = new Map<HttpRouter.PathInput, Set<string>>()
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => {
      if (!isPath(endpoint.path)) return
      const known = methods.get(endpoint.path) ?? new Set()
      methods.set(endpoint.path, known.add(endpoint.method))
    }
  })
  return new Map<HttpRouter.PathInput, ReadonlySet<string>>([
    ...SHOWN.map((path): [HttpRouter.PathInput, ReadonlySet<string>] => [path, READ]),
    ...methods
  ])
}

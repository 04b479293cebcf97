import type { Layer } from "effect"
import type { HttpRouter } from "effect/http"

/** An error that a route leaves unhandled would become a 500: here it becomes a type error. */
export const allHandled = <A, E, R>(
  routes: [HttpRouter.Request.Only<"Error", R>] extends [never] ? Layer.Layer<A, E, R> : "A route still fails"
): Layer.Layer<A, E, R> => routes as Layer.Layer<A, E, R>

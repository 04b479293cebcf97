import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { Board } from "../../board/Board.ts"
import { OperatorAuth } from "../OperatorAuth.ts"
import { Home } from "./home.tsx"
import { regions } from "./partials.tsx"
import { fragmentResponse, pageResponse } from "./render.ts"

const home = HttpRouter.add(
  "GET",
  "/",
  Effect.gen(function* () {
    const board = yield* Board
    const auth = yield* OperatorAuth
    return pageResponse(<Home board={yield* board.snapshot} open={yield* auth.isOpen} />)
  })
)

const partials = Object.entries(regions).map(([name, Region]) =>
  HttpRouter.add(
    "GET",
    `/api/v1/partials/${name}`,
    Effect.gen(function* () {
      const board = yield* Board
      return fragmentResponse(<Region board={yield* board.snapshot} />)
    })
  )
)

export const pageRoutes = Layer.mergeAll(home, ...partials)

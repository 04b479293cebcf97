import type { HttpServerResponse } from "effect/http"
import { Plain } from "./layout.tsx"
import { pageResponse } from "./render.ts"

/** Something went wrong, said on a page of its own. */
export const messagePage = (
  status: number,
  heading: string,
  message: string,
  back: string
): HttpServerResponse.HttpServerResponse =>
  pageResponse(
    <Plain title={`${heading} · symphony`}>
      <main id="main" class="page">
        <h1>{heading}</h1>
        <p>{message}</p>
        <p>
          <a href={back}>Back</a>
        </p>
      </main>
    </Plain>,
    status
  )

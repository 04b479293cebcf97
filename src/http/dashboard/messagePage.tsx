import type { HttpServerResponse } from "effect/http"
import { Document } from "./layout.tsx"
import { pageResponse } from "./render.ts"

/** Something went wrong, said on a page of its own. */
export const messagePage = (
  status: number,
  heading: string,
  message: string,
  back: string
): HttpServerResponse.HttpServerResponse =>
  pageResponse(
    <Document title={`${heading} · symphony`} live={false}>
      <main id="main" class="message">
        <h1>{heading}</h1>
        <p>{message}</p>
        <p>
          <a href={back}>Back</a>
        </p>
      </main>
    </Document>,
    status
  )

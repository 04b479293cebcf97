import type { ComponentChildren } from "preact"
import { assetUrl } from "./assets.ts"

const HTMX_CONFIG = JSON.stringify({
  allowEval: false,
  allowScriptTags: false,
  includeIndicatorStyles: false,
  selfRequestsOnly: true,
  historyCacheSize: 0
})

/** What every page has. `live`: it follows the stream of changes and says when that is cut. */
export const Document = ({
  children,
  live,
  title
}: {
  readonly title: string
  readonly live: boolean
  readonly children: ComponentChildren
}) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <meta name="htmx-config" content={HTMX_CONFIG} />
      <title>{title}</title>
      <link rel="icon" href={assetUrl("icon.svg")} />
      <link rel="stylesheet" href={assetUrl("dashboard.css")} />
      {live ? (
        <>
          <script src={assetUrl("htmx.js")} defer />
          <script src={assetUrl("idiomorph.js")} defer />
          <script src={assetUrl("dashboard.js")} defer />
        </>
      ) : null}
    </head>
    <body hx-ext="morph">
      {live ? (
        <>
          <a class="skip" href="#main">
            Skip to the content
          </a>
          <p id="stale" class="stale" role="alert" hidden>
            <span aria-hidden="true">▲ </span>
            <span id="stale-text">Not live.</span>
          </p>
        </>
      ) : null}
      {children}
    </body>
  </html>
)

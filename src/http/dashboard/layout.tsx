import type { ComponentChildren } from "preact"
import { clockTime } from "./format.ts"
import { assetUrl } from "./assets.ts"
import { KeysDialog } from "./keys.tsx"

const HTMX_CONFIG = JSON.stringify({
  allowEval: false,
  allowScriptTags: false,
  includeIndicatorStyles: false,
  selfRequestsOnly: true,
  historyCacheSize: 0
})

const SCRIPTS = ["htmx.js", "idiomorph.js", "live.js", "forms.js", "keys.js"] as const

type Script = (typeof SCRIPTS)[number] | "tail.js" | "review.js"

const Head = ({ scripts, title }: { readonly title: string; readonly scripts: ReadonlyArray<Script> }) => (
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <meta name="htmx-config" content={HTMX_CONFIG} />
    <title>{title}</title>
    <link rel="icon" href={assetUrl("icon.svg")} />
    <link rel="stylesheet" href={assetUrl("dashboard.css")} />
    {scripts.map((name) => (
      <script src={assetUrl(name)} defer />
    ))}
  </head>
)

/** A page on its own, without script. */
export const Plain = ({
  children,
  title
}: {
  readonly title: string
  readonly children: ComponentChildren
}) => (
  <html lang="en">
    <Head title={title} scripts={[]} />
    <body>{children}</body>
  </html>
)

/** A page that follows the stream of changes, and says when that is cut. `now`: epoch milliseconds. */
export const Document = ({
  children,
  now,
  scripts = [],
  title
}: {
  readonly title: string
  readonly now: number
  /** Beside those that every page has. */
  readonly scripts?: ReadonlyArray<Script>
  readonly children: ComponentChildren
}) => (
  <html lang="en">
    <Head title={title} scripts={[...SCRIPTS, ...scripts]} />
    <body hx-ext="morph" data-now={now}>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <p id="stale" class="stale" role="alert" hidden>
        <span aria-hidden="true">▲ </span>
        <span id="stale-text">Not live.</span>
      </p>
      <noscript>
        <p class="dim">as of {clockTime(now).slice(11)}</p>
      </noscript>
      {children}
      <p id="notice" role="status" />
      <KeysDialog />
    </body>
  </html>
)

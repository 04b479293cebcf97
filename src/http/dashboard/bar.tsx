import type { ComponentChildren } from "preact"
import { BarBadge } from "./pieces.tsx"
import type { RegionProps } from "./pieces.tsx"

/** The strip on top of every page but home: where one is, the way back, and who and what waits there. */
export const Bar = ({ board, children }: RegionProps & { readonly children?: ComponentChildren }) => (
  <header>
    <nav class="bar" aria-label="Where">
      <a class="brand" href="/">
        symphony
      </a>
      <span
        id="badge"
        hx-get="/api/v1/partials/badge"
        hx-trigger="refreshed from:body"
        hx-swap="morph:innerHTML"
      >
        <BarBadge board={board} />
      </span>
      <a href="/issues">issues</a>
      {children}
      <a class="help" href="/keys" aria-label="keys">
        <kbd>?</kbd>
      </a>
    </nav>
  </header>
)

import type { ComponentChildren } from "preact"

/** The strip on top of every page but home: where one is, and the way back. */
export const Bar = ({ children }: { readonly children?: ComponentChildren }) => (
  <header>
    <nav class="bar" aria-label="Where">
      <a class="brand" href="/">
        symphony
      </a>
      <a href="/issues">issues</a>
      {children}
    </nav>
  </header>
)

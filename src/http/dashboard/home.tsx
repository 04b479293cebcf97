import type { BoardSnapshot } from "../../board/Board.ts"
import { Document } from "./layout.tsx"
import { NewIssue } from "./newIssue.tsx"
import { regions } from "./partials.tsx"

const Region = ({ board, name }: { readonly board: BoardSnapshot; readonly name: keyof typeof regions }) => {
  const Content = regions[name]
  return (
    <div
      id={name}
      class={`region ${name}`}
      hx-get={`/api/v1/partials/${name}`}
      hx-trigger="refreshed from:body"
      hx-swap="morph:innerHTML"
    >
      <Content board={board} />
    </div>
  )
}

/** The one page an operator keeps open. */
export const Home = ({ board, open }: { readonly board: BoardSnapshot; readonly open: boolean }) => {
  const needing = board.issues.filter((issue) => issue.status === "needs you").length
  return (
    <Document title={needing === 0 ? "symphony" : `(${needing}) symphony`} now={board.generatedAt}>
      <header>
        <Region board={board} name="header" />
      </header>
      <main id="main">
        <h1 class="sr">symphony</h1>
        {open ? (
          <p class="error banner">
            server.auth is none: everybody who reaches this address may read and do everything here.
          </p>
        ) : null}
        <Region board={board} name="attention" />
        <Region board={board} name="sessions" />
        <Region board={board} name="disk" />
        <NewIssue board={board} />
      </main>
      <footer>
        <Region board={board} name="totals" />
        <nav aria-label="More">
          <a href="/issues">All issues</a> <a href="/api/v1/openapi.json">API</a>{" "}
          <a href="/keys">
            <kbd>?</kbd> keys
          </a>
          <form method="post" action="/sign-out">
            <button type="submit" class="link">
              Sign out
            </button>
          </form>
        </nav>
      </footer>
    </Document>
  )
}

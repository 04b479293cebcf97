import type { BoardSnapshot } from "../../board/Board.ts"
import { Bar } from "./bar.tsx"
import { KeysTable } from "./keys.tsx"
import { Document } from "./layout.tsx"

/** What `?` lists on each page, all in one and without script. */
export const KeysPage = ({ board }: { readonly board: BoardSnapshot }) => (
  <Document title="Keys · symphony" now={board.generatedAt}>
    <Bar board={board} />
    <main id="main" class="page">
      <h1>Keys</h1>
      <p>
        <kbd>?</kbd> lists those of the page one is on. A key that is about an issue goes for the row or the
        card one is at, or for the only one there is. Everything can be reached with <kbd>Tab</kbd>, too.
      </p>
      <KeysTable />
    </main>
  </Document>
)

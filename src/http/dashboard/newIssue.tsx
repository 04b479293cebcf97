import type { BoardSnapshot } from "../../board/Board.ts"

/** Collapsed while there is something to look at. Posts JSON with script, a form without. */
export const NewIssue = ({ board }: { readonly board: BoardSnapshot }) => (
  <details id="new-issue" class="new-issue" open={board.issues.length === 0}>
    <summary>New issue</summary>
    <form method="post" action="/issues" data-json="/api/v1/issues" class="stack">
      <label for="new-title">Title</label>
      <input id="new-title" name="title" required maxlength={200} autocomplete="off" />
      <label for="new-description">Description</label>
      <textarea id="new-description" name="description" rows={4} />
      <div class="fields">
        <div>
          <label for="new-state">State</label>
          <select id="new-state" name="state">
            {board.states
              .filter((state) => state.role !== "terminal")
              .map((state) => (
                <option value={state.name}>{state.name}</option>
              ))}
          </select>
        </div>
        <div>
          <label for="new-priority">Priority</label>
          <input id="new-priority" name="priority" type="number" step={1} data-type="integer" />
        </div>
        <div>
          <label for="new-labels">Labels, by comma</label>
          <input id="new-labels" name="labels" autocomplete="off" data-type="list" />
        </div>
        <div>
          <label for="new-identifier">Identifier (numbered when empty)</label>
          <input id="new-identifier" name="identifier" autocomplete="off" />
        </div>
      </div>
      <button type="submit" class="primary">
        File it
      </button>
    </form>
  </details>
)

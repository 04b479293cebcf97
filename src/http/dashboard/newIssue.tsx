import type { ComponentChildren } from "preact"
import type { BoardSnapshot } from "../../board/Board.ts"
import { areaText, FieldProblem, refusedField } from "./pieces.tsx"

/** What was typed into the form, by field, and why it was refused. */
export interface RefusedIssue {
  readonly typed: Readonly<Record<string, string | undefined>>
  readonly message: string
  /** The field at fault; undefined where it is none of them. */
  readonly field: string | undefined
}

const FIELDS = ["title", "description", "state", "priority", "labels", "identifier"] as const
type Field = (typeof FIELDS)[number]

const isField = (name: string | undefined): name is Field => FIELDS.some((field) => field === name)

const Labelled = ({
  children,
  label,
  name,
  problem
}: {
  readonly name: Field
  readonly label: string
  readonly problem: string | null
  readonly children: ComponentChildren
}) => (
  <div>
    <label for={`new-${name}`}>{label}</label>
    {children}
    <FieldProblem of={`new-${name}`} problem={problem} />
  </div>
)

/** Posts JSON with script, a form without. `refused`: again, with all that was typed. */
export const NewIssueForm = ({
  board,
  refused = null
}: {
  readonly board: BoardSnapshot
  readonly refused?: RefusedIssue | null
}) => {
  const problemOf = (name: Field): string | null => (refused?.field === name ? refused.message : null)
  const field = (name: Field) => ({
    id: `new-${name}`,
    name,
    ...refusedField(`new-${name}`, problemOf(name))
  })
  const typed = (name: Field): string => refused?.typed[name] ?? ""
  return (
    <form method="post" action="/issues" data-json="/api/v1/issues" class="stack">
      {refused === null || isField(refused.field) ? null : (
        <p class="error banner" role="alert">
          {refused.message}
        </p>
      )}
      <Labelled name="title" label="Title" problem={problemOf("title")}>
        <input {...field("title")} required autocomplete="off" value={typed("title")} />
      </Labelled>
      <Labelled name="description" label="Description" problem={problemOf("description")}>
        <textarea {...field("description")} rows={4} value={areaText(typed("description"))} />
      </Labelled>
      <div class="fields">
        <Labelled name="state" label="State" problem={problemOf("state")}>
          <select {...field("state")}>
            {board.states
              .filter((state) => state.role !== "terminal")
              .map((state) => (
                <option value={state.name} selected={state.name === typed("state")}>
                  {state.name}
                </option>
              ))}
          </select>
        </Labelled>
        <Labelled name="priority" label="Priority" problem={problemOf("priority")}>
          <input
            {...field("priority")}
            inputmode="numeric"
            pattern="-?[0-9]{1,9}"
            title="a whole number"
            autocomplete="off"
            data-type="integer"
            value={typed("priority")}
          />
        </Labelled>
        <Labelled name="labels" label="Labels, by comma" problem={problemOf("labels")}>
          <input {...field("labels")} autocomplete="off" data-type="list" value={typed("labels")} />
        </Labelled>
        <Labelled name="identifier" label="Identifier" problem={problemOf("identifier")}>
          <input
            {...field("identifier")}
            autocomplete="off"
            placeholder="the next number"
            value={typed("identifier")}
          />
        </Labelled>
      </div>
      <button type="submit" class="primary">
        File it
      </button>
    </form>
  )
}

/** Collapsed while there is something to look at. */
export const NewIssue = ({ board }: { readonly board: BoardSnapshot }) => (
  <details id="new-issue" class="new-issue" open={board.issues.length === 0}>
    <summary>New issue</summary>
    <NewIssueForm board={board} />
  </details>
)

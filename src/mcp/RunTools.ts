import { Context, type Effect } from "effect"
import type { Grant } from "./RunGrants.ts"

export interface ToolResult {
  readonly text: string
  readonly isError: boolean
}

export interface ToolDescription {
  readonly name: string
  readonly title: string
  readonly description: string
  /** JSON Schema of the arguments, derived from the schema that decodes them. */
  readonly inputSchema: Readonly<Record<string, unknown>>
}

/**
 * The tools of a run, apart from any wire format. Bad arguments, refusals and floods are results with
 * `isError`, so that the agent can mend them.
 */
export class RunTools extends Context.Service<
  RunTools,
  {
    readonly list: (grant: Grant) => Effect.Effect<ReadonlyArray<ToolDescription>>
    readonly call: (grant: Grant, name: string, args: unknown) => Effect.Effect<ToolResult>
  }
>()("symphony/mcp/RunTools") {}

/** What a tool answers its agent with. `isError`: the agent can mend it and call again. */
export interface ToolResult {
  readonly text: string
  readonly isError: boolean
}

export const accepted = (text: string): ToolResult => ({ text, isError: false })
export const refused = (text: string): ToolResult => ({ text, isError: true })

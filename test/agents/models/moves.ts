/** What a scripted model does with one request. */
export type Move =
  | { readonly _tag: "Say"; readonly text: string }
  /** Calls the agent's own shell tool. */
  | { readonly _tag: "Shell"; readonly command: string }
  /** Calls one of symphony's tools. */
  | { readonly _tag: "Tool"; readonly name: string; readonly args: Readonly<Record<string, unknown>> }
  | {
      readonly _tag: "Refuse"
      readonly status: number
      readonly message: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** Begins to answer and cuts the connection. */
  | { readonly _tag: "Drop" }
  /** Begins to answer and says no more. */
  | { readonly _tag: "Hang" }

export const say = (text: string): Move => ({ _tag: "Say", text })
export const shell = (command: string): Move => ({ _tag: "Shell", command })
export const tool = (name: string, args: Readonly<Record<string, unknown>>): Move => ({
  _tag: "Tool",
  name,
  args
})
export const refuse = (
  status: number,
  message: string,
  headers?: Readonly<Record<string, string>>
): Move => ({
  _tag: "Refuse",
  status,
  message,
  ...(headers === undefined ? {} : { headers })
})

/** The usage that every finished request of a scripted model reports. */
export const USAGE = { input: 1200, output: 30 } as const

/** A move as one protocol writes it. */
export type Answer =
  | { readonly _tag: "Text"; readonly text: string }
  | {
      readonly _tag: "Call"
      readonly id: string
      readonly name: string
      readonly namespace: string | null
      readonly args: Readonly<Record<string, unknown>>
      /** The call as a program, for a tool that takes one; else null. */
      readonly program: string | null
    }

export interface OfferedTool {
  readonly name: string
  readonly namespace: string | null
}

const SHELLS: Readonly<Record<string, (command: string) => Readonly<Record<string, unknown>>>> = {
  Bash: (command) => ({ command, description: "Do the work" }),
  bash: (command) => ({ command, description: "Do the work" }),
  shell_command: (command) => ({ command }),
  exec_command: (cmd) => ({ cmd }),
  shell: (command) => ({ command: ["bash", "-lc", command] })
}

let calls = 0

/** What `move` means to an agent that offers these tools; null when it lacks the tool. */
export const answerFor = (
  move: Extract<Move, { _tag: "Say" | "Shell" | "Tool" }>,
  offered: ReadonlyArray<OfferedTool>
): Answer | null => {
  if (move._tag === "Say") return { _tag: "Text", text: move.text }
  calls += 1
  const id = `call_${calls}`
  const exec = offered.find((it) => it.name === "exec")
  if (exec !== undefined) {
    const [name, args] =
      move._tag === "Shell"
        ? ["exec_command", { cmd: move.command }]
        : [`mcp__symphony__${move.name}`, move.args]
    return { _tag: "Call", id, ...exec, args, program: `text(await tools.${name}(${JSON.stringify(args)}))` }
  }
  const found =
    move._tag === "Shell"
      ? offered.find((it) => it.name in SHELLS)
      : offered.find((it) => it.name === move.name || it.name.endsWith(`_${move.name}`))
  if (found === undefined) return null
  const args = move._tag === "Tool" ? move.args : (SHELLS[found.name]?.(move.command) ?? {})
  return { _tag: "Call", id, name: found.name, namespace: found.namespace, args, program: null }
}

import { type PlatformError, Runtime, Schema } from "effect"

/** The end of a command, told to a person. 1: failed. 2: bad usage or configuration. 3: the tracker is held. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  exitCode: Schema.Literals([1, 2, 3]),
  /** Complete lines for stderr. */
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = this.exitCode
}

export const failWith = (exitCode: CommandFailed["exitCode"], message: string): CommandFailed =>
  new CommandFailed({ exitCode, message })

/** Something that keeps symphony from working, and what to do about it. */
export interface Trouble {
  readonly what: string
  readonly todo: string | null
}

/** What the system said, without its codes: "permission denied" of "EACCES: permission denied, mkdir '/x'". */
export const inWords = ({ reason }: PlatformError.PlatformError): string => {
  const said = reason.cause instanceof Error ? /^[A-Z]+: ([^,]+),/.exec(reason.cause.message)?.[1] : undefined
  return said ?? reason._tag
}

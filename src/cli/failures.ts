import { Runtime, Schema } from "effect"

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

import type { PlatformError } from "effect"
import { printableLine } from "../domain/printable.ts"
import type { FileError } from "../files/SafeFiles.ts"
import type { CommandError } from "./command.ts"
import { HandoffError } from "./Handoff.ts"

const failure =
  (reason: HandoffError["reason"]) =>
  (code: string, detail: string, hint: string | null = null): HandoffError =>
    new HandoffError({ reason, code, detail, hint })

/** The operator's repository, branch or setting is not as needed. */
export const sourceFailure = failure("source")
/** The agent's repository is refused. */
export const hostile = failure("hostile")
/** The work is not what it must be; the agent may mend it. */
export const unverified = failure("unverified")
export const pushFailure = failure("push")
export const forgeFailure = failure("forge")
export const ioFailure = failure("io")

/** For git on what is ours or the operator's: it should have worked. */
export const gitBroke =
  (doing: string) =>
  (error: CommandError): HandoffError =>
    error.reason === "spawn"
      ? sourceFailure(
          "no_git",
          `git cannot be started: ${error.detail}`,
          "install git and put it on the PATH"
        )
      : ioFailure("git", `${doing} failed: ${error.detail}`)

const OUT_OF_MEMORY = /out of memory|memory exhausted|attempting to allocate|cannot allocate/i

/** Whether git stopped at the memory that it is given. */
export const ranOutOfMemory = (error: CommandError): boolean => OUT_OF_MEMORY.test(error.detail)

/** For git on what an agent made: also where it fails, it is the work that is more than we can take. */
export const workBroke =
  (doing: string) =>
  (error: CommandError): HandoffError => {
    const hint = "commit less: take what was generated or downloaded out of the commits"
    if (error.reason === "timeout") return unverified("timeout", `${doing} took too long`, hint)
    if (error.reason === "too_large") {
      return unverified("too_large", `${doing}: it is ${error.detail}`, hint)
    }
    return ranOutOfMemory(error)
      ? unverified("too_large", `${doing} takes more memory than there is for it`, hint)
      : gitBroke(doing)(error)
  }

/** For our own files. */
export const fileBroke = (error: FileError | PlatformError.PlatformError): HandoffError =>
  ioFailure("files", printableLine(error.message))

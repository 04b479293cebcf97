import type { PlatformError } from "effect"

const CODES = new Set(["EAGAIN", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC"])

/** Whether a process was not started because the machine has no memory, processes, open files or space left. */
export const isExhausted = ({ reason }: PlatformError.PlatformError): boolean => {
  const { cause } = reason
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" && CODES.has(cause.code)
}

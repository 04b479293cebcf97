import { Result } from "effect"
import { FileError, type FileStat, type Place } from "./SafeFiles.ts"

export type Operation = FileError["operation"]
export type Reason = FileError["reason"]

const DETAILS: Record<Reason, string> = {
  missing: "it does not exist",
  exists: "it exists already",
  link: "it is, or lies behind, a symbolic link, and links are not followed",
  kind: "it is not a regular file or folder",
  changed: "somebody has just changed it",
  too_large: "it is too large",
  outside: "the path leaves its root",
  denied: "permission denied",
  full: "no space left",
  descriptors: "too many files are open",
  io: "input/output error"
}

export const fileError = (
  operation: Operation,
  place: Place,
  path: string,
  reason: Reason,
  detail = DETAILS[reason]
): FileError =>
  new FileError({ operation, path: path === "" ? place.root : `${place.root}/${path}`, reason, detail })

/** Whether both are of one file that nobody has written to in between. */
export const sameFile = (left: FileStat, right: FileStat | null): boolean =>
  left.inode === right?.inode && left.modifiedAt === right.modifiedAt && left.size === right.size

/** The names on the way from the root, outermost first; none for the root itself. */
export const namesOf = (
  operation: Operation,
  place: Place,
  path: string
): Result.Result<ReadonlyArray<string>, FileError> => {
  if (path === "" || path === ".") return Result.succeed([])
  const names = path.split("/")
  const plain = names.every((name) => name !== "" && name !== "." && name !== ".." && !name.includes("\0"))
  return plain ? Result.succeed(names) : Result.fail(fileError(operation, place, path, "outside"))
}

/** UTF-16 writes the characters beyond U+FFFF with units below U+E000; in UTF-8 they come last. */
const rankOf = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** Byte order of UTF-8, the same on every machine. */
export const byteOrder = (left: string, right: string): number => {
  const shorter = Math.min(left.length, right.length)
  for (let index = 0; index < shorter; index++) {
    const [one, other] = [left.charCodeAt(index), right.charCodeAt(index)]
    if (one !== other) return rankOf(one) - rankOf(other)
  }
  return left.length - right.length
}

/** Name of the file that becomes another; hidden, so that no reader of folders takes it for content. */
export const temporaryName = (random: number): string =>
  `.symphony-${Math.floor(random * 2 ** 48)
    .toString(16)
    .padStart(12, "0")}.tmp`

export const isTemporaryName = (name: string): boolean => /^\.symphony-[0-9a-f]{12}\.tmp$/.test(name)

import { Effect } from "effect"
import type { CommandError } from "./command.ts"
import type { Git } from "./Git.ts"

/** One commit, as far as a patch series has to preserve it. */
export interface Commit {
  readonly id: string
  readonly tree: string
  readonly parents: ReadonlyArray<string>
  readonly author: Person
  readonly committer: Person
  /** As UTF-8; U+FFFD where it is none. */
  readonly message: string
}

export interface Person {
  readonly name: string
  readonly email: string
  /** Seconds and offset: `1767315845 +0200`. */
  readonly date: string
}

const FORMAT = ["%H", "%T", "%P", "%an", "%ae", "%ad", "%cn", "%ce", "%cd", "%B"].join("%x00")

/** Oldest first, parents before children. */
export const readHistory = Effect.fn("readHistory")(function* (
  git: Git["Service"],
  gitDir: string,
  base: string,
  head: string
): Effect.fn.Return<ReadonlyArray<Commit>, CommandError> {
  const output = yield* git.run(
    [
      "-c",
      "i18n.logOutputEncoding=UTF-8",
      "log",
      "--topo-order",
      "--reverse",
      "--no-show-signature",
      "--no-mailmap",
      "--no-notes",
      "--date=raw",
      `--format=tformat:${FORMAT}%x00%x00`,
      "--end-of-options",
      `${base}..${head}`,
      "--"
    ],
    { cwd: gitDir }
  )
  return Buffer.from(output)
    .toString("utf8")
    .split("\0\0\n")
    .slice(0, -1)
    .map((record) => {
      const fields = record.split("\0")
      const field = (index: number): string => fields[index] ?? ""
      return {
        id: field(0),
        tree: field(1),
        parents: field(2)
          .split(" ")
          .filter((parent) => parent !== ""),
        author: { name: field(3), email: field(4), date: field(5) },
        committer: { name: field(6), email: field(7), date: field(8) },
        message: fields.slice(9).join("\0")
      }
    })
})

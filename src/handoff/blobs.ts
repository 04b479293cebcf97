import { Effect } from "effect"
import type { CommandError } from "./command.ts"
import type { Git } from "./Git.ts"

const HEADER = /^([0-9a-f]{40}) blob (\d+)$/

/** The contents of blobs by their id, read by one process; those that are larger are not among them. */
export const readBlobs = Effect.fn("readBlobs")(function* (
  git: Git["Service"],
  gitDir: string,
  ids: ReadonlyArray<string>,
  largest: number
): Effect.fn.Return<ReadonlyMap<string, Buffer>, CommandError> {
  const contents = new Map<string, Buffer>()
  const asked = (wanted: Iterable<string>) => ({
    cwd: gitDir,
    stdin: [...wanted].map((id) => `${id}\n`).join("")
  })
  const unique = new Set(ids)
  if (unique.size === 0) return contents
  const sizes = yield* git.text(["cat-file", "--batch-check"], asked(unique))
  const small = sizes
    .split("\n")
    .map((line) => HEADER.exec(line) ?? [])
    .flatMap(([, id, size]) => (id !== undefined && Number(size) <= largest ? [id] : []))
  if (small.length === 0) return contents
  const output = Buffer.from(yield* git.run(["cat-file", "--batch"], asked(small)))
  let at = 0
  while (at < output.length) {
    const end = output.indexOf("\n", at)
    const [, id, size] = HEADER.exec(output.subarray(at, end).toString("latin1")) ?? []
    if (end === -1 || id === undefined) break
    contents.set(id, output.subarray(end + 1, end + 1 + Number(size)))
    at = end + 1 + Number(size) + 1
  }
  return contents
})

import { Effect } from "effect"
import { readBlobs } from "./blobs.ts"
import type { CommandError } from "./command.ts"
import type { Git } from "./Git.ts"

/** What stands in a commit for a file that Git LFS keeps elsewhere. */
export interface LfsPointer {
  /** SHA-256 of the content, in hex. */
  readonly content: string
  /** Of the content, in bytes. */
  readonly size: number
}

const SMALLEST = 100
const LARGEST = 200
const POINTER =
  /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (\d{1,15})\n$/

/** Those of the blobs that are pointers, by their id. Only blobs of a pointer's size are read. */
export const readLfsPointers = Effect.fn("readLfsPointers")(function* (
  git: Git["Service"],
  gitDir: string,
  blobs: ReadonlyArray<{ readonly oid: string; readonly size: number }>
): Effect.fn.Return<ReadonlyMap<string, LfsPointer>, CommandError> {
  const candidates = blobs.filter(({ size }) => size >= SMALLEST && size <= LARGEST)
  const pointers = new Map<string, LfsPointer>()
  if (candidates.length === 0) return pointers
  const contents = yield* readBlobs(
    git,
    gitDir,
    candidates.map(({ oid }) => oid),
    LARGEST
  )
  for (const [oid, bytes] of contents) {
    const [, content, size] = POINTER.exec(bytes.toString("latin1")) ?? []
    if (content !== undefined) pointers.set(oid, { content, size: Number(size) })
  }
  return pointers
})

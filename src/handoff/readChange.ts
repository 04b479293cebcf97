import { Effect } from "effect"
import { printableLine } from "../domain/printable.ts"
import { gitBroke } from "./failures.ts"
import { Git } from "./Git.ts"
import type { Change, Exported } from "./Handoff.ts"
import { type Commit, readHistory } from "./history.ts"

const LARGEST_PATCH = 4 * 1024 * 1024
/** Git knows this tree in every repository: what a commit without parents started from. */
const NO_FILES = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

/** Null when it is too large to show. */
const readPatch = Effect.fnUntraced(function* (gitDir: string, from: string, to: string) {
  const git = yield* Git
  return yield* git
    .run(
      [
        "diff-tree",
        "-r",
        "-p",
        "--no-color",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        "--ignore-submodules=none",
        from,
        to
      ],
      { cwd: gitDir, maxOutput: LARGEST_PATCH }
    )
    .pipe(
      Effect.map((bytes) => Buffer.from(bytes).toString("utf8")),
      Effect.catchTag("CommandError", (error) =>
        error.reason === "too_large"
          ? Effect.succeed(null)
          : Effect.fail(gitBroke("reading the change")(error))
      )
    )
})

const listed = ({ author, id, message }: Commit): Change["commits"][number] => ({
  id,
  subject: printableLine(message.split("\n", 1)[0] ?? "", 120),
  author: printableLine(author.name, 80)
})

/**
 * The change from base to head, for people: as a whole or one of its commits, a merge against its first parent.
 * `wanted` reaches git only where it is the id of one of them.
 */
export const readChange = Effect.fn("readChange")(function* (
  gitDir: string,
  { base, head }: Pick<Exported, "base" | "head">,
  wanted: string | null
) {
  if (head === null) return { commits: [], commit: null, patch: "" } satisfies Change
  const history = yield* readHistory(yield* Git, gitDir, base, head).pipe(
    Effect.mapError(gitBroke("reading the history"))
  )
  const one = history.find(({ id }) => id === wanted)
  const patch =
    one === undefined
      ? yield* readPatch(gitDir, base, head)
      : yield* readPatch(gitDir, one.parents[0] ?? NO_FILES, one.id)
  return { commits: history.map(listed), commit: one?.id ?? null, patch } satisfies Change
})

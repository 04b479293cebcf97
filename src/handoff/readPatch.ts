import { Effect } from "effect"
import { gitBroke } from "./failures.ts"
import { Git } from "./Git.ts"
import type { Exported } from "./Handoff.ts"

const LARGEST_PATCH = 4 * 1024 * 1024

/** The change as a whole, for people; null when it is too large to show. */
export const readPatch = Effect.fnUntraced(function* (
  gitDir: string,
  { base, head }: Pick<Exported, "base" | "head">
) {
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
        base,
        head ?? base
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

import { Effect, type FileSystem } from "effect"
import { type FileError, SafeFiles } from "../files/SafeFiles.ts"
import type { WorkflowConfig } from "../workflow/WorkflowConfig.ts"
import { WorkspaceError } from "./Workspaces.ts"

/** In the workspace root; its first line is the real path of the tracker that the root belongs to. */
export const OWNER_FILE = ".symphony-owner"
const OWNER_BYTES = 16 * 1024

const NOTE =
  "The workspaces in this folder belong to the tracker named above. Delete it with the folder only.\n"

/**
 * Makes the root where it is missing and marks it; refuses one that belongs to another tracker or holds
 * something without saying whose. Answers its real path.
 */
export const claimRoot = Effect.fnUntraced(function* (
  files: SafeFiles["Service"],
  fs: FileSystem.FileSystem,
  config: WorkflowConfig
) {
  const { root } = config.workspace
  const place = { root }
  const tracker = yield* Effect.mapError(fs.realPath(config.tracker.root), (error) =>
    problem("io", config.tracker.root, `the tracker's folder cannot be found: ${error.reason._tag}`)
  )

  const readOwner = Effect.map(
    files.readText(place, OWNER_FILE, OWNER_BYTES),
    ({ text }) => text.split("\n", 1)[0]?.trim() ?? ""
  )

  const mark = Effect.gen(function* () {
    const entries = yield* Effect.orElseSucceed(files.list(place, ""), () => [])
    if (entries.some((entry) => !entry.name.startsWith("."))) {
      return yield* problem(
        "not_empty",
        root,
        "holds files and no owner marker; set `workspace.root` to an empty folder or, if these are workspaces " +
          `of ${tracker}, write that path into ${root}/${OWNER_FILE}`
      )
    }
    yield* files.createExclusive(place, OWNER_FILE, `${tracker}\n${NOTE}`)
    return tracker
  }).pipe(
    // Two at once: whoever came first has written it.
    Effect.catchIf(
      (error) => error._tag === "FileError" && error.reason === "exists",
      () => readOwner
    )
  )

  const owner = yield* readOwner.pipe(
    Effect.catchIf(
      (error) => error.reason === "missing",
      () => mark
    ),
    Effect.mapError((error) => (error._tag === "FileError" ? ofFile(error) : error))
  )
  if (owner !== tracker) {
    return yield* problem(
      "foreign_root",
      root,
      `belongs to the tracker ${owner}, not to ${tracker}; set \`workspace.root\` to a folder of its own`
    )
  }
  return yield* Effect.mapError(fs.realPath(root), (error) => problem("io", root, error.reason._tag))
})

export const problem = (reason: WorkspaceError["reason"], path: string, detail: string) =>
  new WorkspaceError({ reason, path, detail })

export const ofFile = (error: FileError): WorkspaceError => {
  const reason = error.reason === "link" ? "symlink" : error.reason === "outside" ? "outside_root" : "io"
  return problem(reason, error.path, error.detail)
}

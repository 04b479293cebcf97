import { Effect, type FileSystem } from "effect"
import { type FileError, SafeFiles } from "../files/SafeFiles.ts"
import type { WorkflowConfig } from "../workflow/WorkflowConfig.ts"
import { WorkspaceError } from "./Workspaces.ts"

/** In the workspace root; its first line is the real path of the tracker that the root belongs to. */
export const OWNER_FILE = ".symphony-owner"
const OWNER_BYTES = 16 * 1024

const NOTE =
  "The workspaces in this folder belong to the tracker named above. Delete it with the folder only.\n"

const ownerOf = (files: SafeFiles["Service"], root: string) =>
  files.readText({ root }, OWNER_FILE, OWNER_BYTES).pipe(
    Effect.map(({ text }): string | null => text.split("\n", 1)[0]?.trim() ?? ""),
    Effect.catchIf(
      (error) => error.reason === "missing",
      () => Effect.succeed(null)
    )
  )

const trackerOf = (fs: FileSystem.FileSystem, { tracker }: WorkflowConfig) =>
  Effect.mapError(fs.realPath(tracker.root), (error) =>
    problem("io", tracker.root, `the tracker's folder cannot be found: ${error.reason._tag}`)
  )

/** Fails when the root is another tracker's or, without saying whose it is, holds something. Answers whether it is marked. */
const inspect = Effect.fnUntraced(function* (files: SafeFiles["Service"], root: string, tracker: string) {
  const owner = yield* Effect.mapError(ownerOf(files, root), ofFile)
  if (owner !== null && owner !== tracker) {
    return yield* problem(
      "foreign_root",
      root,
      `belongs to the tracker ${owner}, not to ${tracker}; set \`workspace.root\` to a folder of its own`
    )
  }
  if (owner !== null) return true
  const entries = yield* Effect.orElseSucceed(files.list({ root }, ""), () => [])
  if (entries.some((entry) => !entry.name.startsWith("."))) {
    return yield* problem(
      "not_empty",
      root,
      "holds files and no owner marker; set `workspace.root` to an empty folder or, if these are workspaces " +
        `of ${tracker}, write that path into ${root}/${OWNER_FILE}`
    )
  }
  return false
})

/** Whether `claimRoot` would succeed; changes nothing. */
export const checkRoot = Effect.fnUntraced(function* (
  files: SafeFiles["Service"],
  fs: FileSystem.FileSystem,
  config: WorkflowConfig
) {
  // A tracker that is not there is for others to tell.
  const tracker = yield* Effect.orElseSucceed(fs.realPath(config.tracker.root), () => config.tracker.root)
  yield* inspect(files, config.workspace.root, tracker)
})

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
  const tracker = yield* trackerOf(fs, config)
  if (!(yield* inspect(files, root, tracker))) {
    yield* files.createExclusive({ root }, OWNER_FILE, `${tracker}\n${NOTE}`).pipe(
      // Two at once: whoever came first has written it.
      Effect.catchIf(
        (error) => error.reason === "exists",
        () => Effect.void
      ),
      Effect.mapError(ofFile)
    )
    yield* inspect(files, root, tracker)
  }
  return yield* Effect.mapError(fs.realPath(root), (error) => problem("io", root, error.reason._tag))
})

export const problem = (reason: WorkspaceError["reason"], path: string, detail: string) =>
  new WorkspaceError({ reason, path, detail })

const WORKSPACE_REASONS: Partial<Record<FileError["reason"], WorkspaceError["reason"]>> = {
  link: "symlink",
  outside: "outside_root",
  full: "exhausted",
  descriptors: "exhausted"
}

export const ofFile = (error: FileError): WorkspaceError => {
  return problem(WORKSPACE_REASONS[error.reason] ?? "io", error.path, error.detail)
}

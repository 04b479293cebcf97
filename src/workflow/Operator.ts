import { dirname, join, resolve } from "node:path"
import { Config, Context, Layer, Option } from "effect"
import type { WorkflowConfig, WorkflowDefinition } from "./WorkflowConfig.ts"

const optional = (name: string) =>
  Config.String(name).pipe(
    Config.option,
    Config.map((value) => (Option.isSome(value) && value.value.trim() !== "" ? value.value.trim() : null))
  )

/**
 * Where the operator's environment says that work comes from and goes to. Blank is not set. Read here and
 * nowhere else, so that symphony, its handoff and its hooks go by one reading.
 */
export class Operator extends Context.Service<
  Operator,
  {
    /** `owner/name` on GitHub, or the path or `file://` address of a repository; null without a forge. */
    readonly repository: string | null
    readonly baseBranch: string
    /** As set; see `placesOf`. */
    readonly sourceRepository: string | null
    readonly trackerRoot: string | null
    readonly patchesFolder: string | null
  }
>()("symphony/workflow/Operator") {
  /** For a project that is nobody's: whatever is exported is about another one. */
  static readonly nothingSet: Operator["Service"] = {
    repository: null,
    baseBranch: "main",
    sourceRepository: null,
    trackerRoot: null,
    patchesFolder: null
  }

  static readonly layerNothingSet = Layer.succeed(Operator, Operator.nothingSet)

  static readonly layer = Layer.effect(
    Operator,
    Config.all({
      repository: optional("SYMPHONY_REPO"),
      baseBranch: optional("SYMPHONY_BASE_BRANCH").pipe(
        Config.map((value) => value ?? Operator.nothingSet.baseBranch)
      ),
      sourceRepository: optional("SYMPHONY_SOURCE_REPO"),
      trackerRoot: optional("SYMPHONY_TRACKER_ROOT"),
      patchesFolder: optional("SYMPHONY_PATCHES_DIR")
    })
  )
}

/** Absolute folders of one project. What is relative is meant from the folder of the workflow. */
export interface Places {
  /** In the repository that agents work on, at its top or below. */
  readonly source: string
  /** What hooks are told as the tracker. It does not change where symphony looks. */
  readonly tracker: string
  readonly patches: string
  /** The bare repository of what was handed over: the host's, no agent writes to it. */
  readonly quarantine: string
}

export const placesOf = (
  { patchesFolder, sourceRepository, trackerRoot }: Operator["Service"],
  {
    config,
    path
  }: Pick<WorkflowDefinition, "path"> & {
    readonly config: Pick<WorkflowConfig, "state" | "tracker">
  }
): Places => {
  const home = dirname(path)
  return {
    source: resolve(home, sourceRepository ?? "."),
    tracker: resolve(home, trackerRoot ?? config.tracker.root),
    patches: resolve(home, patchesFolder ?? ".symphony/patches"),
    quarantine: join(config.state.root, "quarantine", "repository.git")
  }
}

export type HandoffMode = "patch" | "pull_request" | "none"

export const modeOf = (
  { repository }: Pick<Operator["Service"], "repository">,
  { config }: WorkflowDefinition
): HandoffMode => {
  const { mode } = config.handoff
  if (mode !== "auto") return mode
  return repository === null ? "patch" : "pull_request"
}

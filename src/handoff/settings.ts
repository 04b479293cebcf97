import { Config, Effect, Option, Path } from "effect"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"

/** Where work comes from and goes to, as the operator's environment says. */
export interface HandoffSettings {
  /** `owner/name` on GitHub, or the path or `file://` address of a repository; null without a forge. */
  readonly repository: string | null
  readonly baseBranch: string
  /** Folder inside of the operator's repository; null: the one that holds the workflow file. */
  readonly sourceRepository: string | null
  /** Where patches are written; null: `.symphony/patches` beside the workflow file. */
  readonly patchesFolder: string | null
}

const optional = (name: string) =>
  Config.String(name).pipe(
    Config.option,
    Config.map((value) => (Option.isSome(value) && value.value.trim() !== "" ? value.value.trim() : null))
  )

export const handoffSettings = Config.all({
  repository: optional("SYMPHONY_REPO"),
  baseBranch: optional("SYMPHONY_BASE_BRANCH").pipe(Config.map((value) => value ?? "main")),
  sourceRepository: optional("SYMPHONY_SOURCE_REPO"),
  patchesFolder: optional("SYMPHONY_PATCHES_DIR")
})

export type HandoffMode = "patch" | "pull_request" | "none"

export const modeOf = (settings: HandoffSettings, workflow: WorkflowDefinition): HandoffMode => {
  const { mode } = workflow.config.handoff
  if (mode !== "auto") return mode
  return settings.repository === null ? "patch" : "pull_request"
}

/** Absolute folders, for one workflow. */
export interface HandoffFolders {
  readonly source: string
  readonly patches: string
  readonly quarantine: string
  readonly runs: string
}

export const foldersOf = Effect.fnUntraced(function* (
  settings: HandoffSettings,
  workflow: WorkflowDefinition
) {
  const path = yield* Path.Path
  const home = path.dirname(workflow.path)
  return {
    source: path.resolve(home, settings.sourceRepository ?? "."),
    patches: path.resolve(home, settings.patchesFolder ?? ".symphony/patches"),
    quarantine: path.join(workflow.config.state.root, "quarantine"),
    runs: path.join(workflow.config.state.root, "runs")
  }
})

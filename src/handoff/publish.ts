import { Effect } from "effect"
import { forgeFailure } from "./failures.ts"
import type { Exported, HandoffError, HandoffRequest, Published } from "./Handoff.ts"
import type { HandoffSettings } from "./settings.ts"

export interface PublishInput {
  readonly settings: HandoffSettings
  readonly request: HandoffRequest
  readonly exported: Exported
  readonly gitDir: string
}
export const checkForge = (_settings: HandoffSettings): Effect.Effect<void, HandoffError> => Effect.void
export const publish = (_input: PublishInput): Effect.Effect<Published, HandoffError> =>
  Effect.fail(forgeFailure("not_built", "x"))

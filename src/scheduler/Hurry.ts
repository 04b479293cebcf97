import { Context, Effect } from "effect"

/**
 * Succeeds when a stop that is under way is to take no more time than it must: runs are then interrupted
 * instead of being given time to end by themselves. Never, unless somebody says so.
 */
export const Hurry = Context.Reference<Effect.Effect<void>>("symphony/scheduler/Hurry", {
  defaultValue: () => Effect.never
})

import type { SchedulerEvent } from "./events.ts"

/** What follows from an input: events to journal, or a refusal and no event at all. */
export type Reaction<Answer, Refusal> =
  | { readonly _tag: "Accepted"; readonly events: ReadonlyArray<SchedulerEvent>; readonly answer: Answer }
  | { readonly _tag: "Refused"; readonly refusal: Refusal }

export const accepted = <Answer>(
  events: ReadonlyArray<SchedulerEvent>,
  answer: Answer
): Reaction<Answer, never> => ({
  _tag: "Accepted",
  events,
  answer
})

export const refused = <Refusal>(refusal: Refusal): Reaction<never, Refusal> => ({ _tag: "Refused", refusal })

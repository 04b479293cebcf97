import type { Plan } from "./World.ts"

/** Every so many seeds one is deep: over the real MarkdownTracker and FileJournal. */
const DEEP_EVERY = 20

export const isDeep = (seed: number): boolean => seed % DEEP_EVERY === 0

/** About 24 virtual hours and 50 issues; a deep one, whose every file is parsed, is smaller. */
export const planOf = (
  seed: number,
  options: { readonly maxSteps?: number | null; readonly trace?: Plan["trace"] } = {}
): Plan => ({
  seed,
  deep: isDeep(seed),
  issues: isDeep(seed) ? 12 : 50,
  faultHours: isDeep(seed) ? 8 : 22,
  restHours: 12,
  maxSteps: options.maxSteps ?? null,
  trace: options.trace ?? null
})

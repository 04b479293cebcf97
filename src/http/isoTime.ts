import { DateTime } from "effect"

/** ISO 8601, UTC, of epoch milliseconds. */
export const isoTime = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis))

import { Duration } from "effect"

/** How long each operation of smolvm may take. */
export interface Limits {
  readonly version: Duration.Duration
  readonly list: Duration.Duration
  /** Extracts the pack of a `from` machine. */
  readonly create: Duration.Duration
  /** May pull an image, and boots. */
  readonly start: Duration.Duration
  readonly stop: Duration.Duration
  readonly remove: Duration.Duration
  readonly execute: Duration.Duration
  /** Between two looks at a machine of which nobody knows whether it is dead. */
  readonly askAgain: Duration.Duration
}

export const defaultLimits: Limits = {
  version: Duration.seconds(10),
  list: Duration.seconds(15),
  create: Duration.minutes(2),
  start: Duration.minutes(1),
  stop: Duration.seconds(30),
  remove: Duration.seconds(30),
  execute: Duration.seconds(30),
  askAgain: Duration.seconds(5)
}

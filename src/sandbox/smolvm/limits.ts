import { Duration } from "effect"

/** How long each operation of smolvm may take. */
export interface Limits {
  readonly version: Duration.Duration
  readonly list: Duration.Duration
  /** Extracts the pack of a `from` machine. */
  readonly create: Duration.Duration
  /** Boots. */
  readonly start: Duration.Duration
  /** Pulls an image first, which smolvm itself gives ten minutes. */
  readonly pull: Duration.Duration
  /** How long what was given up may still happen, where it does not end with us. */
  readonly settle: Duration.Duration
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
  pull: Duration.minutes(11),
  settle: Duration.minutes(5),
  stop: Duration.seconds(30),
  remove: Duration.seconds(30),
  execute: Duration.seconds(30),
  askAgain: Duration.seconds(5)
}

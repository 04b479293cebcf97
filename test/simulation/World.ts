import type { Context, Effect, Exit, Layer } from "effect"
import type { SchedulerView } from "../../src/scheduler/Scheduler.ts"
import type { houseLayer, HouseWorld } from "../support/house.ts"
import type { Dice, Machine } from "../support/Machine.ts"
import type { Coverage, Fault } from "./coverage.ts"
import type { IssueFolder } from "./folder.ts"
import type { Ledger, Violation } from "./Ledger.ts"
import type { Settings } from "./settings.ts"

export type Services = Layer.Success<ReturnType<typeof houseLayer>>

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

export interface Plan {
  readonly seed: number
  /** Over the real MarkdownTracker and FileJournal. */
  readonly deep: boolean
  readonly issues: number
  /** Hours with faults, and hours that all of it may take to come to rest afterwards. */
  readonly faultHours: number
  readonly restHours: number
  /** Ends after so many tasks, unfinished. */
  readonly maxSteps: number | null
  readonly trace: ((line: string) => void) | null
}

/** The simulated world of one seed. */
export interface World {
  readonly plan: Plan
  readonly dice: Dice
  readonly machine: Machine
  readonly house: HouseWorld
  readonly folder: IssueFolder
  readonly ledger: Ledger
  readonly coverage: Coverage
  readonly services: () => Context.Context<Services> | undefined
  readonly fork: <A, E>(effect: Effect.Effect<A, E, Services>, done?: (exit: Exit.Exit<A, E>) => void) => void
  readonly view: () => SchedulerView | undefined
  readonly hit: (fault: Fault, detail?: string) => void
  readonly trace: (line: string) => void
  /** Whether things still go wrong. */
  readonly isFaulty: () => boolean
  readonly settings: () => Settings
  readonly configure: (settings: Settings | null) => void
  /** Notes that an operation begins or has been applied; a planned death may strike there. */
  readonly touch: (operation: string) => void
  readonly fail: (violation: Violation) => void
}

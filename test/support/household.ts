import { type Context, Duration, Effect, Exit, Layer, Ref } from "effect"
import { IssueId } from "../../src/domain/ids.ts"
import type { Issue } from "../../src/domain/Issue.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import * as MemoryJournal from "../../src/journal/MemoryJournal.ts"
import { type Explanation, explain, observed } from "../../src/scheduler/eligibility.ts"
import {
  type CommandRefused,
  type OperatorCommand,
  Scheduler,
  type SchedulerView
} from "../../src/scheduler/Scheduler.ts"
import { type IssueRecord, liveRunOf, type RunRecord } from "../../src/scheduler/state.ts"
import * as MarkdownTracker from "../../src/tracker/MarkdownTracker.ts"
import type { WrittenIssue } from "../../src/tracker/TrackerWorld.ts"
import * as MemoryWorkflow from "../../src/workflow/MemoryWorkflow.ts"
import type { Operator } from "../../src/workflow/Operator.ts"
import { diskFolder, type IssueFolder, recordFolder } from "../simulation/folder.ts"
import { type Behaviour, houseLayer, type HouseOptions, type HouseWorld, makeHouseWorld } from "./house.ts"
import { type Life, type Machine, makeMachine, tellExit } from "./Machine.ts"
import { type ConfigOverrides, testWorkflow } from "./workflow.ts"

type Services = Layer.Success<ReturnType<typeof houseLayer>>

/** A house that a test lives through: one world, one life of the program after the other, and no real time. */
export interface Household {
  readonly machine: Machine
  readonly world: HouseWorld
  /** The issues, as people have them before them. */
  readonly folder: IssueFolder
  /** A person writes a file `<State>/<name>.md`. */
  readonly put: (path: string, written?: WrittenIssue) => void
  readonly advance: (duration: Duration.Input) => void
  readonly settle: () => void
  /** Runs an effect of the present life to its end; what it needs of time it gets by `within`. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, Services>, within?: Duration.Input) => A
  readonly exit: <A, E>(effect: Effect.Effect<A, E, Services>, within?: Duration.Input) => Exit.Exit<A, E>
  readonly command: (command: OperatorCommand) => void
  /** As `command`, without waiting for what becomes of it. */
  readonly send: (command: OperatorCommand) => void
  /** How a command was refused; null: it was not. */
  readonly refusal: (command: OperatorCommand) => CommandRefused | null
  /** Why a command was refused. */
  readonly refused: (command: OperatorCommand) => CommandRefused["reason"] | "accepted"
  readonly view: () => SchedulerView
  readonly record: (id: string) => IssueRecord
  readonly runOf: (id: string) => RunRecord | undefined
  readonly why: (id: string) => Explanation
  /** A good edit of WORKFLOW.md. */
  readonly configure: (config: ConfigOverrides) => void
  /** SIGKILL; what was written stays. `power`: and the machine loses its power. */
  readonly kill: (how?: "process" | "power") => void
  readonly start: () => void
  readonly restart: (how?: "process" | "power") => void
  /** SIGTERM, and what follows it within this time. */
  readonly stop: (within?: Duration.Input) => void
  readonly issue: (id: string) => Issue | undefined
  readonly files: () => ReadonlyArray<string>
  /** What was journaled, by its names, since the last compaction. */
  readonly journal: () => ReadonlyArray<Record<string, unknown> & { readonly _tag: string }>
}

export interface HouseholdOptions {
  readonly config?: ConfigOverrides
  readonly prompt?: string
  readonly behaviour?: Partial<Behaviour>
  readonly issues?: Readonly<Record<string, WrittenIssue>>
  /** The issues are files of the world's disk, below `tracker.root`, and not only in memory. */
  readonly onDisk?: boolean
  /** In the place of the one in memory. */
  readonly journal?: (world: HouseWorld) => NonNullable<NonNullable<HouseOptions["leaves"]>["journal"]>
  readonly operator?: Partial<Operator["Service"]>
  readonly machine?: Machine
  /** Whether the program is started at once; it is, unless this says otherwise. */
  readonly started?: boolean
}

const asEntry = (entry: unknown): Record<string, unknown> & { readonly _tag: string } => {
  if (typeof entry !== "object" || entry === null || !("_tag" in entry) || typeof entry._tag !== "string") {
    throw new Error("the journal holds something else than events")
  }
  return { ...entry, _tag: entry._tag }
}

export const makeHousehold = (options: HouseholdOptions = {}): Household => {
  const machine = options.machine ?? makeMachine()
  const definition = (config: ConfigOverrides) =>
    testWorkflow({ config, ...(options.prompt === undefined ? {} : { prompt: options.prompt }) })
  let workflow = definition(options.config ?? {})
  const world = makeHouseWorld({ workflow, now: machine.wall, behaviour: options.behaviour ?? {} })
  const trackerRoot = workflow.config.tracker.root
  if (options.onDisk === true) world.disk.put(`${trackerRoot}/.keep`, "")
  const folder =
    options.onDisk === true ? diskFolder(world.disk, trackerRoot, () => 0) : recordFolder(world.tracker)
  const put: Household["put"] = (path, written = {}) =>
    folder.write(path, options.onDisk === true ? { title: path, ...written } : written)
  for (const [path, written] of Object.entries(options.issues ?? {})) put(path, written)
  const markdownTracker = () =>
    MarkdownTracker.layer.pipe(
      Layer.provide([MemorySafeFiles.layer(world.disk), MemoryWorkflow.layer(workflow)]),
      Layer.orDie
    )
  const leaves = (): NonNullable<HouseOptions["leaves"]> => ({
    ...(options.onDisk === true ? { tracker: markdownTracker() } : {}),
    ...(options.journal === undefined ? {} : { journal: options.journal(world) })
  })
  let life: Life<Context.Context<Services>> | undefined

  const living = (): Context.Context<Services> => {
    const value = life?.value()
    if (value !== undefined) return value
    const exit = life?.ended()
    throw new Error(exit === undefined ? "the program does not stand" : tellExit(exit))
  }

  const start = (): void => {
    life = machine.start(
      Effect.flatMap(Effect.scope, (scope) =>
        Layer.buildWithScope(
          houseLayer({ workflow, world, operator: options.operator ?? {}, leaves: leaves() }),
          scope
        )
      )
    )
    machine.settle()
    living()
  }

  const exit = <A, E>(effect: Effect.Effect<A, E, Services>, within: Duration.Input = 0): Exit.Exit<A, E> => {
    const fiber = life?.fork(Effect.provide(effect, living()))
    machine.advance(Duration.toMillis(within))
    const result = fiber?.pollUnsafe()
    if (result === undefined) throw new Error("the effect has not ended in time")
    return result
  }

  const run = <A, E>(effect: Effect.Effect<A, E, Services>, within?: Duration.Input): A => {
    const done = exit(effect, within)
    if (Exit.isSuccess(done)) return done.value
    throw new Error(tellExit(done))
  }

  const order = (command: OperatorCommand) =>
    Effect.flatMap(Scheduler, (scheduler) => scheduler.command(command))

  const view = (): SchedulerView => run(Effect.flatMap(Scheduler, (scheduler) => scheduler.view))

  const issue = (id: string): Issue | undefined => {
    const { observation, state } = view()
    return observed(state, observation, IssueId.make(id))
  }

  const refusal = (command: OperatorCommand): CommandRefused | null => {
    const result = run(Effect.result(order(command)), "1 second")
    return result._tag === "Failure" ? result.failure : null
  }

  const kill: Household["kill"] = (how = "process") => {
    machine.kill()
    if (how === "power") Effect.runSync(MemoryJournal.losePower(world.journal))
  }

  const household: Household = {
    machine,
    world,
    folder,
    put,
    advance: (duration) => machine.advance(Duration.toMillis(duration)),
    settle: machine.settle,
    run,
    exit,
    command: (command) => run(order(command), "1 second"),
    send: (command) => void life?.fork(Effect.provide(order(command), living())),
    refusal,
    refused: (command) => refusal(command)?.reason ?? "accepted",
    view,
    record: (id) => {
      const found = view().state.issues[id]
      if (found === undefined) throw new Error(`nothing is remembered of ${id}`)
      return found
    },
    runOf: (id) => liveRunOf(view().state, IssueId.make(id)),
    why: (id) => {
      const { observation, state } = view()
      const found = observed(state, observation, IssueId.make(id))
      if (found === undefined) throw new Error(`no issue ${id}`)
      return explain(state, observation, found, machine.wall())
    },
    configure: (config) => {
      workflow = definition(config)
      world.tracker.setStates(workflow.config.states)
      run(
        Effect.flatMap(MemoryWorkflow.WorkflowEditor, (editor) => editor.set(workflow)),
        "1 second"
      )
    },
    kill,
    start,
    restart: (how) => {
      kill(how)
      start()
    },
    stop: (within = "10 seconds") => {
      const ending = life
      ending?.stop()
      machine.advance(Duration.toMillis(within))
      if (ending?.ended() === undefined) throw new Error("the program has not ended in time")
    },
    issue,
    files: () => folder.files().map(({ path }) => path),
    journal: () => Ref.getUnsafe(world.journal.durable).entries.map(asEntry)
  }
  if (options.started !== false) start()
  return household
}

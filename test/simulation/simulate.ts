import { Context, Deferred, Effect, Layer, Ref } from "effect"
import type { RunId } from "../../src/domain/ids.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import { HandoffError } from "../../src/handoff/Handoff.ts"
import * as FileJournal from "../../src/journal/FileJournal.ts"
import { Journal, JournalError } from "../../src/journal/Journal.ts"
import * as MemoryJournal from "../../src/journal/MemoryJournal.ts"
import { Transcripts } from "../../src/journal/Transcripts.ts"
import { RunGrants } from "../../src/mcp/RunGrants.ts"
import { SandboxError } from "../../src/sandbox/Sandboxes.ts"
import { explain, observed } from "../../src/scheduler/eligibility.ts"
import { Scheduler, type SchedulerView } from "../../src/scheduler/Scheduler.ts"
import { parks } from "../../src/scheduler/state.ts"
import * as MarkdownTracker from "../../src/tracker/MarkdownTracker.ts"
import * as MemoryTracker from "../../src/tracker/MemoryTracker.ts"
import { TrackerError } from "../../src/tracker/Tracker.ts"
import * as MemoryWorkflow from "../../src/workflow/MemoryWorkflow.ts"
import { HookError, WorkspaceError } from "../../src/workspace/Workspaces.ts"
import { houseLayer, makeHouseWorld } from "../support/house.ts"
import { type Life, makeDice, makeMachine, tellExit } from "../support/Machine.ts"
import { testWorkflow } from "../support/workflow.ts"
import { makeAgents } from "./agents.ts"
import { type Coverage, type Fault, noCoverage } from "./coverage.ts"
import { diskFolder, type IssueFolder, recordFolder } from "./folder.ts"
import { makeLedger, Violation } from "./Ledger.ts"
import { makePeople, type People } from "./people.ts"
import { configOf, drawSettings, isActive, type Mode, type Settings } from "./settings.ts"
import { HOUR, MINUTE, type Plan, type Services, type World } from "./World.ts"

/** How long a change of settings may take to be seen by everybody. */
const RECENT = 5_000

interface Change<A> {
  readonly at: number
  readonly value: A
}

export interface Outcome {
  readonly seed: number
  readonly violation: { readonly invariant: string; readonly detail: string } | null
  readonly hours: number
  readonly steps: number
  readonly crashes: number
  readonly runs: number
  readonly coverage: Coverage
  /** Of everything that happened. */
  readonly hash: string
  readonly last: ReadonlyArray<string>
}

const FINISHED = /^(Done|Cancelled)$/
const TRACKER_ROOT = "/project/issues"

/** Operations at which a death may be planned. */
const OPERATIONS = [
  "journal append",
  "journal appended",
  "tracker move",
  "tracker link",
  "tracker unlink",
  "tracker append",
  "tracker read",
  "workspace ensure",
  "workspace remove",
  "hook before_run",
  "hook after_run",
  "boot",
  "booted",
  "open",
  "reap",
  "handoff exportRun",
  "handoff publish",
  "handoff verify",
  "event SteeringAsked",
  "event DoneClaimed",
  "event CancelRequested",
  "event Quiesced",
  "event Exported",
  "event MoveIntended",
  "event Moved",
  "event HookStarted",
  "event HookEnded",
  "event PublishIntended",
  "event Published",
  "event RelocationIntended"
] as const

export const simulate = (plan: Plan): Outcome => {
  const dice = makeDice(plan.seed)
  const machine = makeMachine({
    dice,
    opsBeforeYield: dice.pick([64, 256, 2048]),
    shuffles: plan.seed % 2 === 1
  })
  const begin = machine.now()
  const mode: Mode = dice.pick(["patch", "patch", "pull_request", "none"])
  let settings = drawSettings(dice)
  // So few that every world does what takes a real journal weeks.
  const compactAfter = makeDice(~plan.seed).between(50, 300)
  const definition = () => testWorkflow({ config: configOf(settings, mode, TRACKER_ROOT) })
  const workflow = definition()
  const house = makeHouseWorld({ workflow, now: machine.wall })
  const coverage = noCoverage()

  // ── what is told of it ────────────────────────────────────────────────────────────────────────────
  let hash = 2166136261
  const last: Array<string> = []
  const trace = (line: string): void => {
    const text = `${((machine.now() - begin) / 1000).toFixed(3)} ${line}`
    for (let index = 0; index < text.length; index++)
      hash = Math.imul(hash ^ text.charCodeAt(index), 16777619)
    last.push(text)
    if (last.length > 60) last.shift()
    plan.trace?.(text)
  }
  const hit = (fault: Fault, detail = ""): void => {
    coverage.faults[fault] += 1
    trace(`* ${fault} ${detail}`)
  }

  // ── violations ────────────────────────────────────────────────────────────────────────────────────
  const broken: { first: Violation | null } = { first: null }
  const fail = (found: Violation): void => {
    broken.first ??= found
  }
  const guarded = <A>(check: () => A): A | undefined => {
    try {
      return check()
    } catch (error) {
      if (error instanceof Violation) fail(error)
      else throw error
      return undefined
    }
  }

  // ── settings ──────────────────────────────────────────────────────────────────────────────────────
  const history: Array<Change<Settings>> = [{ at: begin, value: settings }]
  const recent = (): ReadonlyArray<Settings> => {
    const now = machine.now()
    return history
      .filter((_, index) => (history[index + 1]?.at ?? now) >= now - RECENT)
      .map(({ value }) => value)
  }

  // ── the folder ────────────────────────────────────────────────────────────────────────────────────
  let diskChanges = 0
  if (plan.deep) {
    house.disk.put(`${TRACKER_ROOT}/Todo/.keep`, "")
  }
  const folder: IssueFolder = plan.deep
    ? diskFolder(house.disk, TRACKER_ROOT, () => (diskChanges += 1))
    : recordFolder(house.tracker)
  /** Since when an issue's files have lain where they lie. */
  const lying = new Map<string, { readonly where: string; readonly since: number }>()

  // ── one life ──────────────────────────────────────────────────────────────────────────────────────
  let life: Life<Context.Context<Services>> | undefined
  let stopping = false
  let lives = 0
  let crashes = 0
  const services = () => (stopping ? undefined : life?.value())

  const ledger = makeLedger({
    recentCap: () => Math.max(...recent().map(({ cap }) => cap)),
    recentStateCap: (state) => {
      if (state !== "Review") return null
      const caps = recent().map(({ reviewCap }) => reviewCap)
      return caps.includes(null) ? null : Math.max(...caps.map((cap) => cap ?? 0))
    },
    wasActive: (state) => recent().some((each) => isActive(each, state)),
    recentThreshold: () => Math.max(...recent().map(({ threshold }) => threshold)),
    recentSessions: () => Math.max(...recent().map(({ maxSessions }) => maxSessions)),
    recentBackoffCaps: () => recent().map(({ backoffCap }) => backoffCap),
    isFinished: (id) => {
      const states = folder.files().flatMap(({ name, state }) => (name === id ? [state] : []))
      const place = lying.get(id)
      return (
        states.length > 0 &&
        states.every((state) => FINISHED.test(state)) &&
        place !== undefined &&
        FINISHED.test(place.where) &&
        machine.now() - place.since > (plan.deep ? 2 * MINUTE : RECENT)
      )
    },
    now: machine.now,
    decidedAt: () => Math.min(refusedSince ?? Infinity, blindSince ?? Infinity, machine.now()),
    wasTakenAway: (id, since) => people.takenAwayAt(id) >= since,
    lives: (run) => house.guests.has(run),
    holdsToken: (run) => {
      const value = life?.value()
      if (value === undefined) return false
      return Effect.runSync(Context.get(value, RunGrants).active).some(({ runId }) => runId === run)
    },
    wasPrompted: (identifier, text) =>
      house.prompts.some((prompt) => prompt.identifier === identifier && prompt.text.includes(text)),
    wasTakenUp: (identifier, text) => agents.hasTakenUp(identifier, text)
  })

  const isFaulty = (): boolean => machine.now() < begin + plan.faultHours * HOUR

  // ── planned deaths ────────────────────────────────────────────────────────────────────────────────
  let armed: { readonly operation: string; readonly tasks: number } | null = null
  let tasksToDeath = -1
  const touch = (operation: string): void => {
    if (armed !== null && (armed.operation === operation || armed.operation === "any")) {
      tasksToDeath = armed.tasks
      armed = null
    }
  }
  const io = <A, E>(
    operation: string,
    apply: () => Effect.Effect<A, E>,
    latency: () => number
  ): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      touch(operation)
      return machine.io(apply, latency)
    })
  const quick = (): number => (dice.chance(0.7) ? 0 : dice.between(0, 4))
  const slow = (): number => dice.between(5, 3_000)

  // ── the leaves ────────────────────────────────────────────────────────────────────────────────────
  const faultUntil = new Map<string, number>()
  /** Troubles come in spells: a disk that is full stays so for a while. */
  const inTrouble = (
    what: "journal fails" | "tracker fails" | "machine exhausted",
    perCall: number,
    longest: number
  ): boolean => {
    if (!isFaulty()) return false
    const until = faultUntil.get(what) ?? 0
    if (machine.now() < until) return true
    if (!dice.chance(perCall)) return false
    faultUntil.set(what, machine.now() + dice.between(0, longest))
    hit(what)
    return true
  }
  const strikes = (fault: Fault, probability: number, detail = ""): boolean => {
    if (!isFaulty() || !dice.chance(probability)) return false
    hit(fault, detail)
    return true
  }

  /** Since when nothing can be journaled. */
  let refusedSince: number | null = null
  /** Since when nobody sees what becomes of the issues. */
  let blindSince: number | null = null
  /** The life that is compacting its journal. */
  let compacting = -1
  const journalLeaf = Layer.effect(
    Journal,
    Effect.gen(function* () {
      const inner = yield* Journal
      const refused = (operation: JournalError["operation"]) =>
        new JournalError({
          operation,
          reason: "io",
          path: "/project/journal",
          detail: "no space left",
          hint: null
        })
      return Journal.of({
        ...inner,
        replay: Effect.tap(inner.replay, (entries) =>
          Effect.sync(() => guarded(() => ledger.reopened(entries)))
        ),
        append: (entries) =>
          io(
            "journal append",
            () => {
              if (!inTrouble("journal fails", 0.001, 10 * MINUTE)) return Effect.void
              refusedSince ??= machine.now()
              return Effect.fail(refused("append"))
            },
            quick
          ).pipe(
            Effect.andThen(inner.append(entries)),
            Effect.tap(
              Effect.sync(() => {
                for (const entry of entries) traceEntry(entry)
                guarded(() => ledger.appended(entries))
                refusedSince = null
                touch("journal appended")
              })
            )
          ),
        compact: (entry) =>
          Effect.suspend(() => {
            compacting = lives
            if (isFaulty() && dice.chance(0.03)) tasksToDeath = dice.between(0, 8)
            return io(
              "journal compact",
              () =>
                inTrouble("journal fails", 0.001, 10 * MINUTE)
                  ? Effect.fail(refused("compact"))
                  : Effect.void,
              quick
            )
          }).pipe(
            Effect.andThen(inner.compact(entry)),
            Effect.tap(
              Effect.sync(() => {
                hit("journal compacts")
                ledger.compacted()
              })
            ),
            Effect.ensuring(Effect.sync(() => (compacting = -1)))
          )
      })
    })
  )

  const traceEntry = (entry: unknown): void => {
    if (typeof entry !== "object" || entry === null) return
    const told = Object.entries(entry)
      .filter(([key]) =>
        ["_tag", "run", "issue", "state", "to", "reason", "question", "adapter"].includes(key)
      )
      .map(([, value]) => String(value))
    const outcome = "outcome" in entry ? ` ${JSON.stringify(entry.outcome)}` : ""
    trace(`journal ${told.join(" ")}${outcome.slice(0, 160)}`)
    if ("_tag" in entry) touch(`event ${String(entry._tag)}`)
  }

  const quietTranscripts = Layer.succeed(Transcripts, {
    append: () => Effect.void,
    page: () => Effect.succeed({ entries: [], total: 0 }),
    runs: () => Effect.succeed([]),
    forget: () => Effect.void,
    flush: Effect.void
  })

  /** Of their own dice, as jumps are. */
  const asides = makeDice(plan.seed ^ 0xa51de)
  /** People have the very file in their editor that symphony is about to read, write into or move. */
  const meetEditor = (path: string): void => {
    if (!isFaulty() || !asides.chance(0.02)) return
    people.saveAside(path.replace(/^.*\//, "").replace(/\.md$/, ""), asides.between(10, 1_000))
  }

  const trackerFault = (operation: TrackerError["operation"], path: string) =>
    new TrackerError({ operation, path, detail: "input/output error" })

  const recordTracker = MemoryTracker.layer(house.tracker, {
    before: ({ operation, path }) => {
      if (operation === "read" || operation === "append" || operation === "move") meetEditor(path)
      return io(
        `tracker ${operation}`,
        () => {
          const isMove = operation === "move" || operation === "link" || operation === "unlink"
          if (inTrouble("tracker fails", 0.0005, 5 * MINUTE)) {
            blindSince ??= machine.now()
            return Effect.fail(trackerFault(isMove ? "move" : operation, path))
          }
          // Each of the others begins with a look.
          if (!isMove) blindSince = null
          return Effect.sync(() => guarded(() => checkIntent(operation, path)))
        },
        quick
      ).pipe(Effect.asVoid)
    }
  })

  /** Nothing of an issue's file is touched before it is written down that it will be. */
  const checkIntent = (operation: string, path: string): void => {
    if (operation !== "unlink") return
    const name = path.replace(/^.*\//, "").replace(/\.md$/, "")
    const intended =
      [...ledger.runs.values()].some((run) => run.issue === name && run.move !== null) ||
      (ledger.issues.get(name)?.relocation ?? null) !== null
    if (!intended) throw new Violation("intent, effect, result", `${path} is moved without an intent`)
  }

  const deepFiles = MemorySafeFiles.layer(house.disk, {
    before: ({ action, path }) =>
      action === "stat" || action === "list" || action === "read"
        ? Effect.void
        : io(
            action === "syncFile" && path.endsWith("/journal.jsonl") ? "journal sync" : `disk ${action}`,
            () => {
              if (action === "link" && path.includes("/issues/")) meetEditor(path)
              touch(
                path.includes("/issues/")
                  ? action === "link"
                    ? "tracker link"
                    : action === "unlink"
                      ? "tracker unlink"
                      : "tracker move"
                  : "disk"
              )
              return strikes("tracker fails", 0.0005, `${action} ${path}`)
                ? Effect.fail("io" as const)
                : Effect.void
            },
            quick
          )
  })

  /** Hurries the stop of the present life. */
  let hurry = Deferred.makeUnsafe<void>()
  const layerOfLife = () => {
    hurry = Deferred.makeUnsafe<void>()
    const leaves = plan.deep
      ? {
          tracker: MarkdownTracker.layer.pipe(
            Layer.provide([deepFiles, MemoryWorkflow.layer(definition())]),
            Layer.orDie
          ),
          journal: journalLeaf.pipe(
            Layer.provide(
              FileJournal.layer({ stateRoot: "/project/.symphony", trackerRoot: TRACKER_ROOT }).pipe(
                Layer.provide(deepFiles)
              )
            ),
            Layer.orDie
          ),
          transcripts: quietTranscripts
        }
      : {
          tracker: recordTracker,
          journal: journalLeaf.pipe(Layer.provide(MemoryJournal.layer(house.journal))),
          transcripts: quietTranscripts
        }
    return houseLayer({
      workflow: definition(),
      world: house,
      leaves,
      hurry: Deferred.await(hurry),
      scheduler: { compactAfter },
      operator: mode === "pull_request" ? { repository: "o/r" } : {}
    })
  }

  const fork: World["fork"] = (effect, done) => {
    const value = services()
    if (value === undefined || life === undefined) return
    const of = lives
    life.fork(Effect.provide(effect, value)).addObserver((exit) => {
      if (done !== undefined && of === lives) guarded(() => done(exit))
    })
  }

  const view = (): SchedulerView | undefined => {
    const value = services()
    return value === undefined ? undefined : Effect.runSync(Context.get(value, Scheduler).view)
  }

  const world: World = {
    plan,
    dice,
    machine,
    house,
    folder,
    ledger,
    coverage,
    services,
    fork,
    view,
    hit,
    trace,
    isFaulty,
    settings: () => settings,
    configure: (next) => {
      const value = services()
      if (value === undefined) {
        if (next !== null) {
          settings = next
          history.push({ at: machine.now(), value: next })
        }
        return
      }
      const editor = Context.get(value, MemoryWorkflow.WorkflowEditor)
      if (next === null) {
        fork(
          editor.reject([
            { source: "workflow", severity: "error", where: "WORKFLOW.md:3", message: "bad", hint: null }
          ])
        )
        return
      }
      settings = next
      history.push({ at: machine.now(), value: next })
      const changed = definition()
      house.tracker.setStates(changed.config.states)
      fork(editor.set(changed))
    },
    touch,
    fail
  }

  // ── guests, hooks, disks, handoffs ────────────────────────────────────────────────────────────────
  const agents = makeAgents(world)
  const { behaviour } = house
  behaviour.prompt = agents.prompt
  behaviour.open = (options) =>
    Effect.andThen(
      io("open", () => Effect.void, quick),
      agents.open(options)
    )
  behaviour.boot = ({ identifier, runId }) =>
    io(
      "boot",
      () => {
        const error = (reason: "boot" | "boot_timeout") =>
          new SandboxError({ kind: "host", reason, detail: "it did not come up", hint: null })
        if (strikes("vm boot fails", 0.02)) return Effect.fail(error("boot"))
        if (strikes("vm boot hangs", 0.01))
          return Effect.andThen(Effect.sleep(2 * MINUTE), Effect.fail(error("boot_timeout")))
        guarded(() => checkBoot(runId, identifier))
        touch("booted")
        return Effect.void
      },
      slow
    )
  behaviour.reap = () =>
    io(
      "reap",
      () => Effect.succeed(strikes("vm unknown", 0.05) ? ("unknown" as const) : ("dead" as const)),
      quick
    )
  behaviour.hook = (hook, { workspace }) =>
    io(
      `hook ${hook}`,
      () => {
        if (hook === "after_run") guarded(() => checkHook(workspace.identifier))
        return strikes("hook fails", 0.02, hook)
          ? Effect.fail(new HookError({ hook, reason: "exit", code: 1, detail: "exited with 1", output: "" }))
          : Effect.void
      },
      slow
    )
  behaviour.disk = (operation, workspace) =>
    io(
      `workspace ${operation}`,
      () => {
        if (operation === "ensure" && inTrouble("machine exhausted", 0.002, 40 * MINUTE))
          return Effect.fail(
            new WorkspaceError({ reason: "exhausted", path: workspace.path, detail: "no space left" })
          )
        if (strikes("workspace disk fails", 0.01, operation))
          return Effect.fail(
            new WorkspaceError({ reason: "io", path: workspace.path, detail: "input/output error" })
          )
        if (operation === "remove") guarded(() => checkRemoval(workspace.identifier))
        return Effect.void
      },
      quick
    )
  Effect.runSync(
    Ref.set(house.handoff.fault, (operation, request) => {
      touch(`handoff ${operation}`)
      if (request !== null && operation === "exportRun") guarded(() => checkExport(request.runId))
      if (request !== null && operation === "publish") guarded(() => checkPublish(request.runId))
      return strikes("handoff fails", operation === "verify" ? 0.01 : 0.03, operation)
        ? new HandoffError({
            reason: operation === "publish" ? "push" : "io",
            code: "io",
            detail: "no",
            hint: null
          })
        : null
    })
  )

  // ── invariants at effects ─────────────────────────────────────────────────────────────────────────
  const checkBoot = (run: RunId, identifier: string): void => {
    if (ledger.liveRun(run)?.slot !== true) {
      throw new Violation("intent, effect, result", `${run} boots without being journaled as started`)
    }
    for (const [other, of] of house.guests) {
      if (of === identifier && other !== run)
        throw new Violation(
          "at most one live run per issue",
          `${run} boots while ${other} of ${identifier} lives`
        )
    }
  }
  const checkHook = (identifier: string): void => {
    const run = [...ledger.runs.values()].find((each) => each.identifier === identifier)
    if (run?.hookStarted !== true) throw new Violation("intent, effect, result", `after_run of ${identifier}`)
  }
  const checkExport = (run: RunId): void => {
    const live = ledger.liveRun(run)
    if (live !== undefined && live.slot)
      throw new Violation("intent, effect, result", `${run} exports while its agent may live`)
  }
  const checkPublish = (run: RunId): void => {
    if (!ledger.mayPublish(run))
      throw new Violation("intent, effect, result", `${run} publishes without an intent`)
  }
  const checkRemoval = (identifier: string): void => {
    if (mode === "none") return
    const work = [...Ref.getUnsafe(house.handoff.work)].find(([id]) => id === identifier)?.[1]
    if (work === undefined || work.commits === 0) return
    const exported = [...Ref.getUnsafe(house.handoff.exports).values()].some(({ head }) => head === work.head)
    if (!exported)
      throw new Violation("nothing is deleted before its export", `${identifier} at ${work.head}`)
    if ([...house.guests.values()].some((guest) => guest === identifier))
      throw new Violation("nothing is deleted before its export", `${identifier} while its agent lives`)
  }

  const people: People = makePeople(world)
  agents.onEarly(people.answerEarly)
  let seenVersion = -1
  const checkFolder = (): void => {
    if (plan.deep ? steps % 64 !== 0 : folder.version() === seenVersion) return
    seenVersion = folder.version()
    const files = folder.files()
    people.checkFiles(files)
    const where = new Map<string, string>()
    for (const { name, state } of files) {
      if (!FINISHED.test(state) || !where.has(name)) where.set(name, state)
    }
    for (const [name, state] of where) {
      if (lying.get(name)?.where !== state) lying.set(name, { where: state, since: machine.now() })
    }
    for (const name of lying.keys()) if (!where.has(name)) lying.delete(name)
  }

  // ── deaths and births ─────────────────────────────────────────────────────────────────────────────
  let totalsBefore = { tokens: 0, runs: 0, completed: 0, seconds: 0 }
  const bootHouse = (): void => {
    stopping = false
    lives += 1
    trace("- starts")
    coverageBooting = true
    if (isFaulty() && lives > 1 && dice.chance(0.1)) tasksToDeath = dice.between(1, 40)
    life = machine.start(
      Effect.flatMap(Effect.scope, (scope) => Layer.buildWithScope(layerOfLife(), scope)).pipe(
        Effect.tap((context) =>
          Effect.forkScoped(
            Effect.provide(
              Effect.flatMap(Scheduler, (scheduler) => scheduler.died),
              context
            )
          )
        )
      )
    )
  }
  let coverageBooting = false

  const checkTotals = (when: string): void => {
    const state = view()?.state
    if (state === undefined) return
    const now = {
      tokens: state.totals.tokens.total,
      runs: state.totals.runs,
      completed: state.totals.completed,
      seconds: state.totals.seconds
    }
    for (const key of ["tokens", "runs", "completed", "seconds"] as const) {
      if (now[key] < totalsBefore[key] - 1e-6)
        throw new Violation("totals never fall", `${key} ${totalsBefore[key]} to ${now[key]} ${when}`)
    }
    for (const key of ["tokens", "runs", "completed", "seconds"] as const) {
      if (when === "at rest" && Math.abs(now[key] - ledger.totals[key]) > 0.01)
        throw new Violation("totals equal the journal", `${key} ${now[key]}, journaled ${ledger.totals[key]}`)
    }
    totalsBefore = now
  }

  const noteStages = (): void => {
    if (coverageBooting && life?.value() === undefined) coverage.stages.booting += 1
    const live = [...ledger.runs.values()]
    for (const run of live) coverage.stages[run.stage] += 1
    const relocating = [...ledger.issues.values()].some((issue) => issue.relocation !== null)
    if (relocating) coverage.stages.relocating += 1
    if (compacting === lives) coverage.stages.compacting += 1
    if (live.length === 0 && !relocating) coverage.stages.idle += 1
  }

  const startAgain = (): void => {
    trace("- does not start")
    machine.kill()
    life = undefined
    lives += 1
    machine.after(dice.between(1_000, MINUTE), bootHouse)
  }

  const die = (): void => {
    crashes += 1
    noteStages()
    const power = dice.chance(0.5)
    hit(power ? "crash of power" : "crash of process")
    agents.orphaned()
    machine.kill()
    life = undefined
    lives += 1
    if (power) {
      Effect.runSync(MemoryJournal.losePower(house.journal))
      if (plan.deep) losePower()
      // Guests live in the machine that has lost its power.
      house.guests.clear()
    }
    machine.after(dice.chance(0.7) ? dice.between(10, 5_000) : dice.between(5_000, 20 * MINUTE), bootHouse)
  }

  /** What was not synced is lost, and the last line of the journal may be written in part. */
  const losePower = (): void => {
    const path = "/project/.symphony/journal.jsonl"
    const bytes = () => (house.disk.stat(path) === null ? new Uint8Array() : house.disk.read(path).bytes)
    const before = bytes()
    house.disk.crash(() => dice.chance(0.5))
    const kept = bytes()
    if (kept.length === 0 || before.length <= kept.length) return
    house.disk.put(path, before.slice(0, dice.between(kept.length, before.length - 1)))
    trace("- the journal is torn")
  }

  const stop = (): void => {
    if (life === undefined || stopping) return
    hit("stop")
    const ending = life
    const of = lives
    stopping = true
    const since = machine.now()
    let hurriedAt: number | null = null
    ending.stop()
    const poll = (): void => {
      if (of !== lives) return
      if (ending.ended() !== undefined) {
        if (machine.now() - since > 40_000)
          fail(new Violation("a graceful stop ends in time", `${machine.now() - since} ms`))
        if (hurriedAt !== null && machine.now() - hurriedAt > 10_000)
          fail(new Violation("a graceful stop ends in time", `${machine.now() - hurriedAt} ms after a hurry`))
        const left = machine.sleeping()
        if (left > 0) fail(new Violation("no fiber outlives the program", `${left} are asleep after a stop`))
        life = undefined
        lives += 1
        machine.after(dice.between(100, 10 * MINUTE), bootHouse)
        return
      }
      if (machine.now() - since > 60_000)
        return fail(new Violation("a graceful stop ends in time", "after 60 s it has not"))
      machine.after(200, poll)
    }
    const how = dice.pick(["patiently", "patiently", "hurried", "killed"])
    if (how !== "patiently") {
      machine.after(dice.between(0, 3_000), () => {
        if (of !== lives || ending.ended() !== undefined) return
        if (how === "hurried") {
          hit("stop hurried")
          hurriedAt = machine.now()
          Deferred.doneUnsafe(hurry, Effect.void)
          return
        }
        hit("stop killed")
        crashes += 1
        machine.kill()
        life = undefined
        lives += 1
        machine.after(dice.between(100, 10 * MINUTE), bootHouse)
      })
    }
    machine.after(200, poll)
  }

  const planDeaths = (): void => {
    const deaths = dice.between(4, 14)
    for (let index = 0; index < deaths; index++) {
      machine.after(dice.between(MINUTE, plan.faultHours * HOUR), () => {
        if (!isFaulty() || life === undefined || stopping) return
        if (dice.chance(0.15)) return stop()
        armed = {
          operation: dice.chance(0.2)
            ? "any"
            : plan.deep && dice.chance(0.4)
              ? "journal sync"
              : dice.pick(OPERATIONS),
          tasks: dice.pick([0, 0, 0, 1, 2, 3, 5, 8, 13, 30])
        }
      })
    }
  }

  /** Of their own dice: a world with a jump is otherwise the world without. */
  const planJumps = (): void => {
    const jumps = makeDice(plan.seed ^ 0x5eed)
    for (let count = jumps.between(0, 2); count > 0; count--) {
      const days = jumps.pick([-1, 1]) * jumps.next()
      machine.after(jumps.between(MINUTE, plan.faultHours * HOUR), () => {
        hit("clock jumps", `${days.toFixed(2)} days`)
        machine.jump(Math.round(days * 24 * HOUR))
      })
    }
  }

  // ── rest ──────────────────────────────────────────────────────────────────────────────────────────
  const unrested = (): ReadonlyArray<string> => {
    const now = view()
    if (now === undefined) return ["symphony does not run"]
    const found: Array<string> = []
    for (const run of Object.values(now.state.runs)) found.push(`${run.run} of ${run.issue} is ${run.stage}`)
    for (const id of now.observation.tracker.byId.keys()) {
      const issue = observed(now.state, now.observation, id)
      if (issue === undefined) continue
      const why = explain(now.state, now.observation, issue, machine.wall())
      // What blocks has to come to rest itself.
      const rests = ["Finished", "ForReview", "NotActive", "Proposed", "Held", "Blocked"].includes(why._tag)
      if (!rests) found.push(`${id} in ${issue.state}: ${why._tag} ${JSON.stringify(why).slice(0, 200)}`)
      const hold = now.state.issues[id]?.hold ?? null
      const isParked = !isActive(settings, issue.state) || people.hadNamesake(issue.identifier)
      if (hold !== null && parks(hold.reason) && !isParked)
        found.push(`${id} in ${issue.state}: held (${hold.reason}) and not parked`)
    }
    for (const record of Object.values(now.state.issues)) {
      if (record.relocation !== null) found.push(`${record.id} is being moved`)
    }
    return found
  }

  const checkRest = (): void => {
    if (house.guests.size > 0)
      throw new Violation("no sandbox outlives its run", [...house.guests.keys()].join(", "))
    const value = services()
    if (value !== undefined) {
      const active = Effect.runSync(Context.get(value, RunGrants).active)
      if (active.length > 0)
        throw new Violation(
          "every token is revoked with its run",
          active.map(({ runId }) => runId).join(", ")
        )
    }
    const sleeping = machine.sleeping()
    if (sleeping > 8) throw new Violation("no timer outlives its owner", `${sleeping} timers at rest`)
    const made = Ref.getUnsafe(house.handoff.made)
    if (new Set(made).size !== made.length) throw new Violation("a handoff is not doubled", made.join(", "))
    checkTotals("at rest")
    people.checkNames(folder.files())
    people.checkAnswers()
  }

  // ── the course of it ──────────────────────────────────────────────────────────────────────────────
  people.begin()
  planDeaths()
  planJumps()
  machine.after(1, bootHouse)
  const deadline = begin + (plan.faultHours + plan.restHours) * HOUR
  let steps = 0
  let nextLook = begin + (plan.faultHours + 1) * HOUR
  let finished = false
  while (broken.first === null && !finished && (plan.maxSteps === null || steps < plan.maxSteps)) {
    const went = guarded(() => machine.step(deadline))
    if (broken.first !== null) break
    if (went !== true) {
      fail(new Violation("every issue comes to rest", "nothing is due any more"))
      break
    }
    steps += 1
    if (coverageBooting && life?.value() !== undefined) {
      coverageBooting = false
      guarded(() => checkTotals("over a restart"))
      agents.reached()
    }
    const exit = stopping ? undefined : life?.ended()
    if (exit !== undefined) {
      // A disk that is full when it starts is told, and the operator tries again.
      if (coverageBooting && isFaulty()) startAgain()
      else fail(new Violation("the program lives", tellExit(exit)))
    }
    guarded(checkFolder)
    if (tasksToDeath === 0) {
      tasksToDeath = -1
      if (life !== undefined) die()
    } else if (tasksToDeath > 0) tasksToDeath -= 1
    if (machine.now() >= nextLook) {
      nextLook = machine.now() + 10 * MINUTE
      const open = unrested()
      if (open.length === 0) {
        guarded(checkRest)
        finished = true
      } else if (machine.now() >= deadline - 11 * MINUTE) {
        fail(new Violation("every issue comes to rest", open.slice(0, 6).join("; ")))
      }
    }
  }
  const found = broken.first
  return {
    seed: plan.seed,
    violation: found === null ? null : { invariant: found.invariant, detail: found.message },
    hours: (machine.now() - begin) / HOUR,
    steps,
    crashes,
    runs: ledger.totals.runs,
    coverage,
    hash: (hash >>> 0).toString(16),
    last
  }
}

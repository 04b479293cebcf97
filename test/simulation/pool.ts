import { Context, Duration, Effect, Exit, Fiber, Layer } from "effect"
import { Identifier, makeRunId } from "../../src/domain/ids.ts"
import { makeMemoryDisk } from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import { SafeFiles } from "../../src/files/SafeFiles.ts"
import type { ProcessTable } from "../../src/processes/ProcessTable.ts"
import { defaultLimits } from "../../src/sandbox/smolvm/limits.ts"
import { SandboxError } from "../../src/sandbox/Sandboxes.ts"
import { machineName } from "../../src/sandbox/smolvm/machineName.ts"
import type { Machine as ListedMachine, Machines } from "../../src/sandbox/smolvm/Machines.ts"
import { SmolvmError } from "../../src/sandbox/smolvm/SmolvmError.ts"
import { makeVmPool, type VmPool } from "../../src/sandbox/smolvm/VmPool.ts"
import { makeDice, makeMachine, tellExit } from "../support/Machine.ts"
import type { PoolFault } from "./coverage.ts"
import { Violation } from "./Ledger.ts"

const ROOT = "/state"
const SECOND = 1_000
const MINUTE = 60 * SECOND
const FAULTS_END = 60 * MINUTE
const REST = 60 * MINUTE
const ISSUES = 12
/** Somebody else has a machine of the name that this issue's would have. */
const TAKEN = 1

interface GuestMachine {
  readonly name: string
  readonly foreign: boolean
  state: "created" | "running" | "stopped"
  /** Null while its process does not live. */
  pid: number | null
  fingerprint: string
}

export interface PoolOutcome {
  readonly violation: Violation | null
  readonly hits: Readonly<Partial<Record<PoolFault, number>>>
  readonly leases: number
}

/**
 * The production pool over a simulated smolvm, which may fail, hang, lie, lose machines and leave their
 * processes, and over a program that dies and starts again. Throws nothing: what was broken is in the outcome.
 */
export const simulatePool = (seed: number): PoolOutcome => {
  const dice = makeDice(seed)
  const machine = makeMachine({ dice })
  const disk = makeMemoryDisk()
  disk.put(`${ROOT}/.keep`, "")
  const begin = machine.now()
  const bound = dice.between(1, 4)
  /** The command ends with who asked; a server does not. */
  const outlivesCaller = dice.chance(0.5)
  const guests = new Map<string, GuestMachine>()
  const processes = new Map<number, string>()
  const holders = new Map<string, number>()
  const hits: Partial<Record<PoolFault, number>> = {}
  let pids = 100
  let life = 0
  let leases = 0
  let current: ReturnType<typeof machine.start<VmPool>> | undefined

  const isFaulty = () => machine.now() - begin < FAULTS_END
  const strikes = (fault: PoolFault, probability: number): boolean => {
    if (!isFaulty() || !dice.chance(probability)) return false
    hits[fault] = (hits[fault] ?? 0) + 1
    return true
  }
  /** The first counts; a fiber that dies of it tells nobody. */
  let failure: Violation | null = null
  const broken = (invariant: string, detail: string): never => {
    const violation = new Violation(invariant, detail)
    failure ??= violation
    throw violation
  }

  const begetProcess = (guest: GuestMachine, state: "created" | "running"): void => {
    guest.pid = pids += 1
    guest.state = state
    processes.set(guest.pid, guest.name)
    // Whichever life of symphony they are of.
    const living = [...processes.values()].filter((name) => !foreign.includes(name))
    if (living.length > bound) broken("the pool keeps its bound", `${living.join(", ")} of ${bound}`)
  }
  const endProcess = (guest: GuestMachine): void => {
    if (guest.pid !== null) processes.delete(guest.pid)
    guest.pid = null
  }
  const touch = (guest: GuestMachine, what: string): void => {
    if (guest.foreign) broken("a foreign machine is left alone", `${what} ${guest.name}`)
  }

  const smolvmError = (reason: SmolvmError["reason"], operation: string) =>
    new SmolvmError({ reason, operation, detail: reason })
  const quick = () => dice.between(5, 800)
  const timesOut = (limit: number, operation: string) =>
    Effect.andThen(Effect.sleep(limit), Effect.fail(smolvmError("timeout", operation)))
  const operation = <A>(apply: () => Effect.Effect<A, SmolvmError>) => machine.io(apply, quick)
  const limit = (name: keyof typeof defaultLimits): number => Number(defaultLimits[name].valueOf()) || 60_000

  /** Whether the record on disk names the process: a lie about any other machine cannot be found out. */
  const isWrittenDown = ({ name, pid }: GuestMachine): boolean => {
    const path = `${ROOT}/vms/${name}.json`
    return disk.stat(path) !== null && Buffer.from(disk.read(path).bytes).toString().includes(`"pid":${pid},`)
  }

  const listed = (guest: GuestMachine): ReadonlyArray<ListedMachine> => {
    const { name, pid, state } = guest
    if (pid !== null && isWrittenDown(guest) && strikes("vm lies", 0.05))
      return dice.chance(0.5) ? [] : [{ name, pid: null, state: "stopped" }]
    return [{ name, state: pid === null && state === "running" ? "unreachable" : state, pid }]
  }

  const found = (name: string, operation: string) => {
    const guest = guests.get(name)
    return guest === undefined ? smolvmError("not_found", operation) : guest
  }

  const machines: Machines = {
    description: "simulated",
    outlivesCaller,
    version: Effect.succeed("1"),
    list: Effect.suspend(() => {
      if (strikes("vm list fails", 0.06))
        return dice.chance(0.3)
          ? timesOut(limit("list"), "machine ls")
          : Effect.fail(smolvmError(dice.pick(["failed", "malformed"]), "machine ls"))
      return operation(() => Effect.sync(() => [...guests.values()].flatMap(listed)))
    }),
    create: ({ name }) =>
      operation(() => {
        if (guests.has(name)) return Effect.fail(smolvmError("name_taken", "machine create"))
        if (strikes("vm create fails", 0.05) && dice.chance(0.5))
          return Effect.fail(smolvmError("image", "machine create"))
        guests.set(name, {
          name,
          foreign: false,
          state: "created",
          pid: null,
          fingerprint: ""
        })
        // It was made, and nobody is told.
        return strikes("vm create fails", 0.03)
          ? Effect.fail(smolvmError("failed", "machine create"))
          : Effect.void
      }),
    start: (name, patience) =>
      Effect.suspend(() => {
        const hangs = strikes("vm start hangs", 0.06)
        // What is asked of a server is done, however long it takes and whatever becomes of the machine.
        const late = hangs && outlivesCaller && strikes("vm start is late", 0.5)
        const fails = !hangs && strikes("vm start fails", 0.05)
        const boots = (!late && !hangs) || (!late && dice.chance(0.5))
        return operation(() => {
          const guest = found(name, "machine start")
          if (guest instanceof SmolvmError) return Effect.fail(guest)
          touch(guest, "started")
          if (guest.pid !== null) broken("a machine is booted once", name)
          // Until it answers smolvm says that the machine is not running, though its process lives.
          if (boots) begetProcess(guest, hangs || fails ? "created" : "running")
          if (late) {
            machine.after(Duration.toMillis(patience) + dice.between(0, 4 * MINUTE), () => {
              if (goesOn(() => guest.pid === null)) goesOn(() => (begetProcess(guest, "running"), true))
            })
          }
          return fails ? Effect.fail(smolvmError("failed", "machine start")) : Effect.void
        }).pipe(Effect.andThen(hangs ? timesOut(Duration.toMillis(patience), "machine start") : Effect.void))
      }),
    stop: (name) =>
      Effect.suspend(() => {
        if (strikes("vm stop fails", 0.08))
          return dice.chance(0.5)
            ? timesOut(limit("stop"), "machine stop")
            : Effect.fail(smolvmError("failed", "machine stop"))
        return operation(() => {
          const guest = found(name, "machine stop")
          if (guest instanceof SmolvmError) return Effect.fail(guest)
          touch(guest, "stopped")
          if (strikes("vm stays", 0.06)) return Effect.void
          if (guest.pid !== null || guest.state === "running") guest.state = "stopped"
          endProcess(guest)
          return Effect.void
        })
      }),
    remove: (name) =>
      operation(() => {
        const guest = found(name, "machine delete")
        if (guest instanceof SmolvmError) return Effect.fail(guest)
        touch(guest, "deleted")
        if (holders.has(name)) broken("nobody's machine is deleted", name)
        if (guest.pid !== null) broken("a machine is stopped before it is deleted", name)
        if (strikes("vm remove fails", 0.05)) return Effect.fail(smolvmError("failed", "machine delete"))
        guests.delete(name)
        return Effect.void
      }),
    execute: () => Effect.die("not used by the pool"),
    launch: () => Effect.die("not used by the pool")
  }

  const table: Pick<ProcessTable["Service"], "find" | "signal"> = {
    find: (pid) =>
      Effect.sync(() =>
        processes.has(pid) ? { pid, parent: 1, group: pid, startTime: String(pid * 7), marker: null } : null
      ),
    signal: (pid) =>
      Effect.sync(() => {
        const guest = guests.get(processes.get(pid) ?? "")
        if (guest === undefined) return
        touch(guest, "killed")
        endProcess(guest)
      })
  }

  const program = Effect.gen(function* () {
    const files = Context.get(yield* Layer.build(MemorySafeFiles.layer(disk)), SafeFiles)
    const unused = () => Effect.die("not used by the pool")
    return yield* makeVmPool(
      { files, table: { bootId: Effect.succeed("boot"), list: unused, exists: unused, ...table } },
      ROOT,
      machines,
      defaultLimits
    )
  })

  /** Whether the guest answers; what an agent has left in a machine may keep it from that. */
  const prove = (name: string) =>
    Effect.suspend(() =>
      strikes("vm is of no use", 0.05)
        ? Effect.fail(new SandboxError({ kind: "smolvm", reason: "unavailable", detail: name, hint: null }))
        : Effect.sleep(quick())
    )

  /** One run of an issue: it has its machine to itself for as long as it holds it. */
  const session = (pool: VmPool, issue: number, run: number, fingerprint: string) => {
    const identifier = Identifier.make(`ISSUE-${issue}`)
    const name = machineName(ROOT, identifier)
    return Effect.scoped(
      Effect.gen(function* () {
        const spec = { from: null, image: null, cpus: 1, memMib: 1, mounts: [], net: true }
        const lease = { identifier, runId: makeRunId(life, run), spec, fingerprint, bound }
        const held = yield* pool.lease(machines, lease, prove)
        const guest = guests.get(held.name)
        if (guest === undefined || guest.foreign || holders.has(held.name))
          return broken("a lease is a machine of one's own", held.name)
        if (held.reused && guest.fingerprint !== fingerprint)
          broken("another configuration has another machine", held.name)
        guest.fingerprint = fingerprint
        holders.set(held.name, run)
        leases += 1
        yield* Effect.addFinalizer(() => Effect.sync(() => void holders.delete(held.name)))
        yield* Effect.sleep(dice.between(SECOND, 3 * MINUTE))
        if (strikes("vm is lost", 0.1) && guest.pid !== null) endProcess(guest)
      })
    ).pipe(Effect.annotateLogs({ vm: name }))
  }

  let running = new Map<number, Fiber.Fiber<unknown, unknown>>()
  let runs = 0
  /** Whether there is more to do; false after a broken promise. */
  const goesOn = (what: () => boolean): boolean => {
    try {
      return what() && failure === null
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      return false
    }
  }

  const start = (): void => {
    life += 1
    holders.clear()
    running = new Map()
    current = machine.start(program)
  }
  const visit = (): void => {
    const pool = current?.value()
    const issue = dice.between(1, ISSUES)
    if (pool !== undefined && !running.has(issue) && current !== undefined) {
      runs += 1
      const fiber = current.fork(session(pool, issue, runs, dice.chance(0.8) ? "one" : "other"))
      running.set(issue, fiber)
      const mine = life
      fiber.addObserver((exit) => {
        if (mine === life) running.delete(issue)
        if (Exit.isFailure(exit) && exit.cause.reasons.some((reason) => reason._tag === "Die"))
          failure ??= new Violation("the program lives", tellExit(exit))
      })
    }
    if (isFaulty()) machine.after(dice.between(SECOND, 20 * SECOND), visit)
  }
  const die = (): void => {
    if (!isFaulty()) return
    if (strikes("vm owner is killed", 1)) machine.kill()
    machine.after(dice.between(SECOND, MINUTE), start)
    machine.after(dice.between(3 * MINUTE, 30 * MINUTE), die)
  }

  const taken = machineName(ROOT, `ISSUE-${TAKEN}`)
  const foreign = ["somebody", ...(dice.chance(0.5) ? [taken] : [])]
  for (const name of foreign) {
    const pid = (pids += 1)
    guests.set(name, { name, foreign: true, state: "running", pid, fingerprint: "" })
    processes.set(pid, name)
  }
  start()
  machine.after(0, visit)
  machine.after(dice.between(3 * MINUTE, 30 * MINUTE), die)

  const advance = (ms: number): boolean => {
    const until = machine.now() + ms
    while (goesOn(() => machine.step(until))) continue
    if (failure === null) machine.advance(until - machine.now())
    return failure === null
  }
  const checkLeases = (): boolean => {
    const waiting = [...running.keys()].map((issue) => `ISSUE-${issue}`)
    if (waiting.length > 0) return broken("a lease comes to an end", waiting.join(", "))
    const idle = [...processes.values()].filter((name) => !foreign.includes(name))
    return idle.length === 0 || broken("no machine outlives its owner", `${idle.join(", ")} without a run`)
  }
  const checkRest = (): boolean => {
    const left = [...guests.values()].filter((guest) => !guest.foreign).map(({ name }) => name)
    const strays = [...processes.values()].filter((name) => !foreign.includes(name))
    if (left.length + strays.length > 0)
      return broken("no machine outlives its owner", [...left, ...strays].join(", "))
    return (
      foreign.every((name) => guests.get(name)?.pid != null) ||
      broken("a foreign machine is left alone", "one is gone")
    )
  }
  if (advance(FAULTS_END + REST) && goesOn(checkLeases)) {
    current?.stop()
    if (advance(30 * MINUTE)) goesOn(checkRest)
  }
  return { violation: failure, hits, leases }
}

import { Clock, Duration, Effect, Exit, FileSystem, Result, Schedule, type Scope, Semaphore } from "effect"
import type { Identifier, RunId } from "../../domain/ids.ts"
import { within } from "../../processes/endProcesses.ts"
import type { LocalMachine } from "../LocalRun.ts"
import type { Reaped } from "../SandboxDriver.ts"
import { SandboxError } from "../Sandboxes.ts"
import type { Limits } from "./limits.ts"
import { machineName, machinePrefix } from "./machineName.ts"
import type { Machine, Machines, MachineSpec } from "./Machines.ts"
import { sandboxError, SmolvmError } from "./SmolvmError.ts"
import { readVmRecords, removeVmRecord, type VmRecord, writeVmRecord } from "./VmRecord.ts"

export interface Lease {
  readonly identifier: Identifier
  readonly runId: RunId
  readonly spec: Omit<MachineSpec, "name">
  readonly fingerprint: string
  /** How many machines may live at the same time. */
  readonly bound: number
}

/** The machines of one tracker. */
export interface VmPool {
  /**
   * A running machine for the issue, one that it had before where nothing about it has changed. Waits while
   * `bound` machines live. When the scope closes it is stopped, and kept for the next run; until it is
   * known to be dead it counts as living.
   *
   * `prove` says whether the machine is of use. One that the issue had before and that is not, whatever became
   * of it, is replaced by a new one at once; the failure of a new one is the lease's.
   */
  readonly lease: <A>(
    machines: Machines,
    lease: Lease,
    prove: (name: string) => Effect.Effect<A, SandboxError>
  ) => Effect.Effect<
    { readonly name: string; readonly reused: boolean; readonly proof: A },
    SandboxError,
    Scope.Scope
  >
  /** Stops the machine now, whoever has it. */
  readonly stop: (machines: Machines, name: string) => Effect.Effect<"dead" | "unknown">
  readonly reap: (machines: Machines, leftover: ReadonlyArray<RunId>) => Effect.Effect<ReadonlyArray<Reaped>>
  /** Machines of ours that are there, with what became of them. */
  readonly records: Effect.Effect<ReadonlyArray<VmRecord>>
}

/** States in which nothing runs, unless a process says otherwise. Any other, known or not, is taken for alive. */
const AT_REST = new Set(["created", "stopped", "failed"])
/** Ending many machines at once would take the machine they are on. */
const AT_ONCE = 4

/** After these smolvm may still be at what it was asked for. */
const UNTOLD: ReadonlySet<SmolvmError["reason"]> = new Set(["timeout", "unanswered"])

/** Whether what ended so for us may still take effect. */
const goesOn = (machines: Machines, exit: Exit.Exit<void, SmolvmError>): boolean =>
  machines.outlivesCaller &&
  Exit.isFailure(exit) &&
  exit.cause.reasons.some((reason) => reason._tag !== "Fail" || UNTOLD.has(reason.error.reason))

const ioError = (error: { readonly message: string }) =>
  new SandboxError({ kind: "smolvm", reason: "io", detail: error.message, hint: null })

/**
 * Builds the pool over the records that lie below `stateRoot`. Machines that an earlier orchestrator left are
 * removed in the background, for as long as it takes; those that this one made, when the scope closes.
 */
export const makeVmPool = Effect.fnUntraced(function* (
  { files, table }: Pick<LocalMachine, "files" | "table">,
  stateRoot: string,
  machines: Machines,
  limits: Limits
): Effect.fn.Return<VmPool, SandboxError, Scope.Scope> {
  const inherited = yield* Effect.mapError(readVmRecords(files, stateRoot), ioError)
  const records = new Map<string, VmRecord>(inherited.map((record) => [record.name, record]))
  /** What an earlier orchestrator left. */
  const strange = new Set(records.keys())
  /** Never to be used again: what was of no use once, and is still there. */
  const unfit = new Set(records.keys())
  const locks = new Map<string, Semaphore.Semaphore>()
  let bound = 1
  const slots = yield* Semaphore.make(bound)
  const longest = Duration.toMillis(Duration.sum(limits.pull, limits.settle))
  const scope = yield* Effect.scope

  const locked = (name: string) => {
    const lock = locks.get(name) ?? Semaphore.makeUnsafe(1)
    locks.set(name, lock)
    return lock.withPermit
  }

  /** What an earlier orchestrator left alive counts too, until it is dead. */
  const size = Effect.suspend(() =>
    slots.resize(
      Math.max(0, bound - [...strange].filter((name) => records.get(name)?.stopped === false).length)
    )
  )

  /** The last written is the last in order. */
  const write = (record: VmRecord) =>
    Effect.mapError(writeVmRecord(files, stateRoot, record), ioError).pipe(
      Effect.andThen(
        Effect.sync(() => {
          records.delete(record.name)
          records.set(record.name, record)
        })
      ),
      Effect.andThen(size)
    )
  const note = (record: VmRecord) =>
    Effect.catch(write(record), (error) => Effect.logWarning("the record of a VM is not up to date", error))
  const forget = (name: string) =>
    removeVmRecord(files, stateRoot, name).pipe(
      Effect.andThen(
        Effect.sync(() => {
          records.delete(name)
          strange.delete(name)
          unfit.delete(name)
        })
      ),
      Effect.andThen(size),
      Effect.catch((error) => Effect.logWarning("the record of a VM that is gone stays", error))
    )

  const look = (machines: Machines, name: string) =>
    Effect.map(machines.list, (all) => all.find((machine) => machine.name === name) ?? null)

  /** Pids that were told before the machine was booted anew belong to anybody. */
  const isOfThisBoot = ({ bootId }: VmRecord) =>
    Effect.map(table.bootId, (current) => bootId === null || bootId === current)

  /** Whether the process that was the machine still is; a pid of somebody else does not count. */
  const processLives = Effect.fnUntraced(function* (record: VmRecord) {
    const { process } = record
    if (process === null || !(yield* isOfThisBoot(record))) return false
    return (yield* table.find(process.pid))?.startTime === process.startTime
  })

  /** The living process that smolvm names for the machine, if it does. */
  const listedProcess = Effect.fnUntraced(function* (record: VmRecord, machine: Machine | null) {
    if (machine?.pid == null || !(yield* isOfThisBoot(record))) return null
    return yield* table.find(machine.pid)
  })

  /** Whether what was asked for may still happen. The clock may have been set back since. */
  const isPending = ({ pending }: VmRecord, machine: Machine | null) =>
    Effect.map(
      Clock.currentTimeMillis,
      (now) =>
        pending !== null &&
        pending.state === (machine?.state ?? null) &&
        now < pending.until &&
        now > pending.until - longest
    )

  /** smolvm's word and the process table's together; `unknown` when either does not say that it is dead. */
  const verdict = Effect.fnUntraced(function* (machines: Machines, record: VmRecord) {
    const machine = yield* Effect.result(look(machines, record.name))
    if (machine._tag === "Failure") {
      yield* Effect.logWarning("smolvm does not say which machines live", machine.failure)
      return "unknown" as const
    }
    if (machine.success !== null && !AT_REST.has(machine.success.state)) return "unknown" as const
    const lives =
      (yield* listedProcess(record, machine.success)) !== null ||
      (yield* processLives(record)) ||
      (yield* isPending(record, machine.success))
    return lives ? ("unknown" as const) : ("dead" as const)
  })

  /**
   * Writes down the process of a machine, as smolvm names it, so that it is found when smolvm forgets it. A
   * machine that has come alive has been started.
   */
  const identify = Effect.fnUntraced(function* (machines: Machines, record: VmRecord) {
    const machine = yield* Effect.orElseSucceed(look(machines, record.name), () => null)
    const entry = yield* listedProcess(record, machine)
    if (entry === null) return record
    const { pid, startTime } = entry
    const known = record.process
    if (known?.pid === pid && known.startTime === startTime && record.pending === null) return record
    const identified: VmRecord = { ...record, process: { pid, startTime }, pending: null }
    yield* note(identified)
    return identified
  })

  const tried = (what: Effect.Effect<void, SmolvmError>, words: string) =>
    what.pipe(
      Effect.catch((error) => (error.reason === "not_found" ? Effect.void : Effect.logWarning(words, error)))
    )

  const halt = Effect.fnUntraced(
    function* (machines: Machines, written: VmRecord) {
      if (written.stopped) return "dead" as const
      // While smolvm still knows: after a stop that failed it may not.
      const record = yield* identify(machines, written)
      yield* tried(machines.stop(record.name), "a VM was not stopped")
      let answer = yield* verdict(machines, record)
      if (answer === "unknown" && record.process !== null && (yield* processLives(record))) {
        // Asked, and not gone: it is ours by pid and start time.
        yield* table.signal(record.process.pid, "SIGKILL")
        yield* within(
          limits.askAgain,
          Effect.repeat(processLives(record), {
            until: (lives) => !lives,
            schedule: Schedule.spaced("20 millis")
          })
        )
        answer = yield* verdict(machines, record)
      }
      if (answer === "dead") yield* note({ ...record, stopped: true })
      return answer
    },
    (effect, _machines, record) => Effect.annotateLogs(effect, { vm: record.name })
  )

  /** Stops, then deletes: deleting alone has been seen to leave the process. */
  const destroy = Effect.fnUntraced(function* (machines: Machines, name: string) {
    const record = records.get(name)
    if (record === undefined) return "dead" as const
    if ((yield* halt(machines, record)) === "unknown") return "unknown" as const
    yield* tried(machines.remove(name), "a VM was not deleted")
    const left = yield* Effect.result(look(machines, name))
    if (left._tag === "Failure" || left.success !== null) return "unknown" as const
    yield* forget(name)
    return "dead" as const
  })

  const untilDead = (end: Effect.Effect<"dead" | "unknown">) =>
    Effect.repeat(end, { until: (answer) => answer === "dead", schedule: Schedule.spaced(limits.askAgain) })

  const stop = (machines: Machines, name: string) =>
    locked(name)(
      Effect.suspend(() => {
        const record = records.get(name)
        return record === undefined ? Effect.succeed("dead" as const) : halt(machines, record)
      })
    )

  /** Ends the machine as this run had it. One that has been made anew since then is another run's. */
  const endOf = (
    name: string,
    runId: RunId | undefined,
    end: (record: VmRecord) => ReturnType<typeof halt>
  ) =>
    locked(name)(
      Effect.suspend(() => {
        const record = records.get(name)
        return record === undefined || record.runId !== runId ? Effect.succeed("dead" as const) : end(record)
      })
    )

  /** Asks for what `record` is about to have; the record says so for as long as it may still happen. */
  const ask = Effect.fnUntraced(function* (
    machines: Machines,
    record: VmRecord,
    what: {
      readonly state: string | null
      readonly limit: Duration.Duration
      readonly run: Effect.Effect<void, SmolvmError>
    }
  ) {
    const patience = machines.outlivesCaller ? Duration.sum(what.limit, limits.settle) : what.limit
    const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(patience)
    yield* write({ ...record, pending: { state: what.state, until } })
    yield* Effect.onExit(what.run, (exit) => (goesOn(machines, exit) ? Effect.void : note(record)))
  })

  const boot = Effect.fnUntraced(function* (machines: Machines, lease: Lease, name: string) {
    const found = yield* Effect.mapError(look(machines, name), sandboxError)
    const known = records.get(name)
    if (found !== null && known === undefined) {
      return yield* sandboxError(
        new SmolvmError({
          reason: "name_taken",
          operation: "machine create",
          detail: `machine '${name}' exists already`
        })
      )
    }
    const rests =
      found !== null &&
      known !== undefined &&
      known.stopped &&
      AT_REST.has(found.state) &&
      (yield* listedProcess(known, found)) === null
    // Started by hand, or long after it was asked for.
    if (known?.stopped === true && found !== null && !rests) yield* note({ ...known, stopped: false })
    const fit = rests && known.fingerprint === lease.fingerprint && !unfit.has(name)
    if (known !== undefined && !fit) yield* clear(machines, name)
    const limit = lease.spec.from === null && lease.spec.image !== null ? limits.pull : limits.start
    const record: VmRecord = {
      version: 1,
      name,
      identifier: lease.identifier,
      runId: lease.runId,
      fingerprint: lease.fingerprint,
      stopped: false,
      process: null,
      bootId: yield* table.bootId,
      pending: null
    }
    if (!fit) {
      const run = machines.create({ ...lease.spec, name })
      yield* ask(machines, record, { state: null, limit: limits.create, run }).pipe(
        // Made by somebody else in this moment: not ours to end.
        Effect.tapError((error) => (error.reason === "name_taken" ? forget(name) : Effect.void)),
        Effect.catchTag("SmolvmError", (error) => sandboxError(error))
      )
    }
    const state = fit ? found.state : "created"
    yield* ask(machines, record, { state, limit, run: machines.start(name, limit) }).pipe(
      Effect.onExit(() => Effect.suspend(() => identify(machines, records.get(name) ?? record))),
      Effect.catchTag("SmolvmError", (error) => sandboxError(error))
    )
    return fit
  })

  /** Makes way for a new machine of the name. */
  const clear = Effect.fnUntraced(function* (machines: Machines, name: string) {
    if ((yield* destroy(machines, name)) === "dead") return
    return yield* new SandboxError({
      kind: "smolvm",
      reason: "boot",
      detail: `the machine ${name} of an earlier run cannot be removed`,
      hint: "`symphony doctor` says what smolvm answers"
    })
  })

  const bootAndProve = Effect.fnUntraced(function* <A>(
    machines: Machines,
    lease: Lease,
    name: string,
    prove: (name: string) => Effect.Effect<A, SandboxError>
  ) {
    const reused = yield* boot(machines, lease, name)
    const first = yield* Effect.result(prove(name))
    if (Result.isSuccess(first)) return { name, reused, proof: first.success }
    if (!reused) return yield* first.failure
    yield* Effect.logWarning("a VM that was kept is of no use any more; making it anew", first.failure)
    unfit.add(name)
    yield* clear(machines, name)
    yield* boot(machines, lease, name)
    return { name, reused: false, proof: yield* prove(name) }
  })

  /** Gives the slot back once the machine is dead, and not before. */
  const giveBack = Effect.fnUntraced(function* (end: Effect.Effect<"dead" | "unknown">) {
    const free = slots.release(1)
    if ((yield* end) === "dead") return yield* Effect.asVoid(free)
    yield* Effect.logError("a VM may still be alive and keeps its slot; asking again")
    // Belongs to the pool: the run that had the machine must not wait for what may never come.
    yield* Effect.forkIn(Effect.andThen(untilDead(end), free), scope)
  })

  /** Machines at rest are worth their disk only while an issue may come back for them soon. */
  const dropOldest = Effect.fnUntraced(function* (machines: Machines) {
    const resting = [...records.values()].filter((record) => record.stopped)
    const [oldest] = resting
    if (oldest === undefined || resting.length <= bound) return
    yield* locked(oldest.name)(
      Effect.suspend(() =>
        records.get(oldest.name)?.stopped === true
          ? Effect.asVoid(destroy(machines, oldest.name))
          : Effect.void
      )
    )
  })

  const lease: VmPool["lease"] = Effect.fn("VmPool.lease")(function* <A>(
    machines: Machines,
    lease: Lease,
    prove: (name: string) => Effect.Effect<A, SandboxError>
  ) {
    const name = machineName(stateRoot, lease.identifier)
    if (lease.bound !== bound) {
      bound = lease.bound
      yield* size
    }
    return yield* Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        yield* restore(slots.take(1))
        const booted = yield* Effect.exit(restore(locked(name)(bootAndProve(machines, lease, name, prove))))
        if (Exit.isFailure(booted)) {
          if (records.has(name)) unfit.add(name)
          yield* giveBack(endOf(name, records.get(name)?.runId, () => destroy(machines, name)))
          return yield* booted
        }
        yield* Effect.addFinalizer(() =>
          Effect.andThen(
            giveBack(endOf(name, lease.runId, (record) => halt(machines, record))),
            dropOldest(machines)
          )
        )
        return booted.value
      })
    ).pipe(Effect.annotateLogs({ vm: name }))
  })

  const reap = Effect.fn("VmPool.reap")(function* (machines: Machines, leftover: ReadonlyArray<RunId>) {
    return yield* Effect.forEach(
      leftover,
      (runId) =>
        Effect.forEach(
          [...records.values()].filter((record) => record.runId === runId),
          (record) => stop(machines, record.name)
        ).pipe(
          Effect.map((answers): Reaped => ({
            runId,
            status: answers.every((answer) => answer === "dead") ? "dead" : "unknown"
          }))
        ),
      { concurrency: AT_ONCE }
    )
  })

  yield* size
  yield* Effect.addFinalizer(() =>
    Effect.forEach([...records.keys()], (name) => locked(name)(destroy(machines, name)), {
      concurrency: AT_ONCE,
      discard: true
    })
  )
  yield* Effect.forEach(
    inherited,
    ({ name }) =>
      untilDead(
        locked(name)(
          Effect.suspend(() =>
            strange.has(name) ? destroy(machines, name) : Effect.succeed("dead" as const)
          )
        )
      ),
    { concurrency: AT_ONCE, discard: true }
  ).pipe(Effect.forkScoped)

  return { lease, stop, reap, records: Effect.sync(() => [...records.values()]) }
})

/** Machines that carry the name of this tracker and that nobody wrote down. */
export const unrecorded = (
  stateRoot: string,
  machines: ReadonlyArray<Machine>,
  records: ReadonlyArray<VmRecord>
): ReadonlyArray<string> =>
  machines
    .map(({ name }) => name)
    .filter((name) => name.startsWith(machinePrefix(stateRoot)) && !records.some((it) => it.name === name))

export const realStateRoot = (fs: FileSystem.FileSystem, root: string) =>
  Effect.orElseSucceed(fs.realPath(root), () => root)

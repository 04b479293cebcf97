import { Effect, Exit, FileSystem, Schedule, type Scope, Semaphore } from "effect"
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
   */
  readonly lease: (
    machines: Machines,
    lease: Lease
  ) => Effect.Effect<{ readonly name: string; readonly reused: boolean }, SandboxError, Scope.Scope>
  /** Stops the machine now, whoever has it. */
  readonly stop: (machines: Machines, name: string) => Effect.Effect<"dead" | "unknown">
  readonly reap: (machines: Machines, leftover: ReadonlyArray<RunId>) => Effect.Effect<ReadonlyArray<Reaped>>
  /** Machines of ours that are there, with what became of them. */
  readonly records: Effect.Effect<ReadonlyArray<VmRecord>>
}

/** States in which nothing runs. Any other, known or not, is taken for alive. */
const AT_REST = new Set(["created", "stopped", "failed"])
/** Ending many machines at once would take the machine they are on. */
const AT_ONCE = 4

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
  /** Not yet known to be fit for another run: what an earlier orchestrator left. */
  const strange = new Set(records.keys())
  const locks = new Map<string, Semaphore.Semaphore>()
  let bound = 1
  const slots = yield* Semaphore.make(bound)
  const scope = yield* Effect.scope

  const locked = (name: string) => {
    const lock = locks.get(name) ?? Semaphore.makeUnsafe(1)
    locks.set(name, lock)
    return lock.withPermit
  }

  const write = (record: VmRecord) =>
    Effect.andThen(
      Effect.mapError(writeVmRecord(files, stateRoot, record), ioError),
      Effect.sync(() => void records.set(record.name, record))
    )
  const note = (record: VmRecord) =>
    Effect.catch(write(record), (error) => Effect.logWarning("the record of a VM is not up to date", error))
  const forget = (name: string) =>
    removeVmRecord(files, stateRoot, name).pipe(
      Effect.andThen(
        Effect.sync(() => {
          records.delete(name)
          strange.delete(name)
        })
      ),
      Effect.catch((error) => Effect.logWarning("the record of a VM that is gone stays", error))
    )

  const look = (machines: Machines, name: string) =>
    Effect.map(machines.list, (all) => all.find((machine) => machine.name === name) ?? null)

  /** Whether the process that was the machine still is; a pid of somebody else does not count. */
  const processLives = Effect.fnUntraced(function* ({ process }: VmRecord) {
    if (process === null) return false
    return (yield* table.find(process.pid))?.startTime === process.startTime
  })

  /** smolvm's word and the process table's together; `unknown` when either does not say that it is dead. */
  const verdict = Effect.fnUntraced(function* (machines: Machines, record: VmRecord) {
    const machine = yield* Effect.result(look(machines, record.name))
    if (machine._tag === "Failure") {
      yield* Effect.logWarning("smolvm does not say which machines live", machine.failure)
      return "unknown" as const
    }
    if (machine.success !== null && !AT_REST.has(machine.success.state)) return "unknown" as const
    return (yield* processLives(record)) ? ("unknown" as const) : ("dead" as const)
  })

  const tried = (what: Effect.Effect<void, SmolvmError>, words: string) =>
    what.pipe(
      Effect.catch((error) => (error.reason === "not_found" ? Effect.void : Effect.logWarning(words, error)))
    )

  const halt = Effect.fnUntraced(
    function* (machines: Machines, record: VmRecord) {
      if (record.stopped) return "dead" as const
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
    const fit =
      found !== null &&
      known !== undefined &&
      known.stopped &&
      AT_REST.has(found.state) &&
      known.fingerprint === lease.fingerprint &&
      !strange.has(name)
    if (known !== undefined && !fit && (yield* destroy(machines, name)) === "unknown") {
      return yield* new SandboxError({
        kind: "smolvm",
        reason: "boot",
        detail: `the machine ${name} of an earlier run cannot be removed`,
        hint: "`symphony doctor` says what smolvm answers"
      })
    }
    const record: VmRecord = {
      version: 1,
      name,
      identifier: lease.identifier,
      runId: lease.runId,
      fingerprint: lease.fingerprint,
      stopped: false,
      process: null
    }
    yield* write(record)
    if (!fit) {
      yield* machines.create({ ...lease.spec, name }).pipe(
        // Made by somebody else in this moment: not ours to end.
        Effect.tapError((error) => (error.reason === "name_taken" ? forget(name) : Effect.void)),
        Effect.mapError(sandboxError)
      )
    }
    yield* Effect.mapError(machines.start(name), sandboxError)
    const running = yield* Effect.mapError(look(machines, name), sandboxError)
    if (running?.pid != null) {
      const entry = yield* table.find(running.pid)
      if (entry !== null) {
        yield* write({ ...record, process: { pid: running.pid, startTime: entry.startTime } })
      }
    }
    return { name, reused: fit }
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

  const lease = Effect.fn("VmPool.lease")(function* (machines: Machines, lease: Lease) {
    const name = machineName(stateRoot, lease.identifier)
    if (lease.bound !== bound) {
      bound = lease.bound
      yield* slots.resize(bound)
    }
    return yield* Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        yield* restore(slots.take(1))
        const booted = yield* Effect.exit(restore(locked(name)(boot(machines, lease, name))))
        if (Exit.isFailure(booted)) {
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

import { Duration, Effect, FileSystem, Redacted, Ref, type Scope, Semaphore } from "effect"
import { type ChildProcess, ChildProcessSpawner } from "effect/process"
import { type FileError, SafeFiles } from "../files/SafeFiles.ts"
import type { SandboxKind } from "../workflow/WorkflowConfig.ts"
import { sweep, within } from "../processes/endProcesses.ts"
import { type GuestProcess, spawnGuest } from "./guestProcess.ts"
import { ProcessTable } from "../processes/ProcessTable.ts"
import { runFolder, runMarker, writeRunRecord } from "../processes/RunRecord.ts"
import { ofFile } from "./fileProblem.ts"
import { forgetRun, homePath, identityPath, sessionsPath } from "./runFolders.ts"
import { SandboxError, type SandboxProcess, type SandboxRequest } from "./Sandboxes.ts"

/** How long a guest has to end by itself after its stdin is closed, and then after SIGTERM. */
const STDIN_GRACE = Duration.millis(500)
const TERM_GRACE = Duration.seconds(1)

/** What the sandboxes need that run a guest's processes on this machine's kernel. */
export interface LocalMachine {
  readonly spawner: ChildProcessSpawner.ChildProcessSpawner["Service"]
  readonly table: ProcessTable["Service"]
  readonly files: SafeFiles["Service"]
  readonly fs: FileSystem.FileSystem
}

export const localMachine: Effect.Effect<
  LocalMachine,
  never,
  ChildProcessSpawner.ChildProcessSpawner | ProcessTable | SafeFiles | FileSystem.FileSystem
> = Effect.all({
  spawner: ChildProcessSpawner.ChildProcessSpawner,
  table: ProcessTable,
  files: SafeFiles,
  fs: FileSystem.FileSystem
})

export interface LocalRun {
  /** The private HOME as the host names it. */
  readonly home: string
  /** A folder for what the host tells the guest about itself, relative to the state root; goes with the run. */
  readonly identity: string
  readonly marker: string
  /** What outlives the run: folders of the host, by the path below HOME at which the guest is to find them. */
  readonly kept: ReadonlyArray<{ readonly source: string; readonly path: string }>
  readonly start: (
    command: ChildProcess.StandardCommand
  ) => Effect.Effect<SandboxProcess, SandboxError, Scope.Scope>
  readonly stop: Effect.Effect<"dead" | "unknown">
}

interface Started {
  readonly guest: GuestProcess
  readonly startTime: string | null
}

/**
 * A run's private HOME, its durable record and the ending of its processes, which the `host` and `bubblewrap`
 * sandboxes share. `terminate` asks the processes under a group leader to end.
 */
export const acquireLocalRun = Effect.fnUntraced(function* (
  machine: LocalMachine,
  kind: SandboxKind,
  request: SandboxRequest,
  terminate: (leader: number) => Effect.Effect<void>
): Effect.fn.Return<LocalRun, SandboxError, Scope.Scope> {
  const { files, fs, spawner, table } = machine
  const { workflow, runId } = request
  const { config } = workflow
  const place = { root: config.state.root }
  const fileProblem = (error: FileError) => ofFile(kind, error)

  const started = yield* Ref.make<ReadonlyArray<Started>>([])
  const firstStart = yield* Ref.make<string | null>(null)
  const recording = yield* Semaphore.make(1)
  const bootId = yield* table.bootId

  const record = (marker: string) =>
    recording.withPermit(
      Effect.flatMap(Ref.get(started), (all) =>
        writeRunRecord(files, place.root, {
          version: 1,
          runId,
          marker,
          bootId,
          processes: all.map(({ guest, startTime }) => ({ pid: guest.pid, startTime }))
        })
      )
    )

  /** The pid of a leader that has exited may belong to a stranger by now. */
  const stillOurs = Effect.fnUntraced(function* ({ guest, startTime }: Started) {
    if (yield* guest.isRunning) return true
    const present = yield* table.find(guest.pid)
    return present === null || present.startTime === startTime
  })

  const leave = Effect.fnUntraced(function* ({ guest }: Started) {
    yield* guest.dropStdin
    if (yield* within(STDIN_GRACE, guest.process.exit)) return
    yield* terminate(guest.pid)
    if (yield* within(TERM_GRACE, guest.process.exit)) return
    yield* table.signal(-guest.pid, "SIGKILL")
  })

  /** Ends `which`; with the last of the run everything else that carries the run's marker goes too. */
  const end = Effect.fnUntraced(function* (marker: string, which: ReadonlyArray<Started>) {
    yield* Effect.forEach(which, leave, { concurrency: "unbounded", discard: true })
    const others = (yield* Ref.get(started)).filter((one) => !which.includes(one))
    const leaders = yield* Effect.filter(which, stillOurs)
    const verdict = yield* sweep(table, {
      marker: others.length === 0 ? marker : null,
      leaders: leaders.map(({ guest }) => guest.pid),
      since: yield* Ref.get(firstStart)
    })
    if (verdict === "dead") yield* Ref.update(started, (all) => all.filter((one) => !which.includes(one)))
    else yield* Effect.logError("processes of the run outlive SIGKILL")
    return verdict
  }, Effect.annotateLogs({ runId }))

  // Makes the state root too, whose real path the marker is made of.
  yield* Effect.mapError(files.makeDirectory(place, runFolder(runId)), fileProblem)
  const marker = yield* runMarker(fs, place.root, runId)

  const stop = Effect.flatMap(Ref.get(started), (all) => end(marker, all))
  yield* Effect.acquireRelease(Effect.mapError(record(marker), fileProblem), () =>
    Effect.flatMap(stop, (verdict) =>
      verdict === "dead" ? forgetRun(files, place.root, runId) : Effect.void
    )
  )

  yield* files.removeTree(place, homePath(runId)).pipe(
    Effect.andThen(files.makeDirectory(place, homePath(runId), { mode: 0o700 })),
    Effect.andThen(
      Effect.forEach(
        request.homeFiles,
        (file) =>
          files.writeAtomic(place, `${homePath(runId)}/${file.path}`, Redacted.value(file.content), {
            mode: 0o600
          }),
        { discard: true }
      )
    ),
    Effect.mapError(fileProblem)
  )
  const kept = yield* Effect.forEach(request.keep, (path) => {
    const folder = `${sessionsPath(request.identifier)}/${path}`
    return files
      .makeDirectory(place, folder, { mode: 0o700 })
      .pipe(Effect.mapError(fileProblem), Effect.as({ source: `${place.root}/${folder}`, path }))
  })
  const start = Effect.fnUntraced(function* (command: ChildProcess.StandardCommand) {
    const { guest } = yield* Effect.acquireRelease(
      Effect.gen(function* () {
        const guest = yield* spawnGuest(spawner, kind, command)
        const startTime = (yield* table.find(guest.pid))?.startTime ?? null
        const one = { guest, startTime }
        yield* Ref.update(started, (all) => [...all, one])
        yield* Ref.update(firstStart, (first) => first ?? startTime)
        return one
      }),
      (one) =>
        Effect.flatMap(Ref.get(started), (all) => (all.includes(one) ? end(marker, [one]) : Effect.void))
    )
    yield* Effect.mapError(record(marker), fileProblem)
    return guest.process
  })

  return {
    home: `${place.root}/${homePath(runId)}`,
    identity: identityPath(runId),
    marker,
    kept,
    start,
    stop
  }
})

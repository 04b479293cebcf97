import {
  type Cause,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Queue,
  Ref,
  type Scope,
  Semaphore,
  Stream
} from "effect"
import type { RunId } from "../domain/ids.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import {
  type ProcessExit,
  type Sandbox,
  type SandboxCommand,
  SandboxError,
  Sandboxes,
  type SandboxProcess,
  type SandboxRequest,
  type SandboxUnavailable
} from "./Sandboxes.ts"
import { listenerUrl } from "./listenerHost.ts"

/** What a scripted guest program sees of its world. */
export interface Guest {
  readonly request: SandboxRequest
  readonly command: SandboxCommand
  /** Ends when the host closes it. */
  readonly stdin: Stream.Stream<Uint8Array>
  /** Waits while nobody reads, as a full pipe does. */
  readonly stdout: (bytes: Uint8Array) => Effect.Effect<void>
  readonly stderr: (bytes: Uint8Array) => Effect.Effect<void>
}

/** A guest program: answers its exit code; `spawn` failures are for commands that cannot be started. */
export type GuestProgram = (guest: Guest) => Effect.Effect<number, SandboxError>

export interface MemorySandboxesOptions {
  readonly program: GuestProgram
  /** Faults, each where a real sandbox could have one. */
  readonly check?: (workflow: WorkflowDefinition) => Effect.Effect<void, SandboxUnavailable>
  readonly boot?: (request: SandboxRequest) => Effect.Effect<void, SandboxError>
  readonly stop?: (request: SandboxRequest) => Effect.Effect<"dead" | "unknown">
  readonly reap?: (runId: RunId) => Effect.Effect<"dead" | "unknown">
}

/** In pipes of this many chunks a writer waits for its reader. */
const PIPE_CHUNKS = 16

/** Sandboxes without processes: programs are Effects, ended by interruption when their scope closes. */
export const layerMemory = (options: MemorySandboxesOptions): Layer.Layer<Sandboxes> =>
  Layer.succeed(Sandboxes, {
    check: options.check ?? (() => Effect.void),
    acquire: Effect.fn("MemorySandboxes.acquire")(function* (request) {
      yield* options.boot?.(request) ?? Effect.void
      const running = yield* Ref.make<ReadonlyArray<Effect.Effect<void>>>([])
      const endAll = Effect.flatMap(Ref.get(running), (all) =>
        Effect.forEach(all, (end) => end, { discard: true })
      )
      const stop = Effect.andThen(endAll, options.stop?.(request) ?? Effect.succeed("dead" as const))
      yield* Effect.addFinalizer(() => endAll)
      return {
        kind: request.workflow.config.sandbox.kind,
        listenerUrl: listenerUrl(request.listener, request.workflow.config.mcp.host),
        home: `/memory/${request.runId}/home`,
        name: `memory ${request.runId}`,
        start: (command) =>
          Effect.tap(startProgram(options.program, request, command), ({ end }) =>
            Ref.update(running, (all) => [...all, end])
          ).pipe(Effect.map(({ process }) => process)),
        stop
      } satisfies Sandbox
    }),
    reap: (_workflow, leftover) =>
      Effect.forEach(leftover, (runId) =>
        Effect.map(options.reap?.(runId) ?? Effect.succeed("dead" as const), (status) => ({ runId, status }))
      )
  })

const startProgram = Effect.fnUntraced(function* (
  program: GuestProgram,
  request: SandboxRequest,
  command: SandboxCommand
): Effect.fn.Return<
  { readonly process: SandboxProcess; readonly end: Effect.Effect<void> },
  SandboxError,
  Scope.Scope
> {
  const stdin = yield* Queue.bounded<Uint8Array, Cause.Done>(PIPE_CHUNKS)
  const stdout = yield* Queue.bounded<Uint8Array, Cause.Done>(PIPE_CHUNKS)
  const stderr = yield* Queue.bounded<Uint8Array, Cause.Done>(PIPE_CHUNKS)
  const exited = yield* Deferred.make<ProcessExit>()
  const writing = yield* Semaphore.make(1)
  const kind = request.workflow.config.sandbox.kind

  const fiber = yield* program({
    request,
    command,
    stdin: Stream.fromQueue(stdin),
    stdout: (bytes) => Effect.asVoid(Queue.offer(stdout, bytes)),
    stderr: (bytes) => Effect.asVoid(Queue.offer(stderr, bytes))
  }).pipe(
    Effect.onExit((exit) =>
      Effect.all([
        Deferred.succeed(
          exited,
          Exit.isSuccess(exit)
            ? { code: exit.value, detail: `exit code ${exit.value}`, lost: false }
            : { code: null, detail: "ended by SIGKILL", lost: false }
        ),
        Queue.end(stdout),
        Queue.end(stderr),
        Queue.shutdown(stdin)
      ])
    ),
    Effect.forkScoped({ startImmediately: true })
  )

  // A program that fails at its very start is a command that could not be started.
  const early = fiber.pollUnsafe()
  if (early !== undefined && Exit.isFailure(early)) return yield* Effect.failCause(early.cause)

  return {
    end: Fiber.interrupt(fiber),
    process: {
      pid: null,
      stdout: Stream.fromQueue(stdout),
      stderr: Stream.fromQueue(stderr),
      write: (bytes) =>
        writing.withPermit(
          Effect.flatMap(Queue.offer(stdin, bytes), (taken) =>
            taken
              ? Effect.void
              : Effect.fail(
                  new SandboxError({ kind, reason: "io", detail: "the guest's stdin is closed", hint: null })
                )
          )
        ),
      closeStdin: Effect.asVoid(Queue.end(stdin)),
      exit: Deferred.await(exited)
    }
  }
})

import {
  type Cause,
  Deferred,
  Effect,
  Fiber,
  Latch,
  Queue,
  Redacted,
  Schema,
  type Scope,
  Stream
} from "effect"
import type { AgentSession, AgentSessionOptions } from "../../src/agent/AgentSessions.ts"
import { AgentSessions } from "../../src/agent/AgentSessions.ts"
import type { ProcessExit, Sandbox, SandboxProcess } from "../../src/sandbox/Sandboxes.ts"
import type { AdapterName } from "../../src/domain/AdapterName.ts"
import type { WorkflowConfig } from "../../src/workflow/WorkflowConfig.ts"
import { testWorkflow } from "../support/workflow.ts"

const Message = Schema.Struct({
  id: Schema.optionalKey(Schema.Union([Schema.String, Schema.Number, Schema.Null])),
  method: Schema.optionalKey(Schema.String),
  params: Schema.optionalKey(Schema.Unknown),
  result: Schema.optionalKey(Schema.Unknown),
  error: Schema.optionalKey(Schema.Unknown)
})
export type Message = typeof Message.Type
const decodeMessage = Schema.decodeUnknownEffect(Schema.fromJsonString(Message))

const encoder = new TextEncoder()

/** The far end of a session, in our hands: what symphony sent is read, what it gets is written, byte by byte. */
export interface Peer {
  readonly sandbox: Sandbox
  /** What was started. */
  readonly line: Effect.Effect<string>
  /** The next message of symphony. */
  readonly next: Effect.Effect<Message>
  readonly bytes: (bytes: Uint8Array) => Effect.Effect<void>
  readonly raw: (text: string) => Effect.Effect<void>
  readonly send: (message: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  readonly stderr: (text: string) => Effect.Effect<void>
  /** The process ends and its pipes with it. */
  readonly exit: (code: number | null, detail?: string) => Effect.Effect<void>
  /** Its sandbox goes away, and the process with it. */
  readonly lose: (detail: string) => Effect.Effect<void>
  readonly stdinClosed: Effect.Effect<void>
  /** From now on the agent reads nothing more. */
  readonly stopReading: Effect.Effect<void>
  /** Answers the next message, which must be a request of this method. */
  readonly answer: (method: string, result: unknown) => Effect.Effect<Message>
  readonly refuse: (method: string, code: number, message: string, data?: unknown) => Effect.Effect<Message>
  readonly update: (update: Readonly<Record<string, unknown>>) => Effect.Effect<void>
}

export const makePeer: Effect.Effect<Peer> = Effect.gen(function* () {
  const stdout = yield* Queue.unbounded<Uint8Array, Cause.Done>()
  const stderr = yield* Queue.unbounded<Uint8Array, Cause.Done>()
  const inbox = yield* Queue.unbounded<Message>()
  const started = yield* Deferred.make<string>()
  const exited = yield* Deferred.make<ProcessExit>()
  const closed = yield* Deferred.make<void>()
  const reading = yield* Latch.make(true)

  const process: SandboxProcess = {
    pid: null,
    stdout: Stream.fromQueue(stdout),
    stderr: Stream.fromQueue(stderr),
    write: (bytes) =>
      Effect.forEach(
        new TextDecoder().decode(bytes).trimEnd().split("\n"),
        (line) =>
          decodeMessage(line).pipe(
            Effect.orDie,
            Effect.flatMap((message) => Queue.offer(inbox, message))
          ),
        { discard: true }
      ).pipe(reading.whenOpen),
    closeStdin: Effect.asVoid(Deferred.succeed(closed, undefined)),
    exit: Deferred.await(exited)
  }
  const sandbox: Sandbox = {
    kind: "host",
    listenerUrl: "http://127.0.0.1:1",
    home: "/home/guest",
    name: "peer",
    start: (command) => Effect.as(Deferred.succeed(started, command.line), process),
    stop: Effect.succeed("dead")
  }

  const bytes = (chunk: Uint8Array) => Effect.asVoid(Queue.offer(stdout, chunk))
  const raw = (text: string) => bytes(encoder.encode(text))
  const send: Peer["send"] = (message) => raw(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
  const next = Queue.take(inbox)
  const expect = Effect.fnUntraced(function* (method: string) {
    const message = yield* next
    if (message.method !== method)
      return yield* Effect.die(new Error(`expected ${method}, got ${JSON.stringify(message)}`))
    return message
  })

  const leave = Effect.fnUntraced(function* (exit: ProcessExit) {
    yield* Queue.end(stdout)
    yield* Queue.end(stderr)
    yield* Deferred.succeed(exited, exit)
  })

  return {
    sandbox,
    line: Deferred.await(started),
    next,
    bytes,
    raw,
    send,
    stderr: (text) => Effect.asVoid(Queue.offer(stderr, encoder.encode(text))),
    exit: (code, detail = "") => leave({ code, detail, lost: false }),
    lose: (detail) => leave({ code: null, detail, lost: true }),
    stdinClosed: Deferred.await(closed),
    stopReading: Effect.asVoid(reading.close),
    answer: (method, result) => Effect.tap(expect(method), ({ id }) => send({ id, result })),
    refuse: (method, code, message, data) =>
      Effect.tap(expect(method), ({ id }) => send({ id, error: { code, message, data } })),
    update: (update) => send({ method: "session/update", params: { sessionId: "s-1", update } })
  } satisfies Peer
})

export const capable = {
  protocolVersion: 1,
  agentCapabilities: {
    mcpCapabilities: { http: true },
    loadSession: true,
    sessionCapabilities: { resume: {} }
  }
}

/** What each adapter's agents answer to `session/new`, as measured. */
export const newSession = {
  claude: {
    sessionId: "s-1",
    modes: { currentModeId: "auto", availableModes: [{ id: "default" }, { id: "bypassPermissions" }] },
    configOptions: [
      {
        id: "model",
        category: "model",
        type: "select",
        currentValue: "default",
        options: [{ value: "default" }, { value: "opus" }]
      }
    ]
  },
  codex: {
    sessionId: "s-1",
    modes: { currentModeId: "agent-full-access", availableModes: [{ id: "agent-full-access" }] }
  },
  opencode: {
    sessionId: "s-1",
    configOptions: [
      { id: "model", category: "model", type: "select", currentValue: "scripted/model", options: [] }
    ]
  },
  demo: { sessionId: "s-1", modes: { currentModeId: "unattended", availableModes: [{ id: "unattended" }] } }
} as const

export const optionsFor = (
  sandbox: Sandbox,
  overrides: Partial<Omit<AgentSessionOptions, "acp">> & {
    readonly acp?: Partial<WorkflowConfig["acp"]>
  } = {}
): AgentSessionOptions => ({
  adapter: "demo",
  model: null,
  modelUrl: null,
  cwd: "/workspace",
  mcp: { url: "http://127.0.0.1:1/mcp", token: Redacted.make("run-token") },
  resume: null,
  costBefore: null,
  sandbox,
  ...overrides,
  acp: { ...testWorkflow().config.acp, ...overrides.acp }
})

/** A session with a peer that has done everything up to the first prompt. */
export const openWith = (
  peer: Peer,
  adapter: AdapterName = "demo",
  acp: Partial<WorkflowConfig["acp"]> = {}
): Effect.Effect<AgentSession, unknown, AgentSessions | Scope.Scope> =>
  Effect.gen(function* () {
    const sessions = yield* AgentSessions
    const opening = yield* Effect.forkScoped(sessions.open(optionsFor(peer.sandbox, { adapter, acp })))
    yield* peer.answer("initialize", capable)
    yield* peer.answer("session/new", newSession[adapter])
    if (adapter === "claude") yield* peer.answer("session/set_mode", {})
    return yield* Fiber.join(opening)
  })

import { connect } from "node:net"
import { Context, Effect, Layer, Option, Redacted, Ref, Stream } from "effect"
import { SecureRandom } from "effect/crypto"
import { FetchHttpClient, HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { NodeServices } from "@effect/platform-node"
import type { BoardSnapshot } from "../../src/board/Board.ts"
import * as MemoryBoard from "../../src/board/MemoryBoard.ts"
import { Identifier } from "../../src/domain/ids.ts"
import {
  type Change,
  Handoff,
  type HandoffDiff,
  type HandoffError,
  type WorkPreview
} from "../../src/handoff/Handoff.ts"
import { makeMemoryDisk } from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import * as HttpServerLive from "../../src/http/HttpServerLive.ts"
import { OperatorAuth } from "../../src/http/OperatorAuth.ts"
import * as MemoryTranscripts from "../../src/journal/MemoryTranscripts.ts"
import { McpEndpoint } from "../../src/mcp/McpEndpoint.ts"
import { ModelProxy } from "../../src/proxy/ModelProxy.ts"
import { Previews } from "../../src/run/Previews.ts"
import { Listener } from "../../src/run/Listener.ts"
import { CommandRefused, type OperatorCommand, Scheduler } from "../../src/scheduler/Scheduler.ts"
import type { Note } from "../../src/tracker/notes.ts"
import { IssueNameTaken, IssueRefused, type NewIssue, Tracker } from "../../src/tracker/Tracker.ts"
import { undocumented } from "./document.ts"
import * as MemoryWorkflow from "../../src/workflow/MemoryWorkflow.ts"
import { NOON } from "./boards.ts"
import { type ConfigOverrides, testWorkflow } from "../support/workflow.ts"

/** What the operator asked for, and how the orchestrator answers. */
export class Asked extends Context.Service<
  Asked,
  {
    readonly commands: Ref.Ref<ReadonlyArray<OperatorCommand>>
    readonly created: Ref.Ref<ReadonlyArray<NewIssue>>
    /** What was written into issues, each key once. */
    readonly notes: Ref.Ref<ReadonlyArray<Note>>
    /** Refuses every command while set. */
    readonly refusal: Ref.Ref<CommandRefused["reason"] | null>
  }
>()("test/http/Asked") {
  static readonly layer = Layer.effect(
    Asked,
    Effect.all({
      commands: Ref.make<ReadonlyArray<OperatorCommand>>([]),
      created: Ref.make<ReadonlyArray<NewIssue>>([]),
      notes: Ref.make<ReadonlyArray<Note>>([]),
      refusal: Ref.make<CommandRefused["reason"] | null>(null)
    })
  )
}

const scheduler = Layer.effect(
  Scheduler,
  Effect.gen(function* () {
    const asked = yield* Asked
    return Scheduler.of({
      view: Effect.die("not used"),
      views: Stream.die("not used"),
      refresh: Effect.succeed({ coalesced: false }),
      shutdown: Effect.void,
      died: Effect.never,
      command: Effect.fnUntraced(function* (command) {
        const reason = yield* Ref.get(asked.refusal)
        if (reason !== null) return yield* new CommandRefused({ reason, message: `refused: ${reason}` })
        yield* Ref.update(asked.commands, (commands) => [...commands, command])
      })
    })
  })
)

const tracker = Layer.unwrap(
  Effect.map(Asked, (asked) =>
    Layer.mock(Tracker, {
      append: (_, { heading, key, text }) =>
        Ref.update(asked.notes, (notes) =>
          notes.some((note) => note.key === key) ? notes : [...notes, { key, heading, text }]
        ),
      create: Effect.fnUntraced(function* (issue: NewIssue) {
        if (issue.title.trim() === "") return yield* new IssueRefused({ field: "title", detail: "is empty" })
        const identifier = issue.identifier ?? "DEMO-7"
        if (identifier === "TAKEN") return yield* new IssueNameTaken({ path: "Todo/TAKEN.md" })
        yield* Ref.update(asked.created, (created) => [...created, issue])
        const state = issue.state ?? "Todo"
        return {
          identifier: Identifier.make(identifier),
          state,
          path: `/project/issues/${state}/${identifier}.md`
        }
      })
    })
  )
)

/** Opens for the one token of a run, as the real endpoint does. */
export const RUN_TOKEN = "run-token-of-DEMO-1"
const mcp = Layer.succeed(McpEndpoint, {
  handle: (request) =>
    Effect.succeed(
      Response.json(
        {},
        { status: request.headers.get("authorization") === `Bearer ${RUN_TOKEN}` ? 200 : 401 }
      )
    )
})

export interface ServerOptions {
  readonly board: BoardSnapshot
  readonly config?: ConfigOverrides
  readonly port?: number
  /** What each run hands over. */
  readonly diff?: HandoffDiff | null
  /** What is in each workspace; nothing that would be lost, unless a test says so. */
  readonly work?: Effect.Effect<WorkPreview, HandoffError>
  readonly files?: ReturnType<typeof MemorySafeFiles.layer>
}

/** Of a workspace in which nothing was done yet. */
export const untouched: WorkPreview = {
  takenAt: NOON,
  base: "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
  head: null,
  commits: [],
  commit: null,
  files: [],
  flags: [],
  uncommitted: [],
  leftOut: [],
  elsewhere: [],
  refusal: null,
  patch: ""
}

const ofCommit = <A extends Change>(change: A, wanted: string | null): A => ({
  ...change,
  commit: change.commits.find(({ id }) => id === wanted)?.id ?? null
})

export const memoryFiles = (): ReturnType<typeof MemorySafeFiles.layer> => {
  const disk = makeMemoryDisk()
  disk.put("/project/.symphony/.keep", "")
  return MemorySafeFiles.layer(disk)
}

/** The real listener on a free port over a board that the test sets. */
export const server = ({
  board,
  config = {},
  diff = null,
  files = memoryFiles(),
  port,
  work = Effect.succeed(untouched)
}: ServerOptions) =>
  HttpServerLive.layer.pipe(
    Layer.provideMerge(HttpServerLive.listening({ port: Option.fromUndefinedOr(port) })),
    Layer.provideMerge(
      Layer.mergeAll(
        MemoryBoard.layer(board),
        MemoryWorkflow.layer(testWorkflow({ config })),
        MemoryTranscripts.layer,
        Listener.layer,
        scheduler,
        tracker,
        mcp,
        Layer.mock(ModelProxy, {}),
        Layer.mock(Handoff, {
          diff: (_, __, commit) => Effect.succeed(diff === null ? null : ofCommit(diff, commit))
        }),
        Layer.mock(Previews, {
          take: ({ commit }) => Effect.map(work, (seen) => ofCommit(seen, commit))
        }),
        files,
        SecureRandom.layerWebCrypto
      )
    ),
    Layer.provideMerge(Asked.layer),
    Layer.provideMerge(FetchHttpClient.layer),
    Layer.provideMerge(NodeServices.layer)
  )

export const origin = Effect.gen(function* () {
  const listener = yield* Listener
  return `http://127.0.0.1:${(yield* listener.address).port}`
})

export const operatorToken = Effect.map(OperatorAuth, (auth) => Redacted.value(auth.token))

/** No test sees an answer of the API that its document does not have. */
const asDocumented = (
  method: string,
  path: string,
  answer: { readonly status: number; readonly type: string; readonly text: string }
) =>
  Effect.sync(() => {
    const fault = undocumented(method, path, answer)
    if (fault !== null) throw new Error(fault)
  })

/** Sends without credentials of its own; redirects are not followed. */
export const send = Effect.fnUntraced(function* (
  method: "GET" | "POST" | "PUT" | "DELETE" | "PATCH",
  path: string,
  options: {
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  } = {}
) {
  const client = yield* HttpClient.HttpClient
  const request = HttpClientRequest.make(method)(`${yield* origin}${path}`).pipe(
    options.body === undefined ? (it) => it : HttpClientRequest.bodyText(options.body, "text/plain"),
    HttpClientRequest.setHeaders({ connection: "close", ...options.headers })
  )
  const response = yield* client
    .execute(request)
    .pipe(Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }))
  yield* asDocumented(method, path, {
    status: response.status,
    type: response.headers["content-type"] ?? "",
    text: yield* response.text
  })
  return response
})

/** As the operator, with the token in the header. */
export const sendAuthorized = Effect.fnUntraced(function* (
  method: Parameters<typeof send>[0],
  path: string,
  options: Parameters<typeof send>[2] = {}
) {
  return yield* send(method, path, {
    ...options,
    headers: { authorization: `Bearer ${yield* operatorToken}`, ...options.headers }
  })
})

export const json = (value: unknown) => ({
  body: JSON.stringify(value),
  headers: { "content-type": "application/json" }
})

export const form = (fields: Readonly<Record<string, string>>) => ({
  body: new URLSearchParams(fields).toString(),
  headers: { "content-type": "application/x-www-form-urlencoded" }
})

export const bodyOf = (response: HttpClientResponse.HttpClientResponse) => response.json

/** Bytes as they are, for what no client would send. The whole answer, once the server has ended it. */
export const sendRaw = (text: string) =>
  Effect.flatMap(
    Effect.flatMap(Listener, (listener) => listener.address),
    ({ port }) =>
      Effect.callback<string, Error>((resume) => {
        const socket = connect(port, "127.0.0.1", () => socket.write(text))
        let answer = ""
        socket.setEncoding("utf8")
        socket.on("data", (chunk) => (answer += String(chunk)))
        socket.on("close", () => resume(Effect.succeed(answer)))
        socket.on("error", (error) => resume(answer === "" ? Effect.fail(error) : Effect.succeed(answer)))
        return Effect.sync(() => socket.destroy())
      })
  ).pipe(
    Effect.tap((answer) => {
      const [method = "", path = ""] = text.split(" ", 2)
      return asDocumented(method, path, { status: statusOf(answer), type: "", text: "" })
    })
  )

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])

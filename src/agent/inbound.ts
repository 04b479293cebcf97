import type { AnyMessage } from "@agentclientprotocol/sdk"
import { Option, Schema } from "effect"
import { MAX_DEPTH, nestsDeeperThan } from "./lines.ts"
import { printableLine } from "../domain/printable.ts"
import { readUpdate, type ReadUpdate } from "./updates.ts"

// Agents number their requests from 0 or name them by strings; `null` stands for a message nobody could read.
const Id = Schema.NullOr(Schema.Union([Schema.String, Schema.Finite]))
const Incoming = Schema.Union([
  Schema.Struct({
    jsonrpc: Schema.Literal("2.0"),
    id: Schema.optionalKey(Id),
    method: Schema.String,
    params: Schema.optionalKey(Schema.Unknown)
  }),
  Schema.Struct({
    jsonrpc: Schema.Literal("2.0"),
    id: Id,
    error: Schema.Struct({
      code: Schema.Int,
      message: Schema.String,
      data: Schema.optionalKey(Schema.Unknown)
    })
  }),
  Schema.Struct({
    jsonrpc: Schema.Literal("2.0"),
    id: Id,
    result: Schema.Unknown,
    error: Schema.optionalKey(Schema.Null)
  })
])
const decodeLine = Schema.decodeUnknownOption(Schema.fromJsonString(Incoming))

export interface InboundOptions {
  readonly onUpdate: (update: ReadUpdate) => void
  /** What we took no notice of, for people. */
  readonly notice: (text: string) => void
  /** A line that is no message: what it is instead, and how it begins. */
  readonly onMalformed: (what: string) => void
  /** The agent has more than `maxUnanswered` requests whose answers it has not taken. */
  readonly onFlood: () => void
  readonly maxUnanswered: number
}

export interface Inbound {
  /** What the SDK may see: requests of the agent, and answers to requests that we sent. */
  readonly messages: ReadableStream<AnyMessage>
  readonly line: (line: string) => void
  /** What came after the last line end. It may have been broken off with the process. */
  readonly rest: (line: string) => void
  /** To be told of every message on its way out, and once it is out. */
  readonly sent: (message: AnyMessage) => void
  readonly written: (message: AnyMessage) => void
  /** Whether the agent has answered anything that it was asked. */
  readonly answered: () => boolean
  /** Nothing more is taken: a line was malformed, or there were too many. */
  readonly over: () => boolean
  readonly end: () => void
}

const quote = (line: string): string => printableLine(line, 200)

/**
 * Sorts the lines of an agent. Never throws. What is no message ends the session, for the answer that somebody
 * waits for may be in it; what is one, but means nothing to us, does not.
 */
export const makeInbound = (options: InboundOptions): Inbound => {
  const waiting = new Set<string | number>()
  let unanswered = 0
  let open = true
  let answered = false
  let malformed = false
  let controller: ReadableStreamDefaultController<AnyMessage> | undefined
  const messages = new ReadableStream<AnyMessage>({
    start: (given) => {
      controller = given
    },
    cancel: () => {
      open = false
    }
  })
  const pass = (message: AnyMessage): void => {
    if (open) controller?.enqueue(message)
  }
  const isFlooded = (): boolean => unanswered > options.maxUnanswered

  const take = (message: typeof Incoming.Type, line: string): void => {
    if ("method" in message) {
      const { id, method, params } = message
      if (id === undefined) {
        if (method === "session/update") options.onUpdate(readUpdate(params))
        return
      }
      unanswered++
      return isFlooded() ? options.onFlood() : pass({ jsonrpc: "2.0", id, method, params })
    }
    const { id } = message
    if (id === null || !waiting.delete(id))
      return options.notice(`an answer to nothing we asked was ignored: ${quote(line)}`)
    answered = true
    pass(
      "result" in message
        ? { jsonrpc: "2.0", id, result: message.result }
        : { jsonrpc: "2.0", id, error: { ...message.error } }
    )
  }
  const refuse = (what: string): void => {
    malformed = true
    options.onMalformed(what)
  }

  return {
    messages,
    answered: () => answered,
    over: () => malformed || isFlooded(),
    line: (line) => {
      if (malformed || line.trim() === "") return
      if (nestsDeeperThan(line, MAX_DEPTH))
        return refuse(`a line nested over ${MAX_DEPTH} deep: ${quote(line)}`)
      const decoded = decodeLine(line)
      if (Option.isSome(decoded)) return take(decoded.value, line)
      // A login shell reads its profile first, and some of these print.
      if (!answered && !/^\s*[{[]/.test(line))
        return options.notice(`a line before the agent's first answer was ignored: ${quote(line)}`)
      refuse(`a line that is no JSON-RPC 2.0 message: ${quote(line)}`)
    },
    rest: (line) => {
      const decoded = nestsDeeperThan(line, MAX_DEPTH) ? Option.none() : decodeLine(line)
      if (!malformed && Option.isSome(decoded)) take(decoded.value, line)
    },
    sent: (message) => {
      if ("method" in message && "id" in message && message.id !== null) waiting.add(message.id)
    },
    written: (message) => {
      if (!("method" in message)) unanswered--
    },
    end: () => {
      if (!open) return
      open = false
      controller?.close()
    }
  }
}

/** Requests for a person's input that are not permissions. Nobody is there to answer them. */
export const asksPerson = (method: string): boolean =>
  method === "elicitation/create" || /elicit|user_?input|ask_?user|ask_?question/i.test(method)

import type { AnyMessage } from "@agentclientprotocol/sdk"
import { Option, Schema } from "effect"
import { MAX_DEPTH, nestsDeeperThan } from "./lines.ts"
import { oneLine } from "./text.ts"
import { readUpdate, type ReadUpdate } from "./updates.ts"

const Id = Schema.Union([Schema.String, Schema.Finite])
const Incoming = Schema.Struct({
  jsonrpc: Schema.Literal("2.0"),
  // Agents number their requests from 0 or name them by strings.
  id: Schema.optionalKey(Id),
  method: Schema.optionalKey(Schema.String),
  params: Schema.optionalKey(Schema.Unknown),
  result: Schema.optionalKey(Schema.Unknown),
  error: Schema.optionalKey(
    Schema.Struct({ code: Schema.Int, message: Schema.String, data: Schema.optionalKey(Schema.Unknown) })
  )
})
const decodeLine = Schema.decodeUnknownOption(Schema.fromJsonString(Incoming))

export interface InboundOptions {
  readonly onUpdate: (update: ReadUpdate) => void
  /** A line that we refused, for people. */
  readonly notice: (text: string) => void
  /** The agent has more than `maxUnanswered` requests whose answers it has not taken. */
  readonly onFlood: () => void
  readonly maxUnanswered: number
}

export interface Inbound {
  /** What the SDK may see: requests of the agent, and answers to requests that we sent. */
  readonly messages: ReadableStream<AnyMessage>
  readonly line: (line: string) => void
  /** To be told of every message on its way out, and once it is out. */
  readonly sent: (message: AnyMessage) => void
  readonly written: (message: AnyMessage) => void
  readonly flooded: () => boolean
  readonly end: () => void
}

/** Sorts the lines of an agent. Never throws: what is odd becomes a notice. */
export const makeInbound = (options: InboundOptions): Inbound => {
  const waiting = new Set<string | number>()
  let unanswered = 0
  let open = true
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
  const refuse = (why: string, line: string): void =>
    options.notice(`${why}: ${oneLine(line.slice(0, 400), 200)}`)
  const isFlooded = (): boolean => unanswered > options.maxUnanswered

  return {
    messages,
    flooded: isFlooded,
    line: (line) => {
      if (line.trim() === "") return
      if (nestsDeeperThan(line, MAX_DEPTH))
        return refuse(`a line nested over ${MAX_DEPTH} deep was ignored`, line)
      const decoded = decodeLine(line)
      if (Option.isNone(decoded)) return refuse("a line that is not JSON-RPC was ignored", line)
      const { id, method, params, result, error } = decoded.value
      if (method !== undefined) {
        if (id === undefined) {
          if (method === "session/update") options.onUpdate(readUpdate(params))
          return
        }
        unanswered++
        if (isFlooded()) return options.onFlood()
        return pass({ jsonrpc: "2.0", id, method, params })
      }
      if (id === undefined || !waiting.delete(id))
        return refuse("an answer to nothing we asked was ignored", line)
      pass(error === undefined ? { jsonrpc: "2.0", id, result } : { jsonrpc: "2.0", id, error: { ...error } })
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

import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as wait } from "node:timers/promises"
import * as anthropic from "./anthropic.ts"
import * as chat from "./chat.ts"
import { type Json, parse, text } from "./json.ts"
import { answerFor, type Move, type OfferedTool, say } from "./moves.ts"
import * as responses from "./responses.ts"

/** One API that models are reached by. */
interface Protocol {
  readonly offeredTools: (body: Json) => ReadonlyArray<OfferedTool>
  readonly opening: (body: Json) => string
  readonly stream: (body: Json, answer: NonNullable<ReturnType<typeof answerFor>>) => ReadonlyArray<string>
  readonly whole: (body: Json, answer: string) => unknown
  readonly refusal: (status: number, message: string) => unknown
}

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  "/v1/messages": anthropic,
  "/v1/responses": responses,
  "/v1/chat/completions": chat
}

export interface ModelRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What it was answered with, or why it was none of the script's business. */
  readonly move: Move["_tag"] | "side" | "other"
}

export interface ModelServer {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string
  readonly requests: ReadonlyArray<ModelRequest>
  /** Resolves once a request has been answered with (or is held by) this kind of move. */
  readonly reached: (move: Move["_tag"]) => Promise<void>
  readonly close: () => Promise<void>
}

export interface ModelScript {
  /** One a request that offers tools; the last one is repeated. */
  readonly moves: ReadonlyArray<Move>
  /** Any other key is answered 401. */
  readonly key: string
  /** Milliseconds between the parts of a streamed answer. */
  readonly pace?: number
}

const keyOf = (request: IncomingMessage): string =>
  String(request.headers["x-api-key"] ?? "") ||
  String(request.headers.authorization ?? "").replace(/^bearer /i, "")

const readBody = async (request: IncomingMessage): Promise<string> => {
  const parts: Array<Buffer> = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString("utf8")
}

/** A model that follows a script, spoken to over each of the three APIs that the agents use. */
export const startModelServer = async (script: ModelScript): Promise<ModelServer> => {
  const requests: Array<ModelRequest> = []
  const waiting: Array<{ readonly move: string; readonly resolve: () => void }> = []
  let next = 0
  let worker: string | undefined

  const json = (response: ServerResponse, status: number, value: unknown, headers = {}): void => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value))
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/"
    const content = await readBody(request)
    const note = (move: ModelRequest["move"]): void => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)])
      )
      requests.push({ method: request.method ?? "", path, headers, body: content, move })
      for (const one of waiting.filter((it) => it.move === move)) one.resolve()
    }
    const protocol = PROTOCOLS[path]
    if (protocol === undefined || request.method !== "POST") {
      note("other")
      // codex tries a WebSocket first and goes on over HTTP after this.
      if (request.headers.upgrade !== undefined) return json(response, 426, {})
      if (path === "/v1/messages/count_tokens") return json(response, 200, { input_tokens: 1200 })
      if (path === "/v1/models") return json(response, 200, { object: "list", data: [] })
      return json(response, 404, { error: { message: `nothing at ${path}` } })
    }
    const body = parse(content)
    if (keyOf(request) !== script.key) {
      note("Refuse")
      return json(response, 401, protocol.refusal(401, "Incorrect API key provided."))
    }
    const offered = protocol.offeredTools(body)
    // Titles and the like are asked for without tools, or of another model than the one that does the work.
    if (offered.length > 0) worker ??= text(body["model"])
    const plain = offered.length === 0 || text(body["model"]) !== worker
    const move = plain
      ? say("A title")
      : (script.moves[Math.min(next, script.moves.length - 1)] ?? say("Nothing to do."))
    if (!plain) next += 1
    if (move._tag === "Refuse") {
      note("Refuse")
      return json(response, move.status, protocol.refusal(move.status, move.message), move.headers)
    }
    if (body["stream"] !== true) {
      // Where a stream broke off, some agents ask again without one.
      if (move._tag === "Drop" || move._tag === "Hang") {
        note(move._tag)
        if (move._tag === "Drop") response.destroy()
        return
      }
      note("side")
      return json(response, 200, protocol.whole(body, move._tag === "Say" ? move.text : "Yes."))
    }
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
    if (move._tag === "Drop" || move._tag === "Hang") {
      response.write(protocol.opening(body))
      note(move._tag)
      if (move._tag === "Drop") setTimeout(() => response.destroy(), 50)
      return
    }
    const answer = answerFor(move, offered) ?? {
      _tag: "Text",
      text: `I was not offered what I need for ${move._tag}: ${offered.map((it) => it.name).join(", ")}`
    }
    note(plain ? "side" : move._tag)
    for (const part of protocol.stream(body, answer)) {
      response.write(part)
      if (script.pace !== undefined) await wait(script.pace)
    }
    response.end()
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  server.on("upgrade", (_request, socket) =>
    // An agent that is killed in this moment resets it, and a socket of an upgrade has nobody else who listens.
    socket.on("error", () => {}).end("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n")
  )
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    reached: (move) =>
      requests.some((it) => it.move === move)
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push({ move, resolve })),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      })
  }
}

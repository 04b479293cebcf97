import { createHash, randomBytes } from "node:crypto"
import * as http from "node:http"
import * as net from "node:net"

export interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
  /** Undefined where it is no JSON. */
  readonly json: Record<string, unknown> | undefined
  readonly bytes: Buffer
}

export interface CallOptions {
  readonly body?: unknown
  /** Sent as it is, without a content type. */
  readonly raw?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/** A client that assumes nothing, for a unix socket. */
export const makeClient = (socketPath: string) => {
  const open = (method: string, path: string, options: CallOptions = {}): Promise<http.IncomingMessage> =>
    new Promise((resolve, reject) => {
      const body =
        options.raw ?? (options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body)))
      const headers = {
        ...(options.body === undefined ? {} : { "content-type": "application/json" }),
        ...options.headers
      }
      const request = http.request(
        { socketPath, host: "localhost", method, path, headers, agent: false },
        resolve
      )
      request.on("error", reject)
      request.end(body)
    })
  const call = async (method: string, path: string, options: CallOptions = {}): Promise<Answer> => {
    const response = await open(method, path, options)
    const chunks: Array<Buffer> = []
    for await (const chunk of response) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    const text = bytes.toString("utf8")
    const type = response.headers["content-type"] ?? ""
    const json = type.startsWith("application/json") ? JSON.parse(text) : undefined
    return { status: response.statusCode ?? 0, type, text, json, bytes }
  }
  const machines = "/api/v1/machines"
  return {
    open,
    call,
    create: (spec: Readonly<Record<string, unknown>>) => call("POST", machines, { body: spec }),
    get: (name: string, verb = "") => call("GET", `${machines}/${name}${verb}`),
    post: (name: string, verb: string, body: unknown = {}) =>
      call("POST", `${machines}/${name}/${verb}`, { body }),
    remove: (name: string, query = "") => call("DELETE", `${machines}/${name}${query}`),
    exec: (name: string, command: ReadonlyArray<string>, rest: Readonly<Record<string, unknown>> = {}) =>
      call("POST", `${machines}/${name}/exec`, { body: { command, ...rest } }),
    stream: (name: string, command: ReadonlyArray<string>, rest: Readonly<Record<string, unknown>> = {}) =>
      open("POST", `${machines}/${name}/exec/stream`, { body: { command, ...rest } }),
    listed: async () => {
      const { json } = await call("GET", machines)
      return (json?.["machines"] ?? []) as ReadonlyArray<{ readonly name: string; readonly state: string }>
    }
  }
}

export interface SseEvent {
  readonly event: string
  readonly data: string
}

/** Events and comments of a stream, as the standard joins them; `broken` when it was cut off. */
export const readEvents = async (
  response: http.IncomingMessage,
  onEvent: (event: SseEvent) => void = () => {}
) => {
  let held = ""
  let comments = 0
  const events: Array<SseEvent> = []
  try {
    for await (const chunk of response) {
      held += (chunk as Buffer).toString("utf8")
      for (let at = held.indexOf("\n\n"); at >= 0; at = held.indexOf("\n\n")) {
        const lines = held.slice(0, at).split("\n")
        held = held.slice(at + 2)
        if (lines[0]?.startsWith(":") === true) {
          comments++
          continue
        }
        const field = (name: string) =>
          lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2))
        const event = { event: field("event")[0] ?? "message", data: field("data").join("\n") }
        events.push(event)
        onEvent(event)
      }
    }
    return { events, comments, broken: false }
  } catch {
    return { events, comments, broken: true }
  }
}

/** As little of a WebSocket as the API needs. */
export const openWebSocket = (socketPath: string, path: string) =>
  new Promise<{
    readonly send: (opcode: number, text: string) => void
    readonly close: () => void
    /** Frames until the other side closes. */
    readonly frames: Promise<ReadonlyArray<{ readonly opcode: number; readonly text: string }>>
  }>((resolve, reject) => {
    const key = randomBytes(16).toString("base64")
    const socket = net.connect(socketPath)
    socket.on("error", reject)
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`
    )
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
    const send = (opcode: number, text: string) => {
      const bytes = Buffer.from(text)
      const mask = randomBytes(4)
      socket.write(
        Buffer.concat([
          Buffer.from([0x80 | opcode, 0x80 | bytes.length]),
          mask,
          bytes.map((byte, index) => byte ^ (mask[index % 4] ?? 0))
        ])
      )
    }
    let held = Buffer.alloc(0)
    let upgraded = false
    const found: Array<{ readonly opcode: number; readonly text: string }> = []
    const frames = new Promise<typeof found>((done) => socket.on("close", () => done(found)))
    socket.on("data", (chunk) => {
      held = Buffer.concat([held, chunk])
      if (!upgraded) {
        const end = held.indexOf("\r\n\r\n")
        if (end < 0) return
        if (!held.subarray(0, end).includes(accept)) reject(new Error(held.toString("utf8")))
        held = held.subarray(end + 4)
        upgraded = true
        resolve({ send, close: () => send(8, ""), frames })
      }
      while (held.length >= 2) {
        const short = held.readUInt8(1) & 127
        const head = short === 126 ? 4 : 2
        const size = short === 126 ? held.readUInt16BE(2) : short
        if (held.length < head + size) return
        found.push({
          opcode: held.readUInt8(0) & 15,
          text: held.subarray(head, head + size).toString("utf8")
        })
        held = held.subarray(head + size)
      }
    })
  })

/**
 * What host and guest say to each other about one process, over any pair of byte streams: one byte of type,
 * four of length, the payload. The guest's end is in guestProgram.ts.
 */
export const FromGuest = { started: 1, refused: 2, stdout: 3, stderr: 4, exit: 5, credit: 6 } as const
export const ToGuest = { order: 10, start: 11, stdin: 12, endOfStdin: 13, signal: 14 } as const

export const HEADER_BYTES = 5
/** Nothing that a guest program of ours sends is longer. */
const MAX_PAYLOAD = 1024 * 1024

export const frame = (type: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array => {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length)
  bytes.writeUInt8(type, 0)
  bytes.writeUInt32BE(payload.length, 1)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

export interface Frame {
  readonly type: number
  readonly payload: Uint8Array
}

/** Cuts bytes into frames; null as soon as they cannot be any. */
export const makeFrameReader = () => {
  let held = Buffer.alloc(0)
  return (chunk: Uint8Array): ReadonlyArray<Frame> | null => {
    held = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk])
    const found: Array<Frame> = []
    let at = 0
    while (held.length - at >= HEADER_BYTES) {
      const size = held.readUInt32BE(at + 1)
      if (size > MAX_PAYLOAD) return null
      if (held.length - at < HEADER_BYTES + size) break
      found.push({
        type: held.readUInt8(at),
        payload: new Uint8Array(held.subarray(at + HEADER_BYTES, at + HEADER_BYTES + size))
      })
      at += HEADER_BYTES + size
    }
    held = held.subarray(at)
    return found
  }
}

import { once } from "node:events"

/** Writes to stdout and waits where the reader is slow. */
export const writeOut = async (data: string | Uint8Array): Promise<void> => {
  if (!process.stdout.write(data)) await once(process.stdout, "drain")
}

/** Notifications in batches, as fast as the reader takes them, past the SDK's one-by-one queue. */
export const floodOut = async (sessionId: string, count: number): Promise<void> => {
  const batch = 500
  for (let sent = 0; sent < count; sent += batch) {
    const lines = Array.from({ length: Math.min(batch, count - sent) }, (_, index) =>
      JSON.stringify({
        jsonrpc: "2.0",
        method: "session/update",
        params: {
          sessionId,
          update: {
            sessionUpdate: "agent_message_chunk",
            content: { type: "text", text: `update ${sent + index + 1} of ${count}\n` }
          }
        }
      })
    )
    await writeOut(`${lines.join("\n")}\n`)
  }
}

/** One line of about `bytes` bytes. */
export const longLineOut = async (bytes: number): Promise<void> => {
  await writeOut('{"jsonrpc":"2.0","method":"session/update","params":{"padding":"')
  const chunk = "x".repeat(65_536)
  for (let left = bytes; left > 0; left -= chunk.length) await writeOut(chunk.slice(0, left))
  await writeOut('"}}\n')
}

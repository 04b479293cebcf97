import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { frame, FromGuest, makeFrameReader, ToGuest } from "../../src/sandbox/smolvm/frames.ts"
import { GUEST_PROGRAM } from "../../src/sandbox/smolvm/guestProgram.ts"

/** A guest that never comes to its own end, as one whose machine is stopped as soon as it has told of its agent's. */
const STOPPED_AT_ONCE = `process.exit = () => {};${GUEST_PROGRAM}`

/** Runs an order over stdio; what is at `path` below HOME when the guest tells of the end. */
const whenTold = (told: number, order: Record<string, unknown>): Promise<"there" | "gone"> => {
  const home = mkdtempSync(join(tmpdir(), "symphony-guest-"))
  const guest = spawn(process.execPath, ["-e", STOPPED_AT_ONCE, "--", "stdio"], {
    env: { PATH: process.env["PATH"], HOME: home },
    stdio: ["pipe", "pipe", "inherit"]
  })
  const read = makeFrameReader()
  const homeFiles = [{ path: ".agent/key", content: "s3cret" }]
  const whole = { shell: "sh", cwd: home, env: {}, path: [], links: [], secretPaths: [], homeFiles, ...order }
  guest.stdin.write("\n")
  guest.stdin.write(frame(ToGuest.order, Buffer.from(JSON.stringify(whole))))
  guest.stdin.write(frame(ToGuest.start))
  return new Promise((resolve, reject) => {
    guest.on("error", reject)
    guest.stdout.on("data", (chunk: Buffer) => {
      if (!read(chunk)?.some(({ type }) => type === told)) return
      resolve(existsSync(join(home, ".agent/key")) ? "there" : "gone")
      guest.kill("SIGKILL")
    })
    guest.on("close", () => rmSync(home, { recursive: true }))
  })
}

describe("a credential in a guest is gone when the host is told", () => {
  it("that the agent has ended", async () => {
    assert.strictEqual(await whenTold(FromGuest.exit, { line: "test -f ~/.agent/key" }), "gone")
  })

  it("that the agent cannot be started", async () => {
    assert.strictEqual(await whenTold(FromGuest.refused, { line: ":", cwd: "/not/there" }), "gone")
  })

  it("that there is no such shell", async () => {
    assert.strictEqual(await whenTold(FromGuest.refused, { line: ":", shell: "/not/there" }), "gone")
  })
})

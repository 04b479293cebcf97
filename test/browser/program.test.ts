import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import { createServer } from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { hasChromium } from "../support/capabilities.ts"
import { Chromium, openWindow, run } from "./browser.ts"

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "symphony-browser-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

const ended = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

const kill = (child: ChildProcess) =>
  Effect.andThen(
    Effect.sync(() => child.kill("SIGKILL")),
    ended(child)
  )

/** The program itself, as a person would start it; killed with its scope. */
const start = (args: ReadonlyArray<string>, said: string) =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] })
      let output = ""
      const read = (chunk: Buffer) => {
        output += chunk.toString()
        if (output.includes(said)) resume(Effect.succeed(child))
      }
      child.stdout.on("data", read)
      child.stderr.on("data", read)
      child.once("exit", (code) => resume(Effect.die(new Error(`symphony ended with ${code}:\n${output}`))))
    }),
    kill
  )

describe.skipIf(!hasChromium("the program in a browser"))("the running program", () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    it.effect("an answer on the page moves the run on; a kill is told and overcome without a reload", () =>
      Effect.gen(function* () {
        const port = String(yield* freePort)
        const project = path.join(yield* folder, "project")
        const first = yield* start(["demo", "--dir", project, "--port", port], "dashboard")
        const { page } = yield* openWindow()
        const token = fs.readFileSync(path.join(project, ".symphony", "token"), "utf8").trim()

        yield* run(async () => {
          await page.goto(`http://127.0.0.1:${port}/`)
          await page.fill("#token", token)
          await page.click("text=Sign in")
          await page.waitForSelector("textarea[data-enter-sends]", { timeout: 20_000 })
          await page.evaluate("window.stays = true")
        })

        // What is in the workspace can be looked at while its agent waits for the answer.
        const { page: beside } = yield* openWindow()
        yield* run(async () => {
          await beside.context().addCookies(await page.context().cookies())
          await beside.goto(`http://127.0.0.1:${port}/issues/DEMO-2`)
          await beside.click("text=Look at the work so far", { timeout: 20_000 })
          await beside.waitForSelector("text=Not handed over yet.", { timeout: 20_000 })
        })
        assert.include(yield* run(() => beside.locator("main").innerText()), "Answer with this")

        const second = yield* run(async () => {
          const opened = await page.context().newPage()
          await opened.goto(`http://127.0.0.1:${port}/`)
          return opened
        })
        yield* kill(first)
        for (const told of [page, second]) {
          yield* run(() => told.waitForSelector("#stale:not([hidden])", { timeout: 3000 }))
          assert.match(yield* run(() => told.locator("#stale").innerText()), /Not live since \d/)
        }

        yield* start([path.join(project, "WORKFLOW.md"), "--port", port], "dashboard")
        yield* run(async () => {
          await page.waitForSelector("#stale", { state: "hidden", timeout: 10_000 })
          await second.waitForSelector("#stale", { state: "hidden", timeout: 10_000 })
          await page.waitForSelector("textarea[data-enter-sends]", { timeout: 10_000 })
          await page.fill("textarea[data-enter-sends]", "Hello")
          await page.press("textarea[data-enter-sends]", "Enter")
          await page.waitForSelector(".ask", { state: "detached", timeout: 20_000 })
          await page.waitForSelector("section[aria-label='Ready for review'] >> text=DEMO-2", {
            timeout: 20_000
          })
        })
        assert.isTrue(
          yield* run(() => page.evaluate<boolean>("window.stays")),
          "the page was not loaded anew"
        )

        yield* run(async () => {
          await page.goto(`http://127.0.0.1:${port}/issues/DEMO-2`)
          await page.click("text=look at the diff")
        })
        assert.include(yield* run(() => page.locator("main").innerText()), "Hello, ${name}!")
      })
    )
  })
})

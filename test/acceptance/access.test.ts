import * as fs from "node:fs"
import { request } from "node:http"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe } from "vitest"
import { canBubblewrap } from "../support/capabilities.ts"
import type { Service } from "./support/program.ts"
import type { Project } from "./support/project.ts"
import { BUSY_MACHINE, it, type Workshop } from "./support/workshop.ts"

const RECORDER = fileURLToPath(new URL("../fixtures/acceptance/recorder.mjs", import.meta.url))

interface Given {
  readonly mcpServers: ReadonlyArray<{
    readonly url: string
    readonly headers: ReadonlyArray<{ readonly name: string; readonly value: string }>
  }>
  readonly env: Readonly<Record<string, string>>
}

/** A project whose agents write down what they are given. */
const recording = (workshop: Workshop) => {
  const project = workshop.project()
  const file = path.join(path.dirname(project.root), "given.json")
  const command = `exec '${process.execPath}' '${RECORDER}' '${file}'`
  fs.writeFileSync(
    project.workflow,
    fs.readFileSync(project.workflow, "utf8").replace("adapter: demo", `adapter: demo, command: "${command}"`)
  )
  const given = async (symphony: Service): Promise<Given> => {
    await symphony.until(
      "an agent is prompted",
      async () => (await symphony.state()).running[0]?.turn_count === 1
    )
    return JSON.parse(fs.readFileSync(file, "utf8"))
  }
  return { project, given }
}

/** With whatever headers, which `fetch` does not allow. */
const status = (
  origin: string,
  where: string,
  headers: Record<string, string>,
  method = "GET"
): Promise<number> =>
  new Promise((resolve, reject) => {
    const asked = request(`${origin}${where}`, { method, headers, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    asked.on("error", reject)
    asked.end()
  })

const toolsOf = (url: string, headers: Given["mcpServers"][number]["headers"]): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...Object.fromEntries(headers.map(({ name, value }) => [name, value]))
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} })
  })

const READS = [
  "/api/v1/state",
  "/api/v1/issues",
  "/api/v1/issues/SECRET",
  "/api/v1/SECRET",
  "/api/v1/events",
  "/metrics"
]
const WRITES = [
  "/api/v1/refresh",
  "/api/v1/issues",
  "/api/v1/pause",
  "/api/v1/issues/SECRET/stop",
  "/api/v1/issues/SECRET/move",
  "/api/v1/issues/SECRET/steering-reply",
  "/api/v1/issues/SECRET/mcp"
]

const tree = (project: Project): ReadonlyArray<string> =>
  fs.readdirSync(project.tracker, { recursive: true }).map(String).sort()

describe("who may ask", { timeout: BUSY_MACHINE }, () => {
  it("nothing is readable or writable without the token", async ({ workshop }) => {
    const project = workshop.project()
    project.file("Parked", "SECRET", ["done A | A."], { body: "the-text-of-the-issue" })
    const symphony = await workshop.serve(project)
    const before = tree(project)

    for (const headers of [{}, { authorization: "Bearer wrong" }, { cookie: "symphony=wrong" }]) {
      for (const where of [...READS, "/", "/issues/SECRET"]) {
        const response = await fetch(`${symphony.origin}${where}`, { headers, redirect: "manual" })
        assert.notMatch(await response.text(), /SECRET|the-text-of-the-issue/, where)
        if (where.startsWith("/api/")) assert.strictEqual(response.status, 401, where)
      }
      for (const where of WRITES) {
        const response = await fetch(`${symphony.origin}${where}`, {
          method: "POST",
          headers: { ...headers, "content-type": "application/json" },
          body: JSON.stringify({ title: "Planted", to: "Todo", text: "x" })
        })
        assert.strictEqual(response.status, 401, where)
      }
    }
    assert.deepStrictEqual(tree(project), before)
    const health = await fetch(`${symphony.origin}/healthz`)
    assert.deepStrictEqual([health.status, await health.text()], [204, ""], "open, and empty")
    assert.strictEqual((await symphony.request("/api/v1/state")).status, 200)
  })

  it("a foreign Host or Origin is refused, whatever it knows", async ({ workshop }) => {
    const project = workshop.project()
    const { origin, token } = await workshop.serve(project)
    const authorization = `Bearer ${token}`
    const port = new URL(origin).port

    assert.strictEqual(await status(origin, "/api/v1/state", { authorization }), 200)
    for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example"]) {
      assert.include([400, 421], await status(origin, "/api/v1/state", { authorization, host }), host)
    }
    for (const foreign of ["https://evil.example", `http://127.0.0.1:${Number(port) + 1}`, "null"]) {
      const headers = { authorization, origin: foreign }
      assert.strictEqual(await status(origin, "/api/v1/refresh", headers, "POST"), 403, foreign)
    }
    const crossSite = { authorization, "sec-fetch-site": "cross-site" }
    assert.strictEqual(await status(origin, "/api/v1/refresh", crossSite, "POST"), 403)
  })

  it("a run's token opens the run's own endpoint only, and nothing once the run has ended", async ({
    workshop
  }) => {
    const { given, project } = recording(workshop)
    project.file("Todo", "A-1", [])
    const symphony = await workshop.serve(project, [], { env: { GH_TOKEN: "a-secret-of-the-operator" } })
    const { env, mcpServers } = await given(symphony)
    const [server] = mcpServers
    if (server === undefined) throw new Error("no MCP server was given")

    const tools = await toolsOf(server.url, server.headers)
    assert.strictEqual(tools.status, 200)
    assert.include(await tools.text(), "mark_done")
    const headers = Object.fromEntries(server.headers.map(({ name, value }) => [name, value]))
    for (const where of [...READS, "/"]) {
      const response = await fetch(`${symphony.origin}${where}`, { headers, redirect: "manual" })
      assert.notStrictEqual(response.status, 200, where)
    }
    const other = await toolsOf(server.url.replace("A-1", "A-2"), server.headers)
    assert.include([401, 403, 404], other.status, "another issue's endpoint")
    assert.strictEqual((await toolsOf(server.url, [])).status, 401, "the endpoint without it")
    assert.notInclude(JSON.stringify(env), "a-secret-of-the-operator")
    assert.notInclude(JSON.stringify(env), symphony.token)

    assert.strictEqual(
      (
        await symphony.request("/api/v1/issues/A-1/stop", {
          method: "POST",
          headers: { authorization: `Bearer ${symphony.token}` }
        })
      ).status,
      202
    )
    await symphony.until("the run has ended", async () => (await symphony.issue("A-1"))?.running === null)
    assert.strictEqual((await toolsOf(server.url, server.headers)).status, 401)
  })
})

describe("an agent finds symphony where it listens", { timeout: BUSY_MACHINE }, () => {
  const finish = async (workshop: Workshop, sandbox: "host" | "bubblewrap", more: string) => {
    const project = workshop.project({
      sandbox,
      settings: [
        "server: { host: 127.0.0.2, port: 0 }",
        "acp: { adapter: demo, read_timeout_ms: 5000 }",
        more
      ]
    })
    project.file("Todo", "A-1", ["done A | A."])
    const ended = await workshop.run(project, ["--once"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.deepStrictEqual(project.whereIs("A-1"), ["Done"])
  }

  it("on another address than that of the loopback", ({ workshop }) => finish(workshop, "host", ""))

  describe.skipIf(!canBubblewrap("the way of a guest without network to the listener"))(
    "in bubblewrap",
    () => {
      it("without network", ({ workshop }) =>
        finish(workshop, "bubblewrap", "sandbox: { kind: bubblewrap, net: false }"))
    }
  )
})

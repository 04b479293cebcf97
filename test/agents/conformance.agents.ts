import { spawn } from "node:child_process"
import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { agents, binFolder, installed } from "./agents.ts"
import { isJson, list, text } from "./models/json.ts"
import { startModelServer } from "./models/index.ts"
import { makeProject } from "./project.ts"

const KEY = "sk-scripted-0123456789abcdef"
const expectedFailures = fileURLToPath(new URL("conformance-expected-failures.yml", import.meta.url))

/** The suite sends no token: what stands before the endpoint adds it. */
const withToken = async (url: string, authorization: string) => {
  const target = new URL(url)
  const server = createServer((incoming, response) => {
    const passed = request(
      { host: target.hostname, port: target.port, path: target.pathname, method: incoming.method },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.on("error", () => response.destroy())
        answer.pipe(response)
      }
    )
    for (const [name, value] of Object.entries({ ...incoming.headers, authorization }))
      if (value !== undefined) passed.setHeader(name, value)
    // The suite leaves some requests alone; what breaks on one side ends the other.
    for (const stream of [passed, incoming, response]) {
      stream.on("error", () => {
        passed.destroy()
        response.destroy()
      })
    }
    incoming.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/mcp`, close: () => server.close() }
}

describe("the published MCP conformance suite", () => {
  it("passes over the endpoint of a run, but for the failures that are explained", async () => {
    const [agent] = agents
    assert.isDefined(agent)
    const model = await startModelServer({ moves: [{ _tag: "Hang" }], key: KEY })
    const project = makeProject({ agent, sandbox: "host", modelUrl: model.url, key: KEY, wire: true })
    const { child, ended } = project.start()
    try {
      await model.reached("Hang")
      const opened = project.wire().find(({ message }) => message["method"] === "session/new")?.message[
        "params"
      ]
      const [server] = list(isJson(opened) ? opened["mcpServers"] : [])
      const [header] = list(server?.["headers"])
      const front = await withToken(text(server?.["url"]), text(header?.["value"]))
      const suite = spawn(
        join(installed.node, "node"),
        [
          join(binFolder("conformance"), "conformance"),
          "server",
          "--url",
          front.url,
          "--suite",
          "all",
          "--expected-failures",
          expectedFailures,
          "--output-dir",
          join(project.folder, "conformance")
        ],
        { stdio: ["ignore", "pipe", "pipe"] }
      )
      let output = ""
      for (const stream of [suite.stdout, suite.stderr])
        stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")))
      const code = await new Promise((resolve) => suite.on("close", resolve))
      front.close()
      assert.strictEqual(code, 0, output.slice(-8000))
      assert.match(output, /passed/)
    } finally {
      child.kill("SIGTERM")
      await ended
      await model.close()
      project.remove()
    }
  })
})

import * as fs from "node:fs"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe } from "vitest"
import type { Project } from "./support/project.ts"
import { BUSY_MACHINE, it, type Workshop } from "./support/workshop.ts"

const AGENT = fileURLToPath(new URL("../fixtures/acceptance/proxiedAgent.mjs", import.meta.url))
const KEY = "sk-canary-acceptance"

const event = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`
const BEGIN = event({ message: { usage: { input_tokens: 100, output_tokens: 1 } } })
const END = event({ usage: { output_tokens: 20 } })

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const stream = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { "content-type": "text/event-stream" })

interface Recorded {
  readonly [field: string]: unknown
  readonly env: Readonly<Record<string, string>>
}

interface Used {
  readonly _tag: string
  readonly tokens: { readonly total: number; readonly source: string }
}

/** What was used, in the order of the journal. */
const used = (project: Project): ReadonlyArray<Used> =>
  fs
    .readFileSync(path.join(project.state, "journal.jsonl"), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .flatMap((line): ReadonlyArray<Used> => JSON.parse(line.slice(line.indexOf(" ") + 1)))
    .filter(({ _tag }) => _tag === "TurnEnded" || _tag === "UsageCounted")

/** One issue, worked on by an agent whose model is behind the proxy of the program's own listener. */
const play = async (workshop: Workshop, scene: string, answer: Answer) => {
  const seen: Array<IncomingMessage> = []
  const model: Server = createServer((request, response) => {
    seen.push(request)
    request.resume().on("end", () => answer(request, response))
  })
  await new Promise<void>((resolve) => model.listen(0, "127.0.0.1", resolve))
  const address = model.address()
  const url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  try {
    const project = workshop.project({
      settings: [
        `acp: { adapter: claude, credentials: proxy, command: 'exec "${process.execPath}" "${AGENT}" ../../../record.json ${scene}' }`,
        "agent: { circuit_breaker_threshold: 2 }"
      ]
    })
    project.file("Todo", "P-1", [])
    const ended = await workshop.run(project, ["--once"], {
      env: { ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: KEY }
    })
    assert.strictEqual(ended.code, 0, ended.stderr)
    const recorded: Recorded = JSON.parse(fs.readFileSync(path.join(project.root, "record.json"), "utf8"))
    return { recorded, seen, used: used(project) }
  } finally {
    model.closeAllConnections()
    await new Promise((resolve) => model.close(resolve))
  }
}

describe("a model behind the proxy, through the real listener", { timeout: BUSY_MACHINE }, () => {
  it("answers the agent, which has a placeholder for its key, and is counted", async ({ workshop }) => {
    const { recorded, seen, used } = await play(workshop, "work", (_, response) =>
      stream(response).end(BEGIN + END)
    )
    assert.deepInclude(recorded, { status: 200, text: BEGIN + END, elsewhere: 404, upgrade: 426 })
    assert.notInclude(JSON.stringify(recorded), KEY)
    assert.lengthOf(seen, 1, "nothing but what the agent may ask has reached the model")
    assert.strictEqual(seen[0]?.headers["x-api-key"], KEY)
    assert.isUndefined(seen[0]?.headers["traceparent"])
    assert.strictEqual(
      seen[0]?.headers["content-length"],
      String('{"model":"scripted","stream":true}'.length)
    )
    assert.deepStrictEqual(
      used.map(({ tokens: { source, total } }) => ({ source, total })),
      [{ source: "counted", total: 120 }]
    )
  })

  it("is not worked for any longer once the agent hangs up, and what that has used is not all known", async ({
    workshop
  }) => {
    let hungUp = new Promise<void>(() => {})
    const { recorded, used } = await play(workshop, "hangUp", (_, response) => {
      const first = hungUp
      hungUp = new Promise((resolve) => response.on("close", resolve))
      stream(response).write(BEGIN)
      void first.then(() => response.end(END))
    })
    assert.strictEqual(recorded["after"], BEGIN + END)
    assert.lengthOf(used, 1)
    assert.deepInclude(used[0]?.tokens, { total: 221, source: "partial" })
  })

  it("that has not answered to the end when the turn ends is known in part, and what follows is counted", async ({
    workshop
  }) => {
    const { used } = await play(workshop, "leave", (_, response) => stream(response).write(BEGIN))
    assert.deepStrictEqual(
      used.map(({ _tag, tokens: { source, total } }) => ({ _tag, source, total })),
      [
        { _tag: "TurnEnded", source: "partial", total: 101 },
        { _tag: "UsageCounted", source: "unknown", total: 0 }
      ]
    )
  })
})

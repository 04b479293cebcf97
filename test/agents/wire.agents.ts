import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { Ajv2020 } from "ajv/dist/2020.js"
import { assert, describe, it } from "vitest"
import { agents, type RealAgent } from "./agents.ts"
import { isJson, type Json, text } from "./models/json.ts"
import { say, shell, startModelServer, tool } from "./models/index.ts"
import { makeProject } from "./project.ts"
import type { WireMessage } from "./wire.ts"

const KEY = "sk-canary-0123456789abcdef"

const path = createRequire(import.meta.url).resolve("@agentclientprotocol/sdk/schema/v1/schema.json")
const schema: { readonly $defs: Readonly<Record<string, Json>> } = JSON.parse(readFileSync(path, "utf8"))
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false })
ajv.addSchema(schema, "acp")

/** The published definition of a method's `Request`, `Response` or `Notification`. */
const definition = (method: string, kind: "Request" | "Response" | "Notification"): string | undefined =>
  Object.entries(schema.$defs).find(
    ([name, value]) => value["x-method"] === method && name.endsWith(kind)
  )?.[0]

const problemsOf = (method: string, kind: "Request" | "Response" | "Notification", value: unknown) => {
  const name = definition(method, kind)
  if (name === undefined) return [`${method}: no ${kind} of that name is published`]
  const check = ajv.getSchema(`acp#/$defs/${name}`)
  if (check === undefined) return [`${name} cannot be compiled`]
  return check(value) === true ? [] : [`${method} (${name}): ${ajv.errorsText(check.errors)}`]
}

/** What is wrong with the messages that symphony sent, answers to the agent's requests included. */
const problems = (wire: ReadonlyArray<WireMessage>): ReadonlyArray<string> => {
  const asked = new Map<unknown, string>()
  for (const { from, message } of wire)
    if (from === "agent" && message["method"] !== undefined && message["id"] !== undefined)
      asked.set(message["id"], text(message["method"]))
  return wire
    .filter(({ from }) => from === "symphony")
    .flatMap(({ message }) => {
      if (message["jsonrpc"] !== "2.0") return ["a message without jsonrpc: 2.0"]
      const method = message["method"]
      if (typeof method === "string")
        return problemsOf(method, message["id"] === undefined ? "Notification" : "Request", message["params"])
      const answered = asked.get(message["id"])
      if (answered === undefined) return ["an answer to nothing"]
      return isJson(message["error"]) ? [] : problemsOf(answered, "Response", message["result"])
    })
}

/** A question, an answer, work and the end, with a session taken up in between. */
const converse = async (agent: RealAgent) => {
  const model = await startModelServer({
    key: KEY,
    moves: [
      say("I begin."),
      shell(
        "echo hello > hello.txt && git add hello.txt && " +
          "git -c user.name=agent -c user.email=agent@localhost commit --quiet --message='Say hello'"
      ),
      tool("mark_done", { title: "Say hello", summary: "hello.txt says hello." }),
      say("Finished.")
    ]
  })
  const project = makeProject({
    agent,
    sandbox: "host",
    modelUrl: model.url,
    key: KEY,
    wire: true,
    agentSection: { max_turns: 1 }
  })
  const { code, output } = await project.run()
  await model.close()
  return { project, code, output }
}

describe.each(agents)("what symphony says to $name", (agent) => {
  it("is valid by the published schema, also when it takes a session up", async () => {
    const { project, code, output } = await converse(agent)
    assert.strictEqual(code, 0, output)
    const wire = project.wire()
    const methods = new Set(
      wire.filter(({ from }) => from === "symphony").map(({ message }) => text(message["method"]))
    )
    for (const method of ["initialize", "session/new", "session/prompt", "session/resume"])
      assert.isTrue(methods.has(method), `${method} was sent`)
    assert.deepStrictEqual(problems(wire), [])
    assert.match(project.journal(), /"resumed":true/)
    project.remove()
  })
})

describe("the check of what symphony says", () => {
  it("sees a message that is not valid", () => {
    const sent = (message: Json): WireMessage => ({
      from: "symphony",
      message: { jsonrpc: "2.0", ...message }
    })
    assert.lengthOf(problems([sent({ id: 1, method: "session/new", params: { cwd: 1, mcpServers: [] } })]), 1)
    assert.lengthOf(problems([sent({ id: 1, method: "session/nothing", params: {} })]), 1)
    assert.lengthOf(problems([sent({ id: 7, result: {} })]), 1)
  })
})

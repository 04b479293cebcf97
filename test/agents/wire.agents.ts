import { assert, describe, it } from "vitest"
import { agents, type RealAgent } from "./agents.ts"
import { type Json, text } from "./models/json.ts"
import { say, shell, startModelServer, tool } from "./models/index.ts"
import { makeProject } from "./project.ts"
import { problems } from "./schema.ts"
import type { WireMessage } from "./wire.ts"

const KEY = "sk-canary-0123456789abcdef"

/** What a request of the scripted model costs by the agent's own price list, in dollars; null: it does not tell. */
const PRICES: Readonly<Record<RealAgent["name"], number | null>> = {
  claude: 0.0108,
  codex: null,
  codex2: null,
  opencode: 0.0027
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
  return { project, code, output, requests: model.requests }
}

describe.each(agents)("what symphony says to $name", (agent) => {
  it("is valid by the published schema, also when it takes a session up, whose cost is paid once", async () => {
    const { project, code, output, requests } = await converse(agent)
    assert.strictEqual(code, 0, output)
    const wire = project.wire()
    const methods = new Set(
      wire.filter(({ from }) => from === "symphony").map(({ message }) => text(message["method"]))
    )
    for (const method of ["initialize", "session/new", "session/prompt", "session/resume"])
      assert.isTrue(methods.has(method), `${method} was sent`)
    assert.deepStrictEqual(problems(wire), [])
    assert.match(project.journal(), /"resumed":true/)
    const price = PRICES[agent.name]
    const costs = [...project.journal().matchAll(/"cost":\{"amounts":\{"USD":([\d.e-]+)\}/g)].map(
      ([, amount]) => Number(amount)
    )
    if (price === null) assert.isEmpty(costs)
    else {
      const asked = requests.filter(({ move }) => ["Say", "Shell", "Tool"].includes(move)).length
      // One that we cut off at the end of its last turn does not tell any more.
      assert.approximately(costs[0] ?? 0, price, 1e-9)
      assert.isAtMost(
        costs.reduce((sum, amount) => sum + amount, 0),
        asked * price + 1e-9
      )
    }
    project.keepWire()
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
    const asked: WireMessage = {
      from: "agent",
      message: { jsonrpc: "2.0", id: 7, method: "session/request_permission", params: {} }
    }
    assert.lengthOf(problems([asked, sent({ id: 7, error: { message: "no" } })]), 1)
    assert.lengthOf(problems([asked, sent({ id: 7, result: { outcome: "yes" } })]), 1)
    assert.lengthOf(problems([asked, sent({ id: 7, error: { code: -32_601, message: "no" } })]), 0)
  })
})

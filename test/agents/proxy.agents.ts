import { assert, describe, it } from "vitest"
import { agents, type RealAgent } from "./agents.ts"
import { CANARY, holding, hunt, pages } from "./canary.ts"
import { type ModelServer, say, shell, startModelServer, tool, USAGE } from "./models/index.ts"
import { makeProject } from "./project.ts"

const proxied = agents.filter((agent) => agent.proxied !== null)

const play = async (agent: RealAgent, sandbox: "host" | "bubblewrap", net: boolean): Promise<ModelServer> => {
  const model = await startModelServer({
    key: CANARY,
    pace: 20,
    moves: [
      shell(hunt(sandbox)),
      tool("mark_done", { title: "Say hello", summary: "It says hello." }),
      say("Finished.")
    ]
  })
  const project = makeProject({ agent, sandbox, net, modelUrl: model.url, key: CANARY, proxied: true })
  const { ended, output } = project.start()
  await model.reached("Tool")
  const shown = await pages(project, output())
  const { code } = await ended
  await model.close()
  assert.strictEqual(code, 0, output())
  assert.match(project.patch() ?? "", /\+hello/)
  assert.match(project.patch() ?? "", /SYMPHONY_RUN_MARKER/, "the hunt saw the environment")
  assert.match(shown, /^200 /)
  assert.notInclude(shown, CANARY)
  assert.notInclude(output(), CANARY)
  assert.deepStrictEqual(holding(project.folder), [])
  const [, total, source] = /"total":(\d+),"source":"(\w+)"/.exec(project.journal()) ?? []
  const answered = model.requests.filter(({ move }) => ["Shell", "Tool", "Say", "side"].includes(move)).length
  assert.deepStrictEqual(
    { total: Number(total), source },
    { total: answered * (USAGE.input + USAGE.output), source: "counted" }
  )
  project.remove()
  return model
}

describe.each(proxied)(
  "$name behind the proxy takes an issue to Done, and the key is found nowhere",
  (agent) => {
    it("in bubblewrap without network", async () => {
      const { requests } = await play(agent, "bubblewrap", false)
      assert.isTrue(requests.every(({ headers }) => JSON.stringify(headers).includes(CANARY)))
    })
  }
)

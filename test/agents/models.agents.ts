import { assert, describe, it } from "vitest"
import { agents, type RealAgent } from "./agents.ts"
import { isJson, list, text } from "./models/json.ts"
import { startModelServer } from "./models/index.ts"
import { makeProject, type ProjectOptions } from "./project.ts"
import { problems } from "./schema.ts"
import type { WireMessage } from "./wire.ts"

const KEY = "sk-scripted-0123456789abcdef"

/** The first run of an issue with these settings: how it ended, or that the model was asked. */
const begin = async (agent: RealAgent, options: Partial<ProjectOptions>) => {
  const model = await startModelServer({ moves: [{ _tag: "Hang" }], key: KEY })
  const project = makeProject({
    agent,
    sandbox: "host",
    modelUrl: model.url,
    key: KEY,
    wire: true,
    ...options
  })
  const { child, ended, output } = project.start()
  try {
    const outcome = await Promise.race([
      project.firstOutcome(),
      model.reached("Hang").then(() => null),
      ended.then(({ output }): never => {
        throw new Error(output)
      })
    ])
    const wire = project.wire()
    assert.deepStrictEqual(problems(wire), [], output())
    project.keepWire()
    return { outcome, wire, asked: model.requests.find(({ move }) => move === "Hang") }
  } finally {
    child.kill("SIGTERM")
    await ended
    await model.close()
    project.remove()
  }
}

/** The values of the model's option, as the agent offers them in its new session. */
const offered = (wire: ReadonlyArray<WireMessage>): ReadonlyArray<string> =>
  wire.flatMap(({ from, message }) => {
    const result = message["result"]
    if (from !== "agent" || !isJson(result)) return []
    return list(result["configOptions"])
      .filter((option) => option["category"] === "model")
      .flatMap((option) =>
        list(option["options"]).flatMap((choice) =>
          choice["options"] === undefined ? [choice] : list(choice["options"])
        )
      )
      .map((choice) => text(choice["value"]))
  })

/** It offers a list, and takes what is not on it: its API has the last word. */
const TAKES_ANY: ReadonlyArray<RealAgent["name"]> = ["codex"]

describe.each(agents)("the model of $name", (agent) => {
  it("is the one of acp.model where it offers that, and one that it does not offer is for it to refuse", async () => {
    const refused = await begin(agent, { acp: { model: "no-such-model" } })
    const models = offered(refused.wire)
    assert.isNotEmpty(models)
    if (TAKES_ANY.includes(agent.name)) {
      assert.isNull(refused.outcome)
      assert.include(refused.asked?.body, '"model":"no-such-model"')
    } else {
      assert.deepInclude(refused.outcome, {
        _tag: "Failed",
        class: "configuration",
        reason: "agent_capability"
      })
      assert.include(refused.outcome?.message, `"no-such-model"; it offers: ${models[0]}`)
    }

    const model = models.at(-1) ?? ""
    const chosen = await begin(agent, { acp: { model } })
    assert.isNull(chosen.outcome)
    const set = chosen.wire.find(({ message }) => message["method"] === "session/set_config_option")
    assert.deepInclude(set?.message["params"], { value: model })
    assert.isDefined(chosen.asked)
  })
})

describe.each(agents.filter(({ name }) => name === "opencode"))("$name without a configuration", (agent) => {
  it("is not let loose on a model of its vendor", async () => {
    const bare = { ...agent, env: () => ({ OPENCODE_DISABLE_MODELS_FETCH: "1" }) }
    const { outcome } = await begin(bare, { env: { OPENCODE_DISABLE_MODELS_FETCH: "1" } })
    assert.deepInclude(outcome, { _tag: "Failed", class: "configuration", reason: "agent_capability" })
    assert.match(outcome?.message ?? "", /would use "opencode\/.*set acp\.model/)
  })
})

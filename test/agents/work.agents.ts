import { assert, describe, it } from "vitest"
import { agents, type RealAgent } from "./agents.ts"
import { CANARY, holding, hunt, pages } from "./canary.ts"
import { say, shell, startModelServer, tool } from "./models/index.ts"
import { makeProject } from "./project.ts"

const KEY = "sk-scripted-0123456789abcdef"

const takesAnIssueToDone = (agent: RealAgent, sandbox: "host" | "bubblewrap") => async () => {
  const model = await startModelServer({
    moves: [
      shell(hunt(sandbox)),
      tool("mark_done", { title: "Say hello", summary: "hello.txt says hello." }),
      say("Finished.")
    ],
    key: KEY
  })
  // Keys that are on the host and on no list: whatever the agent looks for by itself must not be there.
  const unlisted = { GEMINI_API_KEY: CANARY, AWS_SECRET_ACCESS_KEY: CANARY, CANARY_API_KEY: CANARY }
  const project = makeProject({ agent, sandbox, modelUrl: model.url, key: KEY, env: unlisted })
  const { child, ended, output } = project.start()
  try {
    await Promise.race([model.reached("Tool"), ended])
    const shown = child.exitCode === null ? await pages(project, output()) : ""
    const { code } = await ended
    assert.strictEqual(
      code,
      0,
      `${output()}\n${project.transcript()}\n${JSON.stringify(model.requests.map(({ method, path, move }) => ({ method, path, move })))}`
    )
    assert.strictEqual(project.state(), "Done", output())
    assert.match(project.patch() ?? "", /Subject: \[PATCH\] Say hello[\s\S]*\+hello/)
    assert.match(project.patch() ?? "", /SYMPHONY_RUN_MARKER/, "the hunt saw the environment")
    assert.match(project.journal(), /"verdict":"verified"/)
    assert.isAtLeast(model.requests.filter(({ move }) => move === "Tool").length, 1)
    assert.match(shown, /^200 /)
    assert.notInclude(shown, CANARY)
    assert.notInclude(output(), CANARY)
    assert.deepStrictEqual(holding(project.folder), [])
    assert.isFalse(
      model.requests.some(({ body, headers }) => (body + JSON.stringify(headers)).includes(CANARY))
    )
  } finally {
    child.kill("SIGTERM")
    await ended
    await model.close()
    project.remove()
  }
}

describe.each(agents)("$name takes an issue to Done, and finds no key that is on no list", (agent) => {
  it("on the host", takesAnIssueToDone(agent, "host"))
  it("in bubblewrap", takesAnIssueToDone(agent, "bubblewrap"))
})

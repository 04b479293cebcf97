import { assert, describe, it } from "vitest"
import { agents, type RealAgent } from "./agents.ts"
import { say, shell, startModelServer, tool } from "./models/index.ts"
import { makeProject } from "./project.ts"

const KEY = "sk-scripted-0123456789abcdef"

const work = [
  shell(
    "echo hello > hello.txt && git add hello.txt && " +
      "git -c user.name=agent -c user.email=agent@localhost commit --quiet --message='Say hello'"
  ),
  tool("mark_done", { title: "Say hello", summary: "hello.txt says hello." }),
  say("Finished.")
]

const takesAnIssueToDone = (agent: RealAgent, sandbox: "host" | "bubblewrap") => async () => {
  const model = await startModelServer({ moves: work, key: KEY })
  const project = makeProject({ agent, sandbox, modelUrl: model.url, key: KEY })
  try {
    const { code, output } = await project.run()
    assert.strictEqual(
      code,
      0,
      `${output}\n${project.transcript()}\n${JSON.stringify(model.requests.map(({ method, path, move }) => ({ method, path, move })))}`
    )
    assert.strictEqual(project.state(), "Done", output)
    assert.match(project.patch() ?? "", /Subject: \[PATCH\] Say hello[\s\S]*\+hello/)
    assert.match(project.journal(), /"verdict":"verified"/)
    assert.isAtLeast(model.requests.filter(({ move }) => move === "Tool").length, 1)
  } finally {
    await model.close()
    project.remove()
  }
}

describe.each(agents)("$name takes an issue to Done", (agent) => {
  it("on the host", takesAnIssueToDone(agent, "host"))
  it("in bubblewrap", takesAnIssueToDone(agent, "bubblewrap"))
})

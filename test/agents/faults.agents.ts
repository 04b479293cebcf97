import { assert, describe, it } from "vitest"
import { agents, type RealAgent } from "./agents.ts"
import { type Move, refuse, say, shell, startModelServer, tool } from "./models/index.ts"
import { problems } from "./schema.ts"
import { makeProject, type Outcome, type Project, type ProjectOptions } from "./project.ts"

const KEY = "sk-scripted-0123456789abcdef"

const commit = shell(
  "echo hello > hello.txt && git add hello.txt && " +
    "git -c user.name=agent -c user.email=agent@localhost commit --quiet --message='Say hello'"
)
const done = tool("mark_done", { title: "Say hello", summary: "hello.txt says hello." })

interface Scene {
  readonly project: Project
  readonly reached: (move: Move["_tag"]) => Promise<void>
  /** How the first run ended. */
  readonly outcome: () => Promise<Outcome>
}

/** Runs the program over a scripted model, on the host, and ends it; afterwards nothing of it is alive. */
const scene = async (
  agent: RealAgent,
  moves: ReadonlyArray<Move>,
  play: (scene: Scene) => Promise<void>,
  options: Partial<ProjectOptions> = {}
): Promise<void> => {
  const model = await startModelServer({ moves, key: KEY })
  const project = makeProject({
    agent,
    sandbox: "host",
    modelUrl: model.url,
    key: KEY,
    wire: true,
    ...options,
    acp: { stall_timeout_ms: 25_000, ...options.acp }
  })
  const { child, ended, output } = project.start()
  // With `--once` it ends by itself when nothing is left to do; what it has journaled by then counts.
  const gone = ended.then((): never => {
    throw new Error(`symphony ended by itself:\n${output()}`)
  })
  gone.catch(() => {})
  const last = ended.then(() => (/RunEnded/.test(project.journal()) ? project.firstOutcome() : gone))
  last.catch(() => {})
  try {
    await play({
      project,
      reached: (move) => Promise.race([model.reached(move), gone]),
      outcome: () => Promise.race([project.firstOutcome(), last])
    })
  } finally {
    child.kill("SIGTERM")
    await ended
    await model.close()
  }
  assert.deepStrictEqual(project.processes(), [])
  assert.deepStrictEqual(problems(project.wire()), [])
  project.keepWire()
  project.remove()
}

const failsAs =
  (agent: RealAgent, moves: ReadonlyArray<Move>, expected: RegExp, options: Partial<ProjectOptions> = {}) =>
  (): Promise<void> =>
    scene(
      agent,
      moves,
      async ({ outcome, project }) => {
        const { class: failureClass, message, reason } = await outcome()
        assert.match(`${failureClass} ${reason}: ${message}`, expected)
        // What every issue would meet stops the adapter, and nothing else does.
        assert.strictEqual(/"AdapterBlocked"/.test(project.journal()), failureClass === "configuration")
      },
      options
    )

/** These ask again by themselves and do not say so: all that is seen of a broken model is silence. */
const SILENT = /^agent agent_stall_timeout: /

/** What becomes of a run whose model answers 500, and of one whose model breaks off in the midst of its answer. */
const BROKEN: Readonly<Record<RealAgent["name"], { readonly status500: RegExp; readonly drop: RegExp }>> = {
  claude: {
    status500: /^infrastructure agent_system: .*500 The server had an error/,
    drop: /^infrastructure agent_system: .*Connection dropped/
  },
  codex: {
    status500: SILENT,
    drop: /^infrastructure agent_system: .*stream disconnected/
  },
  codex2: {
    status500: /^infrastructure agent_system: .*without using its model; .*high demand/,
    drop: /^infrastructure agent_system: .*without using its model; .*stream disconnected/
  },
  opencode: { status500: SILENT, drop: SILENT }
}

describe.each(agents)("$name", (agent) => {
  it("asks a person and goes on with the answer", () =>
    scene(
      agent,
      [
        tool("request_human_steering", { question: "Which greeting?" }),
        say("I wait."),
        commit,
        done,
        say("Finished.")
      ],
      async ({ project, outcome, reached }) => {
        await reached("Say")
        while ((await project.answer("Hello")) !== 202);
        assert.deepStrictEqual(await outcome(), { _tag: "Completed", state: "Done" })
        assert.match(project.journal(), /"verdict":"verified"/)
      }
    ))

  it("is cancelled when a person takes the issue away", () =>
    scene(agent, [{ _tag: "Hang" }], async ({ project, outcome, reached }) => {
      await reached("Hang")
      project.move("Parked")
      assert.deepStrictEqual(await outcome(), { _tag: "Cancelled", reason: "moved_to_inactive" })
      const wire = project.wire()
      assert.isTrue(wire.some(({ message }) => message["method"] === "session/cancel"))
      assert.isTrue(wire.some(({ message }) => JSON.stringify(message).includes('"stopReason":"cancelled"')))
    }))

  it("that is killed in its turn has failed", () =>
    scene(agent, [{ _tag: "Hang" }], async ({ project, outcome, reached }) => {
      await reached("Hang")
      for (const { pid } of project.processes()) process.kill(pid, "SIGKILL")
      assert.include(await outcome(), { _tag: "Failed", class: "agent", reason: "agent_exit" })
    }))

  it("without a credential says which one is missing", async () => {
    const model = await startModelServer({ moves: [say("Never.")], key: KEY })
    const project = makeProject({ agent, sandbox: "host", modelUrl: model.url, key: null })
    const { code, output } = await project.run()
    await model.close()
    assert.strictEqual(code, 1, output)
    assert.match(output, /(sign in|set ).*(_API_KEY|key)/)
    assert.strictEqual(project.state(), "Todo")
    // Where it is known beforehand nothing is started; else the one run that was stops the adapter.
    if (agent.name === "claude") assert.notMatch(project.journal(), /"RunStarted"/)
    else {
      assert.lengthOf(project.journal().match(/"RunStarted"/g) ?? [], 1)
      assert.match(project.journal(), /"AdapterBlocked"/)
      assert.deepInclude(await project.firstOutcome(), {
        _tag: "Failed",
        class: "configuration",
        reason: "agent_auth"
      })
    }
    project.remove()
  })

  it(
    "with a wrong credential is a matter for the operator",
    failsAs(agent, [say("Never.")], /^configuration agent_auth: .*(sign in|set )/, { key: "sk-wrong" })
  )

  it(
    "whose model refuses the request has failed",
    failsAs(agent, [refuse(400, "The request is not valid.")], /^infrastructure agent_system: .*not valid/)
  )

  it("whose model is at its limit waits until it resets", () =>
    scene(
      agent,
      [refuse(429, "Rate limit reached. Please try again in 2h.", { "retry-after": "7200" })],
      async ({ outcome }) => {
        const { class: failureClass, reason, resetAt, message } = await outcome()
        // These wait for hours without a word; all that can be seen of it is silence.
        if (["codex2", "opencode"].includes(agent.name))
          return assert.strictEqual(reason, "agent_stall_timeout", message)
        assert.strictEqual(failureClass, "rate_limit", message)
        // codex keeps to itself when its limit ends; then a minute is waited.
        if (agent.adapter === "codex") assert.isNull(resetAt)
        else assert.isAbove(resetAt ?? 0, Date.now() + 3_600_000, message)
      }
    ))

  it(
    "whose model is broken has failed",
    failsAs(agent, [refuse(500, "The server had an error.")], BROKEN[agent.name].status500)
  )

  it("whose model breaks off has failed", failsAs(agent, [{ _tag: "Drop" }], BROKEN[agent.name].drop))

  it(
    "whose model falls silent is stopped",
    failsAs(agent, [{ _tag: "Hang" }], /^agent agent_stall_timeout: /, { acp: { stall_timeout_ms: 4000 } })
  )

  it("that cannot reach its tools is not prompted", () =>
    scene(
      agent,
      [say("Never.")],
      async ({ project, outcome }) => {
        assert.include(await outcome(), {
          _tag: "Failed",
          class: "infrastructure",
          reason: "tools_not_listed"
        })
        assert.isFalse(project.wire().some(({ message }) => message["method"] === "session/prompt"))
      },
      { tamper: { find: "Bearer ", replace: "Bearer not-" }, acp: { read_timeout_ms: 20_000 } }
    ))
})

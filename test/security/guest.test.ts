import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Ref } from "effect"
import { layer as sessions } from "../../src/agent/AcpSessions.ts"
import { AgentSessions } from "../../src/agent/AgentSessions.ts"
import { MAX_RUN_BYTES } from "../../src/journal/transcriptLines.ts"
import { McpEndpoint } from "../../src/mcp/McpEndpoint.ts"
import { type Grant, RunGrants } from "../../src/mcp/RunGrants.ts"
import { RunTools } from "../../src/mcp/RunTools.ts"
import { capable, makePeer, newSession, optionsFor } from "../agent/peer.ts"
import { Endpoint, grantOf, Tools, World } from "../mcp/support.ts"
import { everyFile, stateOf, symphony, withProject } from "../support/program.ts"
import { notDefended } from "./notDefended.ts"

const canary = "canary-c41d7a"

const work = "run echo good > good.txt\ncommit Work\ndone Work | Worked."

/** A session that is prompted, and what the agent at its far end can send. */
const prompted = Effect.gen(function* () {
  const peer = yield* makePeer
  const opening = yield* Effect.forkScoped((yield* AgentSessions).open(optionsFor(peer.sandbox)))
  const hello = yield* peer.answer("initialize", capable)
  yield* peer.answer("session/new", newSession.demo)
  const session = yield* Fiber.join(opening)
  const turn = yield* Effect.forkScoped(session.prompt("work"))
  const { id } = yield* peer.next
  const finish = peer.send({
    id,
    result: { stopReason: "end_turn", usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 } }
  })
  return { peer, hello, turn, finish }
})

describe("the agent's protocol", () => {
  it("18. a line of 40 MB, 20,000 updates, a flood on stderr: the run fails or is cut, the other one is done", () =>
    withProject(
      {
        workflow: "sandbox: { kind: host }",
        issues: {
          LINE: { script: `line ${40 * 1024 * 1024}` },
          BURST: {
            script: `flood 20000\n${"stderr noise noise noise\n".repeat(500)}${work}`
          },
          GOOD: { script: work }
        }
      },
      async (project) => {
        const ended = await symphony(project)
        assert.strictEqual(ended.code, 1, ended.stderr)
        assert.match(ended.stderr, /not finished:\n {2}LINE /)
        assert.notInclude(ended.stderr, "symphony ended with a bug")
        assert.deepEqual(
          ["GOOD", "BURST"].map((name) => stateOf(project, name)),
          ["Done", "Done"]
        )
        const transcripts = everyFile(path.join(project.stateRoot, "transcripts"))
        assert.isNotEmpty(transcripts)
        for (const [name, content] of transcripts) assert.isAtMost(content.length, MAX_RUN_BYTES, name)
      }
    ))

  it.effect(
    "18. deep JSON, half characters, control characters, no message at all: the run fails, at once",
    () =>
      Effect.gen(function* () {
        const lines = [
          "[".repeat(1_000_000),
          `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`,
          Uint8Array.of(0xf0, 0x9f),
          Uint8Array.of(0xff, 0xfe),
          "\u0000\u001b[2J",
          "{}",
          "null"
        ]
        for (const line of lines) {
          const { peer, turn } = yield* prompted
          yield* typeof line === "string" ? peer.raw(line) : peer.bytes(line)
          yield* peer.raw("\n")
          const error = yield* Effect.flip(Fiber.join(turn))
          assert.strictEqual(error.reason, "protocol")
          assert.isBelow(error.message.length, 400)
          // oxlint-disable-next-line no-control-regex -- what must not reach a terminal
          assert.notMatch(error.message, /[\u0000-\u001f]/)
        }
      }).pipe(Effect.provide(sessions))
  )

  it.effect(
    "18. answers to nothing, doubled ids, unknown kinds, notifications and requests: the turn goes on",
    () =>
      Effect.gen(function* () {
        const { finish, peer, turn } = yield* prompted
        yield* peer.send({ id: 4711, result: {} })
        yield* peer.send({ id: 4711, error: { code: 1, message: "x" } })
        yield* peer.update({ sessionUpdate: "of the future", content: [[[]]] })
        yield* peer.send({ method: "host/told", params: { command: "id" } })
        for (const id of [7, 7]) {
          yield* peer.send({ id, method: "host/run", params: { command: "id" } })
          assert.deepInclude((yield* peer.next).error, { code: -32_601 })
        }
        yield* finish
        assert.strictEqual((yield* Fiber.join(turn)).stopReason, "end_turn")
      }).pipe(Effect.provide(sessions))
  )

  it.effect(
    "19. requests for files and terminals of the host: never offered, refused, and nothing of them answered",
    () =>
      Effect.gen(function* () {
        const { finish, hello, peer, turn } = yield* prompted
        assert.deepInclude(hello.params, { clientCapabilities: {} })
        const requests = [
          ["fs/read_text_file", { path: "/etc/passwd" }],
          ["fs/write_text_file", { path: `/tmp/${canary}`, content: canary }],
          ["terminal/create", { command: "touch", args: [`/tmp/${canary}`] }]
        ] as const
        for (const [index, [method, params]] of requests.entries()) {
          yield* peer.send({ id: index, method, params: { sessionId: "s-1", ...params } })
          const answer = yield* peer.next
          assert.deepInclude(answer.error, { code: -32_601 })
          assert.notInclude(JSON.stringify(answer), "root:")
        }
        yield* finish
        yield* Fiber.join(turn)
        assert.isFalse(fs.existsSync(`/tmp/${canary}`))
      }).pipe(Effect.provide(sessions))
  )
})

const callTool = (token: string, issue: string) =>
  Effect.flatMap(McpEndpoint, (endpoint) =>
    Effect.map(
      endpoint.handle(
        new Request(`http://127.0.0.1/api/v1/issues/${issue}/mcp`, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            accept: "application/json, text/event-stream",
            authorization: `Bearer ${token}`
          },
          body: JSON.stringify({
            jsonrpc: "2.0",
            id: 1,
            method: "tools/call",
            params: { name: "mark_done", arguments: { title: "Mine now", summary: canary } }
          })
        })
      ),
      ({ status }) => status
    )
  )

const tokenOf = (grant: Grant) =>
  Effect.flatMap(RunGrants, (grants) => Effect.map(grants.issue(grant), Redacted.value))

describe("the agent's tools", () => {
  it.effect(
    "20. the token of another issue, purpose or ended run, and a replay: refused, and nothing is signalled",
    () =>
      Effect.gen(function* () {
        const world = yield* World
        const own = yield* tokenOf(grantOf("DEMO-1"))
        const neighbour = yield* tokenOf(grantOf("DEMO-2", 2))
        const bridge = yield* tokenOf(grantOf("DEMO-1", 1, "bridge"))
        assert.strictEqual(yield* callTool(neighbour, "DEMO-1"), 403)
        assert.strictEqual(yield* callTool(own, "DEMO-2"), 403)
        assert.strictEqual(yield* callTool(bridge, "DEMO-1"), 403)
        assert.strictEqual(yield* callTool("", "DEMO-1"), 401)
        yield* Ref.set(world.ended, new Set([grantOf("DEMO-1").runId]))
        assert.strictEqual(yield* callTool(own, "DEMO-1"), 404)
        yield* (yield* RunGrants).revoke(grantOf("DEMO-1").runId)
        assert.strictEqual(yield* callTool(own, "DEMO-1"), 401)
        assert.isEmpty(yield* Ref.get(world.signals))
      }).pipe(Effect.provide(Endpoint))
  )

  it("20. the run's token in the environment or command line of what the agent starts: it is not there", () =>
    withProject(
      {
        workflow: "sandbox: { kind: host }",
        issues: {
          SEEK: {
            script: `run env > env.txt; cat /proc/$PPID/environ /proc/$PPID/cmdline | tr "\\0" "\\n" >> env.txt || true\nrun echo "$(wc -l < env.txt)" > lines.txt\nrun rm -f found; grep -qiE "bearer|^[A-Za-z0-9_-]{43}$" env.txt && touch found || true\n${work}`
          }
        }
      },
      async (project) => {
        const ended = await symphony(project)
        assert.strictEqual(ended.code, 0, ended.stderr)
        const patch = fs.readFileSync(path.join(project.stateRoot, "patches/agent_SEEK.patch"), "utf8")
        assert.include(patch, "PATH=")
        assert.notMatch(patch, /^\+\+\+ b\/found$/m)
        assert.notMatch(patch, /bearer/i)
      }
    ))

  it.effect(
    "21. 10,000 questions and proposals, 10 MB texts, proposals with hooks or a state: quotas, and nothing dispatched",
    () =>
      Effect.gen(function* () {
        const world = yield* World
        const tools = yield* RunTools
        const call = (name: string, args: unknown, run = 1) => tools.call(grantOf("DEMO-1", run), name, args)
        const questions = yield* Effect.all(
          Array.from({ length: 10_000 }, () => call("request_human_steering", { question: "?" }))
        )
        assert.isBelow(questions.filter(({ isError }) => !isError).length, 100)
        for (let n = 0; n < 10_000; n++) yield* call("propose_issue", { title: `Idea ${n}` }, 2)
        assert.isAtMost((yield* Ref.get(world.created)).length, 10)
        assert.isTrue(
          (yield* call("request_human_steering", { question: "y".repeat(10_000_000) }, 3)).isError
        )
        for (const extra of [{ state: "Todo" }, { hooks: { before_run: "id" } }, { identifier: "../x" }])
          assert.isTrue((yield* call("propose_issue", { title: "Sneak", ...extra }, 4)).isError)
        for (const { state } of yield* Ref.get(world.created)) assert.strictEqual(state, "Triage")
      }).pipe(Effect.provide(Tools))
  )
})

describe("the machine under the guest", () => {
  it("22. processes that a guest leaves behind, in a session of their own: dead when its run is over", () =>
    withProject(
      {
        workflow: "sandbox: { kind: host }",
        issues: {
          SPAWN: {
            script: `run setsid sh -c 'trap "" TERM HUP INT; echo $$ > pid.txt; while :; do sleep 1; done' > /dev/null 2>&1 & while [ ! -s pid.txt ]; do sleep 0.05; done\n${work}`
          }
        }
      },
      async (project) => {
        const ended = await symphony(project)
        assert.strictEqual(ended.code, 0, ended.stderr)
        const patch = fs.readFileSync(path.join(project.stateRoot, "patches/agent_SPAWN.patch"), "utf8")
        const pid = /^\+(\d+)$/m.exec(patch)?.[1] ?? assert.fail("the guest left nothing behind")
        const stat = (() => {
          try {
            return fs.readFileSync(`/proc/${pid}/stat`, "utf8")
          } catch {
            return `${pid} (gone) Z`
          }
        })()
        assert.match(stat, /\) Z/)
      }
    ))

  notDefended(
    "22. a disk that is filled, memory that is used up and a fork bomb, in the sandboxes host and bubblewrap",
    "they have no quota; a microVM is bounded by its own size"
  )
})

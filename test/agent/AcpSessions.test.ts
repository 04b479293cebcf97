import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import { layer } from "../../src/agent/AcpSessions.ts"
import { failureOf as classified } from "../../src/run/failures.ts"
import { AgentSessions, type AgentEvent, type AgentSession } from "../../src/agent/AgentSessions.ts"
import { MAX_LINE_BYTES } from "../../src/agent/lines.ts"
import type { AdapterName } from "../../src/domain/AdapterName.ts"
import type { WorkflowConfig } from "../../src/workflow/WorkflowConfig.ts"
import { failureOf as failureOfRun } from "../../src/run/failures.ts"
import { capable, makePeer, newSession, openWith, optionsFor, type Peer } from "./peer.ts"

const finished = { stopReason: "end_turn", usage: { inputTokens: 30, outputTokens: 12, totalTokens: 42 } }

/** Events up to and including the first that fits. */
const until = (session: AgentSession, fits: (event: AgentEvent) => boolean) =>
  session.events.pipe(Stream.takeUntil(fits), Stream.runCollect)

/** A turn under way: the prompt has reached the peer. */
const prompting = Effect.fnUntraced(function* (session: AgentSession, peer: Peer) {
  const turn = yield* Effect.forkScoped(session.prompt("work"))
  const request = yield* peer.next
  assert.strictEqual(request.method, "session/prompt")
  return { turn, id: request.id }
})

const failureOf = <A, E>(fiber: Fiber.Fiber<A, E>) => Effect.flip(Fiber.join(fiber))

describe("opening a session", () => {
  it.effect("offers no capability of ours, passes the run's token, and leaves the agent unattended", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const sessions = yield* AgentSessions
      const opening = yield* Effect.forkScoped(
        sessions.open(optionsFor(peer.sandbox, { adapter: "claude", model: "opus" }))
      )
      assert.strictEqual(yield* peer.line, "exec claude-agent-acp")
      const hello = yield* peer.answer("initialize", capable)
      assert.deepInclude(hello.params, { protocolVersion: 1, clientCapabilities: {} })
      const created = yield* peer.answer("session/new", newSession.claude)
      assert.deepStrictEqual(created.params, {
        cwd: "/workspace",
        mcpServers: [
          {
            type: "http",
            name: "symphony",
            url: "http://127.0.0.1:1/mcp",
            headers: [{ name: "Authorization", value: "Bearer run-token" }]
          }
        ]
      })
      const mode = yield* peer.answer("session/set_mode", {})
      assert.deepStrictEqual(mode.params, { sessionId: "s-1", modeId: "bypassPermissions" })
      const model = yield* peer.answer("session/set_config_option", {})
      assert.deepStrictEqual(model.params, { sessionId: "s-1", configId: "model", value: "opus" })
      const session = yield* Fiber.join(opening)
      assert.deepInclude(session, { sessionId: "s-1", resumed: false })
    }).pipe(Effect.provide(layer))
  )

  it.effect("starts what `acp.command` says instead of the adapter's own line", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      yield* openWith(peer, "demo", { command: "my-agent --flag" })
      assert.strictEqual(yield* peer.line, "my-agent --flag")
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "demands no mode of an agent of one's own, but sets the one that asks nobody where it is offered",
    () =>
      Effect.gen(function* () {
        const acp = { command: "my-agent --flag" }
        const peer = yield* makePeer
        const sessions = yield* AgentSessions
        const opening = yield* Effect.forkScoped(
          sessions.open(optionsFor(peer.sandbox, { adapter: "claude", acp }))
        )
        yield* peer.answer("initialize", capable)
        yield* peer.answer("session/new", { sessionId: "s-1" })
        yield* Fiber.join(opening)
        // Sets claude's mode, which this peer offers.
        yield* openWith(yield* makePeer, "claude", acp)
      }).pipe(Effect.provide(layer))
  )

  const refusals: ReadonlyArray<readonly [string, unknown, string, RegExp]> = [
    ["another protocol version", { ...capable, protocolVersion: 2 }, "protocol", /version 2/],
    ["no MCP over HTTP", { protocolVersion: 1, agentCapabilities: {} }, "capability", /MCP over HTTP/],
    ["an answer without sense", { protocolVersion: "one" }, "protocol", /initialize/]
  ]
  for (const [what, answer, reason, message] of refusals)
    it.effect(`refuses ${what}`, () =>
      Effect.gen(function* () {
        const peer = yield* makePeer
        const sessions = yield* AgentSessions
        const opening = yield* Effect.forkScoped(sessions.open(optionsFor(peer.sandbox)))
        yield* peer.answer("initialize", answer)
        const error = yield* failureOf(opening)
        assert.strictEqual(error.reason, reason)
        assert.match(error.message, message)
      }).pipe(Effect.provide(layer))
    )

  it.effect("refuses an agent that cannot work unattended, naming what it offers", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const sessions = yield* AgentSessions
      const opening = yield* Effect.forkScoped(sessions.open(optionsFor(peer.sandbox, { adapter: "claude" })))
      yield* peer.answer("initialize", capable)
      yield* peer.answer("session/new", {
        sessionId: "s-1",
        modes: { currentModeId: "default", availableModes: [{ id: "default" }] }
      })
      const error = yield* failureOf(opening)
      assert.strictEqual(error.reason, "capability")
      assert.match(error.message, /bypassPermissions.*default/)
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses a vendor's model that nobody asked for", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const sessions = yield* AgentSessions
      const opening = yield* Effect.forkScoped(
        sessions.open(optionsFor(peer.sandbox, { adapter: "opencode" }))
      )
      yield* peer.answer("initialize", capable)
      yield* peer.answer("session/new", {
        sessionId: "s-1",
        configOptions: [{ id: "model", category: "model", currentValue: "opencode/big-pickle" }]
      })
      assert.strictEqual((yield* failureOf(opening)).reason, "capability")
    }).pipe(Effect.provide(layer))
  )

  it.effect("tells that the command is not there, its name and how to install it", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const sessions = yield* AgentSessions
      const opening = yield* Effect.forkScoped(sessions.open(optionsFor(peer.sandbox, { adapter: "claude" })))
      yield* peer.next
      yield* peer.stderr("bash: claude-agent-acp: command not found\n")
      yield* peer.exit(127)
      const error = yield* failureOf(opening)
      assert.strictEqual(error.reason, "not_found")
      assert.match(error.message, /`exec claude-agent-acp`.*exit code 127.*npm install -g.*command not found/)
    }).pipe(Effect.provide(layer))
  )

  it.effect("tells that the agent ended before it spoke, with its exit code and last words", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const sessions = yield* AgentSessions
      const opening = yield* Effect.forkScoped(sessions.open(optionsFor(peer.sandbox, { adapter: "claude" })))
      yield* peer.next
      yield* peer.stderr("Error: this needs Node 22\n")
      yield* peer.exit(1)
      const error = yield* failureOf(opening)
      assert.strictEqual(error.reason, "launch")
      assert.match(error.message, /exit code 1;.*needs Node 22/)
      assert.strictEqual(failureOfRun(error).class, "configuration")
    }).pipe(Effect.provide(layer))
  )

  for (const [what, code] of [
    ["killed by a signal", null],
    ["killed inside of its shell or sandbox", 137]
  ] as const)
    it.effect(`does not take an agent for misconfigured that was ${what} before it spoke`, () =>
      Effect.gen(function* () {
        const peer = yield* makePeer
        const sessions = yield* AgentSessions
        const opening = yield* Effect.forkScoped(sessions.open(optionsFor(peer.sandbox)))
        yield* peer.next
        yield* peer.exit(code, "ended by SIGKILL")
        const error = yield* failureOf(opening)
        assert.strictEqual(error.reason, "start")
        assert.strictEqual(failureOfRun(error).class, "infrastructure")
      }).pipe(Effect.provide(layer))
    )

  it.effect("gives an agent that is slow to start the time that it needs, unless a time is set", () =>
    Effect.gen(function* () {
      const sessions = yield* AgentSessions
      for (const [acp, seconds] of [
        [{}, 60],
        [{ readTimeoutMs: 10_000 }, 10]
      ] as const) {
        const peer = yield* makePeer
        const opening = yield* Effect.forkScoped(
          sessions.open(optionsFor(peer.sandbox, { adapter: "opencode", acp }))
        )
        yield* peer.next
        yield* TestClock.adjust(`${seconds - 1} seconds`)
        assert.isUndefined(opening.pollUnsafe())
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* failureOf(opening)).reason, "read_timeout")
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect.each(["initialize", "session/new"])("waits for %s no longer than the read timeout", (silent) =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const sessions = yield* AgentSessions
      const opening = yield* Effect.forkScoped(
        sessions.open(optionsFor(peer.sandbox, { acp: { readTimeoutMs: 5000 } }))
      )
      if (silent === "session/new") yield* peer.answer("initialize", capable)
      yield* peer.next
      yield* TestClock.adjust("5 seconds")
      const error = yield* failureOf(opening)
      assert.strictEqual(error.reason, "read_timeout")
      assert.include(error.message, silent)
    }).pipe(Effect.provide(layer))
  )

  it.effect("signs in with a forwarded key where the agent wants to be asked to", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const sessions = yield* AgentSessions
      const opening = yield* Effect.forkScoped(sessions.open(optionsFor(peer.sandbox, { adapter: "codex" })))
      yield* peer.answer("initialize", { ...capable, authMethods: [{ id: "chatgpt" }, { id: "api-key" }] })
      yield* peer.refuse("session/new", -32_000, "Authentication required")
      const authenticate = yield* peer.answer("authenticate", {})
      assert.deepStrictEqual(authenticate.params, { methodId: "api-key" })
      yield* peer.answer("session/new", newSession.codex)
      assert.strictEqual((yield* Fiber.join(opening)).sessionId, "s-1")
    }).pipe(Effect.provide(layer))
  )

  it.effect("says which credential is missing", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const sessions = yield* AgentSessions
      const opening = yield* Effect.forkScoped(sessions.open(optionsFor(peer.sandbox, { adapter: "codex" })))
      yield* peer.answer("initialize", capable)
      yield* peer.refuse("session/new", -32_000, "Authentication required")
      const error = yield* failureOf(opening)
      assert.strictEqual(error.reason, "auth")
      assert.match(error.message, /\.codex\/auth\.json.*OPENAI_API_KEY/)
    }).pipe(Effect.provide(layer))
  )
})

describe("resuming", () => {
  const open = Effect.fnUntraced(function* (peer: Peer) {
    const sessions = yield* AgentSessions
    return yield* Effect.forkScoped(sessions.open(optionsFor(peer.sandbox, { resume: "s-0" })))
  })

  it.effect("takes up the old session where the agent can", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const opening = yield* open(peer)
      yield* peer.answer("initialize", capable)
      const resume = yield* peer.answer("session/resume", { modes: newSession.demo.modes })
      assert.deepInclude(resume.params, { sessionId: "s-0", cwd: "/workspace" })
      assert.deepInclude(yield* Fiber.join(opening), { sessionId: "s-0", resumed: true })
    }).pipe(Effect.provide(layer))
  )

  it.effect("loads it where the agent can only do that, and does not repeat its history", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const opening = yield* open(peer)
      yield* peer.answer("initialize", {
        protocolVersion: 1,
        agentCapabilities: { mcpCapabilities: { http: true }, loadSession: true }
      })
      const load = yield* peer.next
      assert.strictEqual(load.method, "session/load")
      const says = (text: string) =>
        peer.send({
          method: "session/update",
          params: {
            sessionId: "s-0",
            update: { sessionUpdate: "agent_message_chunk", content: { type: "text", text } }
          }
        })
      yield* says("old")
      yield* peer.send({ id: load.id, result: { modes: newSession.demo.modes } })
      const session = yield* Fiber.join(opening)
      assert.isTrue(session.resumed)
      yield* says("new")
      assert.deepStrictEqual(
        yield* Stream.runHead(session.events),
        Option.some({ _tag: "Message", text: "new" } as const)
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("begins a new session where the agent has forgotten the old one", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const opening = yield* open(peer)
      yield* peer.answer("initialize", capable)
      yield* peer.refuse("session/resume", -32_002, "Resource not found")
      yield* peer.answer("session/new", newSession.demo)
      assert.deepInclude(yield* Fiber.join(opening), { sessionId: "s-1", resumed: false })
    }).pipe(Effect.provide(layer))
  )
})

describe("a turn", () => {
  it.effect("ends well with the tokens that the agent reported for it", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer, "claude")
      const { turn, id } = yield* prompting(session, peer)
      yield* peer.send({ id, result: finished })
      assert.deepStrictEqual(yield* Fiber.join(turn), {
        stopReason: "end_turn",
        tokens: { input: 30, output: 12, total: 42, source: "reported" }
      })
    }).pipe(Effect.provide(layer))
  )

  it.effect("costs what the running total has grown by, whether or not it ended well", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer, "claude")
      const costs = (cost: unknown) =>
        peer.update({ sessionUpdate: "usage_update", used: 10, size: 100, cost })
      const first = yield* prompting(session, peer)
      yield* costs({ amount: 0.0166, currency: "USD" })
      yield* peer.send({ id: first.id, error: { code: -32_603, message: "Internal error" } })
      yield* failureOf(first.turn)
      assert.deepStrictEqual((yield* session.takeCost).cost, { amounts: { USD: 0.0166 }, partial: false })
      const second = yield* prompting(session, peer)
      for (const cost of [
        null,
        "much",
        { amount: 1 },
        { amount: -1, currency: "USD" },
        { amount: 1e300, currency: "USD" },
        { amount: 0, currency: "USD" },
        { amount: 1, currency: "__proto__" }
      ])
        yield* costs(cost)
      yield* peer.send({ id: second.id, result: finished })
      yield* Fiber.join(second.turn)
      assert.deepStrictEqual(yield* session.takeCost, {
        cost: undefined,
        running: { amount: 0.0166, currency: "USD" }
      })
    }).pipe(Effect.provide(layer))
  )

  it.effect("has failed where the agent's numbers are nonsense", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer, "claude")
      const { turn, id } = yield* prompting(session, peer)
      yield* peer.send({ id, result: { stopReason: "end_turn", usage: { totalTokens: 1e300 } } })
      assert.strictEqual((yield* failureOf(turn)).reason, "system")
    }).pipe(Effect.provide(layer))
  )

  for (const [usage, source] of [
    [{ inputTokens: 30, outputTokens: 12, totalTokens: 42 }, "partial"],
    [{ inputTokens: 0, outputTokens: 0, totalTokens: 0 }, "unknown"],
    [null, "unknown"]
  ] as const)
    it.effect(`that is cut off by us with ${JSON.stringify(usage)} has used: ${source}`, () =>
      Effect.gen(function* () {
        const peer = yield* makePeer
        const session = yield* openWith(peer, "claude")
        const { turn, id } = yield* prompting(session, peer)
        yield* session.cancel
        yield* peer.next
        yield* peer.send({ id, result: { stopReason: "cancelled", usage } })
        assert.strictEqual((yield* Fiber.join(turn)).tokens.source, source)
      }).pipe(Effect.provide(layer))
    )

  for (const reason of ["max_tokens", "max_turn_requests", "refusal", "cancelled", "something_new"])
    it.effect(`fails when the agent stops with ${reason} by itself`, () =>
      Effect.gen(function* () {
        const peer = yield* makePeer
        const session = yield* openWith(peer)
        const { turn, id } = yield* prompting(session, peer)
        yield* peer.send({ id, result: { ...finished, stopReason: reason } })
        const error = yield* failureOf(turn)
        assert.strictEqual(error.reason, "turn")
        assert.include(error.message, reason)
      }).pipe(Effect.provide(layer))
    )

  it.effect("can be cancelled, and then says so", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      yield* session.cancel
      const { turn, id } = yield* prompting(session, peer)
      yield* session.cancel
      const cancel = yield* peer.next
      assert.deepInclude(cancel, { method: "session/cancel" })
      yield* peer.send({ id, result: { stopReason: "cancelled" } })
      assert.strictEqual((yield* Fiber.join(turn)).stopReason, "cancelled")
      const after = yield* prompting(session, peer)
      yield* peer.send({ id: after.id, result: finished })
      assert.strictEqual((yield* Fiber.join(after.turn)).stopReason, "end_turn")
    }).pipe(Effect.provide(layer))
  )

  it.effect("is stopped when it takes too long in total, however talkative the agent is", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer, "demo", { promptTimeoutMs: 10_000, stallTimeoutMs: 4000 })
      const { turn } = yield* prompting(session, peer)
      for (let second = 0; second < 10; second += 2) {
        yield* peer.update({
          sessionUpdate: "agent_message_chunk",
          content: { type: "text", text: `${second}` }
        })
        yield* until(session, (event) => event._tag === "Message" && event.text === `${second}`)
        yield* TestClock.adjust("2 seconds")
      }
      assert.strictEqual((yield* failureOf(turn)).reason, "prompt_timeout")
      assert.strictEqual((yield* peer.next).method, "session/cancel")
    }).pipe(Effect.provide(layer))
  )

  const progress: ReadonlyArray<Readonly<Record<string, unknown>>> = [
    { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "a" } },
    { sessionUpdate: "agent_thought_chunk", content: { type: "text", text: "b" } },
    { sessionUpdate: "tool_call", toolCallId: "1", title: "build", status: "pending" },
    { sessionUpdate: "tool_call_update", toolCallId: "1", status: "in_progress" },
    { sessionUpdate: "plan", entries: [{ content: "c", status: "pending", priority: "low" }] },
    { sessionUpdate: "usage_update", used: 10, size: 100 }
  ]

  for (const update of progress)
    it.effect(`goes on as long as the agent gets on: ${String(update["sessionUpdate"])}`, () =>
      Effect.gen(function* () {
        const peer = yield* makePeer
        const session = yield* openWith(peer, "demo", { stallTimeoutMs: 4000 })
        const { turn } = yield* prompting(session, peer)
        yield* TestClock.adjust("3 seconds")
        yield* peer.update(update)
        yield* until(session, (event) => event._tag !== "Notice")
        yield* TestClock.adjust("3 seconds")
        assert.isUndefined(turn.pollUnsafe())
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* failureOf(turn)).reason, "stall_timeout")
        assert.strictEqual((yield* peer.next).method, "session/cancel")
      }).pipe(Effect.provide(layer))
    )

  it.effect("goes on while a long line is on its way", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer, "demo", { stallTimeoutMs: 4000 })
      const { turn, id } = yield* prompting(session, peer)
      const answer = JSON.stringify({ jsonrpc: "2.0", id, result: finished })
      for (const part of [answer.slice(0, 10), answer.slice(10, 20), answer.slice(20)]) {
        yield* peer.raw(part)
        yield* TestClock.adjust("3 seconds")
      }
      assert.isUndefined(turn.pollUnsafe())
      yield* peer.raw("\n")
      assert.strictEqual((yield* Fiber.join(turn)).stopReason, "end_turn")
    }).pipe(Effect.provide(layer))
  )

  const heartbeats = {
    "a notification that we do not know": (peer: Peer) => peer.send({ method: "heartbeat", params: {} }),
    "an update that we do not know": (peer: Peer) => peer.update({ sessionUpdate: "still_here" }),
    "an empty message": (peer: Peer) =>
      peer.update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text: "" } }),
    "an update of a tool that says nothing": (peer: Peer) =>
      peer.update({ sessionUpdate: "tool_call_update", toolCallId: "1" }),
    "the same about a tool again": (peer: Peer) =>
      peer.update({ sessionUpdate: "tool_call_update", toolCallId: "1", status: "in_progress" }),
    "the same plan again": (peer: Peer) =>
      peer.update({ sessionUpdate: "plan", entries: [{ content: "c", status: "pending", priority: "low" }] }),
    "the same occupancy again": (peer: Peer) =>
      peer.update({ sessionUpdate: "usage_update", used: 10, size: 100 }),
    "an answer to nothing": (peer: Peer) => peer.send({ id: 999, result: {} }),
    stderr: (peer: Peer) => peer.stderr("waiting...\n")
  }

  for (const [what, beat] of Object.entries(heartbeats))
    it.effect(`is stopped although the agent says that it lives: ${what}`, () =>
      Effect.gen(function* () {
        const peer = yield* makePeer
        const session = yield* openWith(peer, "demo", { stallTimeoutMs: 4000 })
        const { turn } = yield* prompting(session, peer)
        yield* beat(peer)
        for (let second = 0; second < 4; second++) {
          assert.isUndefined(turn.pollUnsafe())
          yield* beat(peer)
          yield* TestClock.adjust("1 second")
        }
        assert.strictEqual((yield* failureOf(turn)).reason, "stall_timeout")
      }).pipe(Effect.provide(layer))
    )

  it.effect("may be silent for ever when the stall timeout is 0", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer, "demo", { stallTimeoutMs: 0, promptTimeoutMs: 3_600_000 })
      const { turn, id } = yield* prompting(session, peer)
      yield* TestClock.adjust("59 minutes")
      yield* peer.send({ id, result: finished })
      assert.strictEqual((yield* Fiber.join(turn)).stopReason, "end_turn")
    }).pipe(Effect.provide(layer))
  )

  it.effect("fails with exit code and last words when the process ends within it", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const { turn } = yield* prompting(session, peer)
      yield* peer.stderr("out of memory\n")
      yield* peer.exit(134)
      const error = yield* failureOf(turn)
      assert.strictEqual(error.reason, "exit")
      assert.match(error.message, /exit code 134.*out of memory/)
    }).pipe(Effect.provide(layer))
  )

  it.effect("is nobody's failure but the sandbox's when that goes away within it", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const { turn } = yield* prompting(session, peer)
      yield* peer.lose("the guest was lost: connection to VM lost")
      const error = yield* failureOf(turn)
      assert.strictEqual(error.reason, "lost")
      assert.match(error.message, /connection to VM lost/)
      assert.deepInclude(classified(error), { class: "infrastructure", reason: "agent_lost" })
    }).pipe(Effect.provide(layer))
  )

  it.effect("counts when its answer is the last thing before the process ends, even without a line end", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const { turn, id } = yield* prompting(session, peer)
      yield* peer.raw(JSON.stringify({ jsonrpc: "2.0", id, result: finished }))
      yield* peer.exit(0)
      assert.strictEqual((yield* Fiber.join(turn)).stopReason, "end_turn")
    }).pipe(Effect.provide(layer))
  )

  it.effect("is cancelled, and its input closed, when the session's scope is", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const scope = yield* Scope.make()
      const session = yield* openWith(peer).pipe(Scope.provide(scope))
      yield* Effect.forkScoped(session.prompt("work"))
      yield* peer.next
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* peer.next).method, "session/cancel")
      yield* peer.stdinClosed
      yield* Stream.runDrain(session.events)
    }).pipe(Effect.provide(layer))
  )
})

describe("a turn that ends well without a model", () => {
  const ending = (
    adapter: AdapterName,
    result: unknown,
    before: (peer: Peer) => Effect.Effect<void> = () => Effect.void,
    acp: Partial<WorkflowConfig["acp"]> = {}
  ) =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer, adapter, acp)
      const { turn, id } = yield* prompting(session, peer)
      yield* before(peer)
      yield* peer.send({ id, result })
      return yield* Effect.result(Fiber.join(turn))
    }).pipe(Effect.scoped, Effect.provide(layer))

  const say = (text: string) => (peer: Peer) =>
    peer.update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text } })

  it.effect("is a failure of the system, and tells what the agent said", () =>
    Effect.gen(function* () {
      for (const usage of [null, { inputTokens: 0, outputTokens: 0 }]) {
        const result = yield* ending("codex", { stopReason: "end_turn", usage }, say("the model broke"))
        if (result._tag !== "Failure") return assert.fail("it counted as success")
        assert.strictEqual(result.failure.reason, "system")
        assert.include(result.failure.message, "the model broke")
      }
    })
  )

  it.effect("is a missing credential when that is what the agent said", () =>
    Effect.gen(function* () {
      const result = yield* ending(
        "codex",
        { stopReason: "end_turn", usage: null },
        say("Missing environment variable: `OPENAI_API_KEY`.")
      )
      assert.deepInclude(result._tag === "Failure" ? result.failure : {}, { reason: "auth" })
    })
  )

  it.effect("is a failure when the agent calls itself broken, whatever it reports", () =>
    Effect.gen(function* () {
      const result = yield* ending("codex", finished, (peer) =>
        peer.update({
          sessionUpdate: "session_info_update",
          _meta: { codex: { threadStatus: { type: "systemError" } } }
        })
      )
      assert.deepInclude(result._tag === "Failure" ? result.failure : {}, { reason: "system" })
    })
  )

  it.effect("is not suspected of an agent that never reports", () =>
    Effect.gen(function* () {
      const result = yield* ending("codex", { stopReason: "end_turn" })
      assert.deepInclude(result._tag === "Success" ? result.success.tokens : {}, { source: "unknown" })
    })
  )

  it.effect(
    "is not suspected of an agent of one's own that does not report, only of one that reports nothing",
    () =>
      Effect.gen(function* () {
        const own = { command: "my-agent" }
        const silent = yield* ending("claude", { stopReason: "end_turn" }, undefined, own)
        assert.deepInclude(silent._tag === "Success" ? silent.success.tokens : {}, { source: "unknown" })
        const nothing = yield* ending("claude", { stopReason: "end_turn", usage: null }, undefined, own)
        assert.deepInclude(nothing._tag === "Failure" ? nothing.failure : {}, { reason: "system" })
      })
  )
})

describe("lines of an agent", () => {
  const malformed = [
    ["not JSON", "not json at all \u001b[2J", "not json at all ␛[2J"],
    ["no object", "42", "42"],
    ["a batch, which ACP does not have", "[1,2]", "[1,2]"],
    ["of another version of JSON-RPC", `{"jsonrpc":"1.0","method":"x"}`, `"jsonrpc":"1.0"`],
    ["neither request nor answer", `{"jsonrpc":"2.0"}`, `{"jsonrpc":"2.0"}`],
    ["an answer with neither result nor error", `{"jsonrpc":"2.0","id":3}`, `"id":3`],
    ["an answer with an error of no form", `{"jsonrpc":"2.0","id":3,"error":"it broke"}`, "it broke"],
    ["nested without end", "[".repeat(10_000), "[[[["]
  ] as const
  for (const [what, line, quoted] of malformed)
    it.effect(`that are malformed fail the run at once, quoted so that they can be read: ${what}`, () =>
      Effect.gen(function* () {
        const noise = vi.spyOn(console, "error").mockImplementation(() => {})
        const peer = yield* makePeer
        const session = yield* openWith(peer)
        const { turn } = yield* prompting(session, peer)
        yield* peer.raw(`${line}\n`)
        const error = yield* failureOf(turn)
        assert.strictEqual(error.reason, "protocol")
        assert.include(error.message, quoted)
        assert.isBelow(error.message.length, 400)
        assert.strictEqual(noise.mock.calls.length, 0)
        noise.mockRestore()
      }).pipe(Effect.provide(layer))
    )

  it.effect("of a shell's profile, before the agent has spoken, are shown and go by", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const sessions = yield* AgentSessions
      const opening = yield* Effect.forkScoped(sessions.open(optionsFor(peer.sandbox)))
      yield* peer.raw("Now using node v24.21.0\n")
      yield* peer.answer("initialize", capable)
      yield* peer.answer("session/new", newSession.demo)
      const session = yield* Fiber.join(opening)
      const events = yield* until(session, (event) => event._tag === "Notice")
      assert.include(JSON.stringify(events), "Now using node")
    }).pipe(Effect.provide(layer))
  )

  it.effect("that were broken off by the end of the process are told as that end", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const { turn } = yield* prompting(session, peer)
      yield* peer.raw(`{"jsonrpc":"2.0","method":"session/up`)
      yield* peer.exit(9)
      assert.strictEqual((yield* failureOf(turn)).reason, "exit")
    }).pipe(Effect.provide(layer))
  )

  it.effect("that are well-formed but strange go by, with a notice for each answer to nothing", () =>
    Effect.gen(function* () {
      const noise = vi.spyOn(console, "error").mockImplementation(() => {})
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const { turn, id } = yield* prompting(session, peer)
      const odd = [
        { id: 999, result: {} },
        { id: 999, error: { code: 1, message: "x" } },
        { id: null, error: { code: -32_700, message: "Parse error" } },
        { id: "unheard-of", result: null, error: null }
      ]
      for (const message of odd) yield* peer.send(message)
      yield* peer.update({ sessionUpdate: "a_kind_of_the_future", anything: 1 })
      yield* peer.update({ sessionUpdate: "agent_message_chunk" })
      yield* peer.send({ method: "_vendor/status", params: {} })
      yield* peer.send({ id, result: finished })
      yield* Fiber.join(turn)
      const events = yield* session.events.pipe(Stream.take(odd.length), Stream.runCollect)
      assert.isTrue(events.every((event) => event._tag === "Notice"))
      assert.strictEqual(noise.mock.calls.length, 0)
      noise.mockRestore()
    }).pipe(Effect.provide(layer))
  )

  it.effect("about another session are not taken for this one's", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer, "codex")
      const { turn, id } = yield* prompting(session, peer)
      const broken = { codex: { threadStatus: { type: "systemError" } } }
      for (const update of [
        { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "theirs" } },
        { sessionUpdate: "session_info_update", _meta: broken }
      ])
        yield* peer.send({ method: "session/update", params: { sessionId: "s-2", update } })
      yield* peer.update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text: "ours" } })
      yield* peer.send({ id, result: finished })
      assert.strictEqual((yield* Fiber.join(turn)).stopReason, "end_turn")
      assert.deepStrictEqual(
        yield* Stream.runHead(session.events),
        Option.some({ _tag: "Message", text: "ours" } as const)
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("keep characters that were split across chunks", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const line = new TextEncoder().encode(
        `${JSON.stringify({ jsonrpc: "2.0", method: "session/update", params: { update: { sessionUpdate: "agent_message_chunk", content: { text: "grüße 🎼" } } } })}\n`
      )
      for (const byte of line) yield* peer.bytes(Uint8Array.of(byte))
      assert.deepStrictEqual(
        yield* Stream.runHead(session.events),
        Option.some({ _tag: "Message", text: "grüße 🎼" } as const)
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("over the cap fail the run as a flood", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const { turn } = yield* prompting(session, peer)
      const chunk = new Uint8Array(1024 * 1024).fill(120)
      for (let sent = 0; sent <= MAX_LINE_BYTES; sent += chunk.length) yield* peer.bytes(chunk)
      const error = yield* failureOf(turn)
      assert.strictEqual(error.reason, "flood")
    }).pipe(Effect.provide(layer))
  )

  it.effect("in a burst lose the oldest updates and say how many", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const { turn, id } = yield* prompting(session, peer)
      const update = (text: string) =>
        `${JSON.stringify({ jsonrpc: "2.0", method: "session/update", params: { update: { sessionUpdate: "agent_message_chunk", content: { text } } } })}\n`
      for (let batch = 0; batch < 50; batch++)
        yield* peer.raw(
          Array.from({ length: 1000 }, (_, index) => update(`${batch * 1000 + index + 1}`)).join("")
        )
      yield* peer.send({ id, result: finished })
      yield* Fiber.join(turn)
      const events = yield* until(session, (event) => event._tag === "Message" && event.text === "50000")
      assert.isBelow(events.length, 2000)
      assert.match(events[0]?._tag === "Notice" ? events[0].text : "", /48976 updates were dropped/)
    }).pipe(Effect.provide(layer))
  )
})

describe("requests of an agent", () => {
  const permission = (
    options: ReadonlyArray<readonly [string, string]>,
    toolCall: Readonly<Record<string, unknown>>
  ) => ({
    sessionId: "s-1",
    toolCall,
    options: options.map(([optionId, kind]) => ({ optionId, kind, name: optionId }))
  })
  const shapes = {
    claude: [
      ["reject", "reject_once"],
      ["allow-with-updates", "allow_always"],
      ["allow-once", "allow_once"]
    ],
    codex: [
      ["approved", "allow_once"],
      ["approved-for-session", "allow_always"],
      ["approved-always", "allow_always"],
      ["cancel", "reject_once"]
    ],
    codex2: [
      ["allow_session", "allow_always"],
      ["allow_always", "allow_always"],
      ["cancel", "reject_once"]
    ],
    nothing: [["no", "reject_once"]],
    empty: []
  } as const
  const answers = {
    claude: "allow-once",
    codex: "approved",
    codex2: "allow_session",
    nothing: "no",
    empty: null
  }

  it.effect("for leave are answered by kind, under ids that may be 0 or text", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const { turn, id } = yield* prompting(session, peer)
      const ids = [0, "1b4e28ba", 2, 3, 4]
      for (const [index, [shape, options]] of Object.entries(shapes).entries()) {
        yield* peer.send({
          id: ids[index],
          method: "session/request_permission",
          params: permission(options, { toolCallId: "t-1", title: `leave for ${shape}` })
        })
        const answer = yield* peer.next
        const expected = answers[shape as keyof typeof answers]
        assert.deepStrictEqual(answer.id, ids[index])
        assert.deepStrictEqual(answer.result, {
          outcome: expected === null ? { outcome: "cancelled" } : { outcome: "selected", optionId: expected }
        })
      }
      yield* peer.send({ id, result: finished })
      yield* Fiber.join(turn)
    }).pipe(Effect.provide(layer))
  )

  it.effect("for leave are shown by the title of the tool call they point at", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      yield* prompting(session, peer)
      yield* peer.update({
        sessionUpdate: "tool_call",
        toolCallId: "t-7",
        title: "mark_done",
        status: "pending"
      })
      yield* peer.send({
        id: 0,
        method: "session/request_permission",
        params: permission(shapes.codex2, { toolCallId: "t-7" })
      })
      const events = yield* until(session, (event) => event._tag === "Permission")
      assert.deepStrictEqual(events.at(-1), {
        _tag: "Permission",
        title: "mark_done",
        answer: "allow_always"
      })
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "for leave are granted in an open turn only: not before it, after our cancel, or after its end",
    () =>
      Effect.gen(function* () {
        const peer = yield* makePeer
        const session = yield* openWith(peer)
        const ask = Effect.gen(function* () {
          yield* peer.send({
            id: 0,
            method: "session/request_permission",
            params: permission(shapes.codex, { toolCallId: "t-1", title: "rm -rf" })
          })
          return (yield* peer.next).result
        })
        const refusal = { outcome: { outcome: "cancelled" } }
        const leave = { outcome: { outcome: "selected", optionId: "approved" } }
        assert.deepStrictEqual(yield* ask, refusal)
        const { turn, id } = yield* prompting(session, peer)
        assert.deepStrictEqual(yield* ask, leave)
        yield* session.cancel
        assert.strictEqual((yield* peer.next).method, "session/cancel")
        assert.deepStrictEqual(yield* ask, refusal)
        yield* peer.send({ id, result: { stopReason: "cancelled" } })
        yield* Fiber.join(turn)
        assert.deepStrictEqual(yield* ask, refusal)
        yield* prompting(session, peer)
        assert.deepStrictEqual(yield* ask, leave)
      }).pipe(Effect.provide(layer))
  )

  it.effect("for leave are shown by the title that the tool call has by then", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      yield* prompting(session, peer)
      yield* peer.update({ sessionUpdate: "tool_call", toolCallId: "t-7", title: "Edit", status: "pending" })
      yield* peer.update({ sessionUpdate: "tool_call_update", toolCallId: "t-7", title: "Edit hello.txt" })
      yield* peer.send({
        id: 0,
        method: "session/request_permission",
        params: permission(shapes.codex2, { toolCallId: "t-7" })
      })
      const events = yield* until(session, (event) => event._tag === "Permission")
      assert.deepInclude(events.at(-1), { title: "Edit hello.txt" })
    }).pipe(Effect.provide(layer))
  )

  for (const method of ["fs/read_text_file", "fs/write_text_file", "terminal/create", "vendor/anything"])
    it.effect(`for ${method} are refused, and the session goes on`, () =>
      Effect.gen(function* () {
        const peer = yield* makePeer
        const session = yield* openWith(peer)
        const { turn, id } = yield* prompting(session, peer)
        yield* peer.send({ id: 0, method, params: { sessionId: "s-1", path: "/etc/passwd" } })
        const answer = yield* peer.next
        assert.deepInclude(answer.error, { code: -32_601 })
        yield* peer.send({ id, result: finished })
        assert.strictEqual((yield* Fiber.join(turn)).stopReason, "end_turn")
      }).pipe(Effect.provide(layer))
    )

  it.effect("without end, from an agent that reads no answers, fail the run as a flood", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const { turn } = yield* prompting(session, peer)
      yield* peer.stopReading
      for (let id = 0; id < 1000; id++) yield* peer.send({ id, method: "vendor/anything", params: {} })
      assert.strictEqual((yield* failureOf(turn)).reason, "flood")
    }).pipe(Effect.provide(layer))
  )

  it.effect("for a person's input end the turn", () =>
    Effect.gen(function* () {
      const peer = yield* makePeer
      const session = yield* openWith(peer)
      const { turn } = yield* prompting(session, peer)
      yield* peer.send({ id: "x", method: "elicitation/create", params: { message: "name?" } })
      assert.strictEqual((yield* failureOf(turn)).reason, "input_required")
    }).pipe(Effect.provide(layer))
  )
})

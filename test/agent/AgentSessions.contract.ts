import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import {
  type AgentEvent,
  type AgentSession,
  type AgentSessionOptions,
  AgentSessions
} from "../../src/agent/AgentSessions.ts"
import type { WorkflowConfig } from "../../src/workflow/WorkflowConfig.ts"

export interface Overrides {
  readonly resume?: string
  readonly acp?: Partial<WorkflowConfig["acp"]>
}

/** A layer under test: how its effects are run, and what `open` is given. */
export interface Subject<R> {
  readonly provide: <A, E>(
    effect: Effect.Effect<A, E, AgentSessions | Scope.Scope | R>
  ) => Effect.Effect<A, E>
  readonly options: (overrides?: Overrides) => Effect.Effect<AgentSessionOptions, unknown, R | Scope.Scope>
}

/** A prompt that the demo agent follows; scripted agents of other layers read its first word. */
export const script = (...lines: ReadonlyArray<string>): string => `\`\`\`demo\n${lines.join("\n")}\n\`\`\``

export const openFor =
  <R>(subject: Subject<R>) =>
  (overrides?: Overrides) =>
    Effect.gen(function* () {
      const sessions = yield* AgentSessions
      return yield* sessions.open(yield* subject.options(overrides))
    })

/** Everything up to the message with this text. */
export const heard = (session: AgentSession, text: string) =>
  session.events.pipe(
    Stream.takeUntil((event: AgentEvent) => event._tag === "Message" && event.text.includes(text)),
    Stream.runCollect
  )

/** What holds for agent sessions of every layer. */
export const agentSessionsContract = <R>(subject: Subject<R>): void => {
  const open = openFor(subject)

  it.live("a turn ends well, and what was said in it is heard", () =>
    Effect.gen(function* () {
      const session = yield* open()
      const result = yield* session.prompt(script("say hello"))
      assert.strictEqual(result.stopReason, "end_turn")
      assert.strictEqual(result.tokens.source, "scripted")
      yield* heard(session, "hello")
    }).pipe(subject.provide)
  )

  it.live("a turn that is asked to end is cancelled; between turns that does nothing", () =>
    Effect.gen(function* () {
      const session = yield* open()
      yield* session.cancel
      const turn = yield* Effect.forkChild(session.prompt(script("say waiting", "sleep 600000")))
      yield* heard(session, "waiting")
      yield* session.cancel
      assert.strictEqual((yield* Fiber.join(turn)).stopReason, "cancelled")
    }).pipe(subject.provide)
  )

  it.live("a failed turn says why, and the next one may go well", () =>
    Effect.gen(function* () {
      const session = yield* open()
      const error = yield* Effect.flip(session.prompt(script("fail-once the model is gone")))
      assert.strictEqual(error.reason, "system")
      assert.include(error.message, "the model is gone")
      assert.strictEqual((yield* session.prompt(script("say better"))).stopReason, "end_turn")
    }).pipe(subject.provide)
  )

  it.live("a silent turn is ended by the stall timeout", () =>
    Effect.gen(function* () {
      const session = yield* open({ acp: { stallTimeoutMs: 50 } })
      const error = yield* Effect.flip(session.prompt(script("sleep 600000")))
      assert.strictEqual(error.reason, "stall_timeout")
    }).pipe(subject.provide)
  )

  it.live("a long turn is ended by the prompt timeout", () =>
    Effect.gen(function* () {
      const session = yield* open({ acp: { promptTimeoutMs: 50 } })
      const error = yield* Effect.flip(session.prompt(script("sleep 600000")))
      assert.strictEqual(error.reason, "prompt_timeout")
    }).pipe(subject.provide)
  )

  it.live("a session is taken up by its name", () =>
    Effect.gen(function* () {
      const first = yield* Effect.scoped(open())
      assert.isFalse(first.resumed)
      const second = yield* open({ resume: first.sessionId })
      assert.deepInclude(second, { sessionId: first.sessionId, resumed: true })
    }).pipe(subject.provide)
  )

  it.live("sessions at the same time do not disturb one another", () =>
    Effect.gen(function* () {
      const [left, right] = yield* Effect.all([open(), open()], { concurrency: 2 })
      assert.notStrictEqual(left.sessionId, right.sessionId)
      const [failed, well] = yield* Effect.all(
        [Effect.flip(left.prompt(script("fail broken"))), right.prompt(script("say fine"))],
        { concurrency: 2 }
      )
      assert.strictEqual(failed.reason, "system")
      assert.strictEqual(well.stopReason, "end_turn")
    }).pipe(subject.provide)
  )

  it.live("events end with the session", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const session = yield* open().pipe(Scope.provide(scope))
      const all = yield* Effect.forkChild(Stream.runCollect(session.events))
      yield* session.prompt(script("say goodbye"))
      yield* Scope.close(scope, Exit.void)
      const events = yield* Fiber.join(all)
      assert.isTrue(events.some((event) => event._tag === "Message" && event.text.includes("goodbye")))
    }).pipe(subject.provide)
  )
}

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { AgentSessions, type AgentSession } from "../../src/agent/AgentSessions.ts"
import { parseScript, scriptIn } from "../../src/agent/demo/script.ts"
import { replyIn } from "../../src/agent/demo/reply.ts"
import { replyPrompt } from "../../src/workflow/texts.ts"
import { heard, type Overrides, script } from "./AgentSessions.contract.ts"
import { makeProject, realAgents } from "./demo.ts"

type Project = Effect.Success<typeof makeProject>

const open = Effect.fnUntraced(function* (project: Project, overrides?: Overrides) {
  const sessions = yield* AgentSessions
  return yield* sessions.open(yield* project.options(overrides))
})

const inProject = <A, E, R>(body: (project: Project, session: AgentSession) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const project = yield* makeProject
    return yield* body(project, yield* open(project))
  }).pipe(Effect.scoped, Effect.provide(realAgents))

const git = (project: Project, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", ["-C", project.workspace, ...args], { encoding: "utf8" }).trim()

describe("the demo agent", () => {
  it.live("says first that it is scripted and that no model is involved", () =>
    inProject((_, session) =>
      Effect.gen(function* () {
        yield* session.prompt(script("end"))
        const [first] = yield* session.events.pipe(Stream.take(1), Stream.runCollect)
        assert.match(first?._tag === "Message" ? first.text : "", /scripted.*no model is involved/)
      })
    )
  )

  it.live("writes, runs, commits without any git identity, and marks its issue done", () =>
    inProject((project, session) =>
      Effect.gen(function* () {
        yield* session.prompt(
          script(
            "write src/answer.txt <<EOF",
            "forty",
            "two",
            "EOF",
            "append src/answer.txt more",
            "run test -f src/answer.txt",
            "commit Answer the question",
            "done Answer the question | It is 42."
          )
        )
        assert.strictEqual(readFileSync(`${project.workspace}/src/answer.txt`, "utf8"), "forty\ntwo\nmore\n")
        assert.strictEqual(
          git(project, "log", "--format=%s %ae"),
          "Answer the question demo@symphony.invalid"
        )
        assert.strictEqual(git(project, "status", "--porcelain"), "")
        assert.deepStrictEqual(project.tools.calls, [
          { name: "mark_done", arguments: { title: "Answer the question", summary: "It is 42." } }
        ])
      })
    )
  )

  it.live("asks a person, ends its turn, and goes on with the reply", () =>
    inProject((project, session) =>
      Effect.gen(function* () {
        yield* session.prompt(script("ask Which colour?", "write colour.txt {{reply}}", "done Paint it"))
        assert.deepStrictEqual(
          project.tools.calls.map((call) => call.name),
          ["request_human_steering"]
        )
        yield* session.prompt(
          replyPrompt({ question: "Which colour?", context: null, reply: "blue\n\nor green" })
        )
        assert.strictEqual(readFileSync(`${project.workspace}/colour.txt`, "utf8"), "blue\n\nor green\n")
        assert.strictEqual(project.tools.calls.at(-1)?.name, "mark_done")
      })
    )
  )

  it.live("tries again what a tool refused", () =>
    inProject((project, session) =>
      Effect.gen(function* () {
        project.tools.refuse = 1
        yield* session.prompt(script("done A title"))
        yield* session.prompt("Go on.")
        assert.strictEqual(project.tools.calls.length, 2)
      })
    )
  )

  it.live("goes on after the last finished step when its process is started anew", () =>
    Effect.gen(function* () {
      const project = yield* makeProject
      const steps = script(
        "append log.txt one",
        "crash once",
        "append log.txt two",
        "fail-once broken",
        "done Finished"
      )
      const crashed = yield* Effect.flip(
        Effect.scoped(Effect.flatMap(open(project), (session) => session.prompt(steps)))
      )
      assert.strictEqual(crashed.reason, "exit")
      assert.match(crashed.message, /exit code 70.*as the script says/)
      const failed = yield* Effect.flip(
        Effect.scoped(Effect.flatMap(open(project), (session) => session.prompt(steps)))
      )
      assert.strictEqual(failed.reason, "system")
      yield* Effect.scoped(Effect.flatMap(open(project), (session) => session.prompt(steps)))
      assert.strictEqual(readFileSync(`${project.workspace}/log.txt`, "utf8"), "one\ntwo\n")
      assert.strictEqual(project.tools.calls.length, 1)
    }).pipe(Effect.scoped, Effect.provide(realAgents))
  )

  it.live("fails its turn when a command fails, and not when it was only tried", () =>
    inProject((_, session) =>
      Effect.gen(function* () {
        yield* session.prompt(script("try exit 3"))
        const error = yield* Effect.flip(session.prompt(script("run exit 3")))
        assert.include(error.message, "status 3")
      })
    )
  )

  it.live("reports the tokens it was told to, else some of its own", () =>
    inProject((_, session) =>
      Effect.gen(function* () {
        const told = yield* session.prompt(script("tokens 100 20", "end"))
        assert.deepStrictEqual(told.tokens, { input: 100, output: 20, total: 120, source: "scripted" })
        const own = yield* session.prompt(script("say something"))
        assert.isAbove(own.tokens.total, 0)
        const none = yield* Effect.flip(session.prompt(script("tokens none", "say the key is gone")))
        assert.strictEqual(none.reason, "system")
      })
    )
  )

  it.live("is granted leave, once", () =>
    inProject((_, session) =>
      Effect.gen(function* () {
        yield* session.prompt(script("permission Delete the moon"))
        const events = yield* heard(session, "permission: once")
        assert.deepInclude(
          events.find((event) => event._tag === "Permission"),
          { title: "Delete the moon", answer: "allow_once" }
        )
      })
    )
  )

  it.live("ends its turn as a failure when it wants a person's input", () =>
    inProject((_, session) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(session.prompt(script("input")))).reason, "input_required")
      })
    )
  )

  it.live("names the error of the code it was told to answer with", () =>
    inProject((_, session) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(session.prompt(script("error -32000 no key")))).reason, "auth")
        const limited = yield* Effect.flip(
          session.prompt(script("error 429 Too many requests, try again in 20s"))
        )
        assert.strictEqual(limited.reason, "rate_limit")
        assert.isNumber(limited.resetAt)
        assert.strictEqual((yield* Effect.flip(session.prompt(script("stop refusal")))).reason, "turn")
        const wrong = yield* Effect.flip(session.prompt(script("say fine", "dance wildly")))
        assert.match(wrong.message, /line 2: there is no step called dance/)
      })
    )
  )

  it.live("that hangs is dead when its session is over, whatever it ignores", () =>
    Effect.gen(function* () {
      const project = yield* makeProject
      const scope = yield* Scope.make()
      const session = yield* open(project).pipe(Scope.provide(scope))
      const turn = yield* Effect.forkScoped(
        Effect.flip(session.prompt(script("run echo $PPID > pid", "say hanging", "hang")))
      )
      yield* heard(session, "hanging")
      yield* session.cancel
      const pid = Number(readFileSync(`${project.workspace}/pid`, "utf8"))
      assert.isTrue(existsSync(`/proc/${pid}`) || process.platform !== "linux")
      yield* Scope.close(scope, Exit.void)
      assert.throws(() => process.kill(pid, 0))
      yield* Fiber.interrupt(turn)
    }).pipe(Effect.scoped, Effect.provide(realAgents))
  )
})

describe("a hostile agent harms only its own run", () => {
  it.live("with a line of 80 MB", () =>
    Effect.gen(function* () {
      const [bad, good] = yield* Effect.all([makeProject, makeProject])
      const [flooding, working] = yield* Effect.all([open(bad), open(good)], { concurrency: 2 })
      const before = process.memoryUsage().rss
      const flood = yield* Effect.forkChild(Effect.flip(flooding.prompt(script("line 83886080"))))
      const fine = yield* working.prompt(script("say fine"))
      assert.strictEqual((yield* Fiber.join(flood)).reason, "flood")
      assert.strictEqual(fine.stopReason, "end_turn")
      assert.isBelow(process.memoryUsage().rss - before, 200 * 1024 * 1024)
    }).pipe(Effect.scoped, Effect.provide(realAgents))
  )

  it.live("with 50,000 updates in a burst", () =>
    Effect.gen(function* () {
      const [bad, good] = yield* Effect.all([makeProject, makeProject])
      const [flooding, working] = yield* Effect.all([open(bad), open(good)], { concurrency: 2 })
      const flood = yield* Effect.forkChild(flooding.prompt(script("flood 50000", "say over")))
      assert.strictEqual((yield* working.prompt(script("say fine"))).stopReason, "end_turn")
      assert.strictEqual((yield* Fiber.join(flood)).stopReason, "end_turn")
      const events = yield* heard(flooding, "over")
      assert.isBelow(events.length, 2000)
      assert.match(events[0]?._tag === "Notice" ? events[0].text : "", /updates were dropped/)
    }).pipe(Effect.scoped, Effect.provide(realAgents))
  )
})

describe("scripts", () => {
  it("are found in a prompt, whatever surrounds them", () => {
    assert.strictEqual(scriptIn("# Issue\n\ntext\n\n```demo\nsay hi\n```\n\nmore"), "say hi\n")
    assert.strictEqual(
      scriptIn("~~~demo\nwrite a.md <<E\n```\ncode\n```\nE\n~~~"),
      "write a.md <<E\n```\ncode\n```\nE\n"
    )
    assert.isUndefined(scriptIn("```sh\nls\n```"))
  })

  it("are documented: the example parses, and every step of the table is one", () => {
    const page = readFileSync(new URL("../../docs/demo-agent.md", import.meta.url), "utf8")
    assert.isAbove(parseScript(scriptIn(page) ?? "").steps.length, 5)
    const named = [...page.matchAll(/^\| `([a-z-]+)/gm)].map(([, name]) => name)
    assert.isAbove(named.length, 20)
    for (const name of named) {
      const line = `${name} 1 | 2`
      assert.doesNotThrow(() => {
        try {
          parseScript(line)
        } catch (error) {
          // Some take no text of that kind; all must be known.
          if (/no step called/.test(String(error))) throw error
        }
      }, name)
    }
  })

  it("skip comments and empty lines", () => {
    assert.deepStrictEqual(parseScript("# first\n\n  say hi\n").steps, [{ name: "say", text: "hi" }])
  })

  for (const [line, message] of [
    ["dance", /line 1: there is no step called dance/],
    ["sleep soon", /line 1: sleep takes milliseconds/],
    ["write", /line 1: write takes a path/],
    ["say <<EOF\nhi", /line 1: nothing ends the block <<EOF/],
    ["crash twice", /line 1: crash takes nothing or `once`/],
    ["tokens 1", /line 1: tokens takes two numbers/]
  ] as const)
    it(`say what is wrong with: ${line.split("\n")[0]}`, () => {
      assert.throws(() => parseScript(line), message)
    })
})

describe("a reply", () => {
  it("is what symphony's prompt marks as the answer, a block of that name, or all there is", () => {
    assert.strictEqual(replyIn(replyPrompt({ question: "q", context: "c", reply: "a\n\nb" })), "a\n\nb")
    assert.strictEqual(replyIn("text\n```reply\nblue\n```\n"), "blue")
    assert.strictEqual(replyIn(" just this "), "just this")
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, type FileSystem, type Layer, Redacted, type Scope, Stream } from "effect"
import { Sandboxes } from "../../src/sandbox/Sandboxes.ts"
import type { SandboxKind } from "../../src/workflow/WorkflowConfig.ts"
import type { ConfigOverrides } from "../support/workflow.ts"
import { allOf, makeWorld, sh } from "./world.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const FLOOD = 8 * 1024 * 1024

/** What a shell adds to the environment by itself. */
const SHELL_OWN = ["PWD", "OLDPWD", "SHLVL", "_"]

/** The promises of `Sandboxes` that every kind keeps. */
export const sandboxesContract = (
  kind: SandboxKind,
  layer: Layer.Layer<Sandboxes | FileSystem.FileSystem>,
  title: string = kind,
  config: ConfigOverrides = {}
) =>
  describe(`Sandboxes contract: ${title}`, () => {
    const test = (
      name: string,
      body: Effect.Effect<void, unknown, Sandboxes | FileSystem.FileSystem | Scope.Scope>
    ) => it.live(name, () => Effect.scoped(body).pipe(Effect.provide(layer)))

    const started = Effect.fnUntraced(function* (line: string) {
      const sandboxes = yield* Sandboxes
      const world = yield* makeWorld(kind, true, config)
      const sandbox = yield* sandboxes.acquire(world.request())
      return { world, sandbox, process: yield* sandbox.start(sh(line)) }
    })

    test(
      "carries bytes both ways and ends when its stdin does",
      Effect.gen(function* () {
        const { process } = yield* started("cat")
        yield* process.write(bytes("one "))
        yield* process.write(bytes("two"))
        yield* process.closeStdin
        assert.strictEqual(yield* allOf(process.stdout), "one two")
        assert.strictEqual((yield* process.exit).code, 0)
      })
    )

    test(
      "serialises concurrent writers",
      Effect.gen(function* () {
        const { process } = yield* started("cat")
        const lines = Array.from(
          { length: 200 },
          (_, n) => `${String(n).padStart(6, "0")}${"x".repeat(3000)}\n`
        )
        yield* Effect.forkChild(
          Effect.andThen(
            Effect.forEach(lines, (line) => process.write(bytes(line)), { concurrency: 20 }),
            process.closeStdin
          )
        )
        const echoed = (yield* allOf(process.stdout)).split(/(?<=\n)/)
        assert.deepStrictEqual(echoed.toSorted(), lines)
      })
    )

    test(
      "loses nothing of a large output, however slow the reader",
      Effect.gen(function* () {
        const { process } = yield* started(`head -c ${FLOOD} /dev/zero`)
        assert.strictEqual((yield* Effect.timeoutOption(process.exit, "50 millis"))._tag, "None")
        const size = yield* Stream.runFold(
          process.stdout,
          () => 0,
          (sum, chunk) => sum + chunk.length
        )
        assert.strictEqual(size, FLOOD)
        assert.strictEqual((yield* process.exit).code, 0)
      })
    )

    test(
      "keeps stderr apart and tells the exit code",
      Effect.gen(function* () {
        const { process } = yield* started("echo oops >&2; exit 7")
        const [stdout, stderr] = yield* Effect.all([allOf(process.stdout), allOf(process.stderr)], {
          concurrency: 2
        })
        assert.deepStrictEqual([stdout, stderr], ["", "oops\n"])
        assert.strictEqual((yield* process.exit).code, 7)
      })
    )

    test(
      "gives the guest the environment that was asked for, PATH and locale, and no more",
      Effect.gen(function* () {
        const { process, sandbox } = yield* started("env -0")
        const entries = (yield* allOf(process.stdout)).split("\0").filter((entry) => entry !== "")
        const env = new Map(
          entries.map((entry) => [entry.split("=", 1)[0] ?? "", entry.slice(entry.indexOf("=") + 1)])
        )
        assert.strictEqual(env.get("GREETING"), "hello")
        assert.strictEqual(env.get("API_KEY"), "s3cret")
        assert.strictEqual(env.get("HOME"), sandbox.home)
        assert.isTrue(env.has("PATH"))
        const allowed = /^(GREETING|API_KEY|HOME|PATH|TERM|TZ|LANG|LANGUAGE|LC_[A-Z]+|SYMPHONY_RUN_MARKER)$/
        const foreign = [...env.keys()].filter((name) => !allowed.test(name) && !SHELL_OWN.includes(name))
        assert.deepStrictEqual(foreign, [])
      })
    )

    test(
      "runs its line by the shell as it stands, in the workspace",
      Effect.gen(function* () {
        const { process, world } = yield* started(`pwd; echo 'a  "quoted"  $word' | tr a-z A-Z`)
        assert.strictEqual(yield* allOf(process.stdout), `${world.workspace}\nA  "QUOTED"  $WORD\n`)
        assert.strictEqual((yield* process.exit).code, 0)
      })
    )

    test(
      "fails with a typed error when the shell is not there",
      Effect.gen(function* () {
        const sandboxes = yield* Sandboxes
        const world = yield* makeWorld(kind, true, config)
        const sandbox = yield* sandboxes.acquire(world.request())
        const error = yield* Effect.flip(sandbox.start({ shell: "/no/such/shell", line: "true" }))
        assert.strictEqual(error.reason, "spawn")
        assert.include(error.message, "/no/such/shell")
      })
    )

    test(
      "refuses to write to a guest that is gone",
      Effect.gen(function* () {
        const { process } = yield* started("exit 0")
        yield* process.exit
        const write = Effect.repeat(process.write(bytes("x".repeat(70_000))), { times: 10 })
        const error = yield* Effect.flip(write)
        assert.strictEqual(error._tag, "SandboxError")
        assert.strictEqual(error.reason, "io")
      })
    )

    test(
      "ends the process when its scope closes",
      Effect.gen(function* () {
        const sandboxes = yield* Sandboxes
        const world = yield* makeWorld(kind, true, config)
        const sandbox = yield* sandboxes.acquire(world.request())
        const process = yield* Effect.scoped(sandbox.start(sh("cat > /dev/null; sleep 1000")))
        assert.notStrictEqual((yield* process.exit).code, 0)
      })
    )

    test(
      "tells that it is dead after stop, also when asked again",
      Effect.gen(function* () {
        const { process, sandbox } = yield* started("sleep 1000")
        assert.strictEqual(yield* sandbox.stop, "dead")
        assert.notStrictEqual((yield* process.exit).code, 0)
        assert.strictEqual(yield* sandbox.stop, "dead")
      })
    )

    test(
      "keeps secrets out of what a failure says",
      Effect.gen(function* () {
        const sandboxes = yield* Sandboxes
        const world = yield* makeWorld(kind, true, config)
        const sandbox = yield* sandboxes.acquire(world.request({ env: { KEY: Redacted.make("s3cret") } }))
        const error = yield* Effect.flip(sandbox.start({ shell: "/no/such/shell", line: "echo s3cret-line" }))
        assert.notInclude(String(error), "s3cret")
        assert.notInclude(error.message, "s3cret")
      })
    )

    test(
      "finds nothing left of a run that never was",
      Effect.gen(function* () {
        const sandboxes = yield* Sandboxes
        const world = yield* makeWorld(kind, true, config)
        const { runId } = world.request()
        assert.deepStrictEqual(yield* sandboxes.reap(world.workflow, [runId]), [{ runId, status: "dead" }])
      })
    )
  })

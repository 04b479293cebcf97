import * as fs from "node:fs"
import * as path from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch, Layer } from "effect"
import { ChildProcessSpawner } from "effect/process"
import { Git } from "../../src/handoff/Git.ts"
import { makeSource, temporaryFolder } from "../support/repository.ts"

const layer = Git.layer.pipe(Layer.provide(NodeServices.layer))

const repository = Effect.acquireRelease(
  Effect.sync(() => makeSource(path.join(temporaryFolder(), "project"))),
  (folder) => Effect.sync(() => fs.rmSync(path.dirname(folder), { recursive: true, force: true }))
)

const sourceFiles = (folder: string): ReadonlyArray<string> =>
  fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => path.join(folder, name))

describe("git", () => {
  it("is started in one module only", () => {
    const root = path.join(import.meta.dirname, "../../src")
    const starters = sourceFiles(root).filter((file) =>
      /(?:program: |spawn\w*\(\s*|make\(\s*|exec\w*\(\s*)["'`]git["'` ]/.test(fs.readFileSync(file, "utf8"))
    )
    assert.deepEqual(
      starters.map((file) => path.relative(root, file)),
      ["handoff/Git.ts"]
    )
  })

  it.live("knows no configuration, identity or home but ours", () =>
    Effect.gen(function* () {
      const cwd = yield* repository
      const git = yield* Git
      const origins = yield* git.text(["config", "--list", "--show-scope"], { cwd })
      assert.notMatch(origins, /^system/m)
      assert.include(origins, "global\tcore.hookspath=/dev/null")
      const home = yield* git.text(["config", "--global", "--show-origin", "user.name"], { cwd })
      assert.include(home, "symphony-git-")
    }).pipe(Effect.provide(layer))
  )

  it.live("that says more than was asked for, or takes too long, is ended", () =>
    Effect.gen(function* () {
      const cwd = yield* repository
      const git = yield* Git
      const large = yield* Effect.flip(git.run(["log"], { cwd, maxOutput: 10 }))
      assert.strictEqual(large.reason, "too_large")
      const slow = yield* Effect.flip(
        git.run(["cat-file", "--batch"], { cwd, timeoutMs: 1, stdin: "HEAD\n".repeat(200_000) })
      )
      assert.strictEqual(slow.reason, "timeout")
    }).pipe(Effect.provide(layer))
  )

  it.live("answers at once, also where nobody collects the zombies that git leaves", () =>
    Effect.gen(function* () {
      const cwd = yield* repository
      const collected = yield* Latch.make(false)
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const waiting = ChildProcessSpawner.make((command) =>
        Effect.tap(spawner.spawn(command), () => Effect.addFinalizer(() => collected.await))
      )
      const error = yield* Effect.gen(function* () {
        const git = yield* Git
        const error = yield* Effect.flip(git.run(["fetch", "-q", "--", "/nowhere", "main"], { cwd }))
        yield* collected.open
        return error
      }).pipe(
        Effect.provide(
          Git.layer.pipe(
            Layer.provide(Layer.succeed(ChildProcessSpawner.ChildProcessSpawner, waiting)),
            Layer.provide(NodeServices.layer)
          )
        )
      )
      assert.strictEqual(error.reason, "exit")
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("answers questions with yes and no, and fails on anything else", () =>
    Effect.gen(function* () {
      const cwd = yield* repository
      const git = yield* Git
      assert.isTrue(yield* git.ask(["merge-base", "--is-ancestor", "HEAD", "HEAD"], { cwd }))
      const error = yield* Effect.flip(git.ask(["merge-base", "--is-ancestor", "HEAD", "nothing"], { cwd }))
      assert.deepInclude(error, { reason: "exit", code: 128 })
    }).pipe(Effect.provide(layer))
  )
})

import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Layer, Redacted } from "effect"
import { Identifier, makeRunId } from "../../src/domain/ids.ts"
import { Sandboxes, type SandboxRequest } from "../../src/sandbox/Sandboxes.ts"
import { canBubblewrap } from "../support/capabilities.ts"
import { realLayer } from "./layers.ts"
import { allOf, makeWorld, sh } from "./world.ts"

const run = Effect.fnUntraced(function* (request: SandboxRequest, line: string) {
  const sandboxes = yield* Sandboxes
  const sandbox = yield* sandboxes.acquire(request)
  const process = yield* sandbox.start(sh(line))
  const [stdout, stderr] = yield* Effect.all([allOf(process.stdout), allOf(process.stderr)], {
    concurrency: 2
  })
  return { stdout: stdout.trim(), stderr, code: (yield* process.exit).code }
}, Effect.scoped)

const kinds = ["host", ...(canBubblewrap("what bubblewrap keeps") ? (["bubblewrap"] as const) : [])] as const

describe.each(kinds)("what an agent in %s keeps of its sessions", (kind) => {
  it.live("is there for the next run of the issue, without its credentials, and for no other issue", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld(kind)
      const request = (number: number, issue = "A-1") =>
        world.request({
          runId: makeRunId(1, number),
          identifier: Identifier.make(issue),
          keep: [".agent/sessions"],
          homeFiles: [{ path: ".agent/auth.json", content: Redacted.make("canary") }]
        })
      yield* run(
        request(1),
        'echo said > "$HOME/.agent/sessions/one"; echo more > "$HOME/.agent/other"; cat "$HOME/.agent/auth.json"'
      )
      const look = 'cd "$HOME/.agent" && echo * && echo sessions/*'
      const next = yield* run(request(2), `${look}; cat sessions/one`)
      assert.strictEqual(next.stdout, "auth.json sessions\nsessions/one\nsaid")
      const foreign = yield* run(request(3, "A-2"), look)
      assert.strictEqual(foreign.stdout, "auth.json sessions\nsessions/*")

      const fs = yield* FileSystem.FileSystem
      const kept = yield* fs.readDirectory(`${world.root}/state/sessions`, { recursive: true })
      assert.deepStrictEqual(
        kept.filter((path) => path.includes("auth")),
        []
      )
    }).pipe(Effect.scoped, Effect.provide(realLayer))
  )
})

describe.skipIf(!canBubblewrap("programs in bubblewrap"))("a program that is installed below a HOME", () => {
  it.live("is found by a guest in bubblewrap with its packages and interpreter, and nothing beside it", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const home = yield* Effect.flatMap(fs.makeTempDirectoryScoped({ prefix: "programs-" }), fs.realPath)
      const write = (path: string, text: string, mode = 0o644) =>
        fs
          .makeDirectory(path.slice(0, path.lastIndexOf("/")), { recursive: true })
          .pipe(Effect.andThen(fs.writeFileString(path, text)), Effect.andThen(fs.chmod(path, mode)))
      yield* write(
        `${home}/lib/node_modules/greeter/bin.sh`,
        '#!/usr/bin/env tinysh\n. "$(dirname "$(readlink -f "$0")")/../other/part.sh"\n',
        0o755
      )
      yield* write(`${home}/lib/node_modules/other/part.sh`, "echo hello\n")
      yield* write(`${home}/interpreters/real`, '#!/bin/sh\nexec /bin/sh "$@"\n', 0o755)
      yield* write(`${home}/secret`, "canary")
      yield* fs.makeDirectory(`${home}/bin`)
      yield* fs.symlink("../lib/node_modules/greeter/bin.sh", `${home}/bin/greeter`)
      yield* fs.symlink("../interpreters/real", `${home}/bin/tinysh`)
      const environment = ConfigProvider.layer(
        ConfigProvider.fromEnv({ env: { PATH: `${home}/bin:/usr/bin:/bin`, HOME: home } })
      )
      yield* Effect.gen(function* () {
        const world = yield* makeWorld("bubblewrap")
        const request = world.request({ programs: ["greeter", "not-there"] })
        const { code, stdout, stderr } = yield* run(
          request,
          `PATH=${home}/bin:$PATH; greeter && cd ${home} && echo * bin/* interpreters/*`
        )
        assert.strictEqual(code, 0, stderr)
        assert.strictEqual(stdout, "hello\nbin interpreters lib bin/greeter bin/tinysh interpreters/real")
      }).pipe(Effect.provide(Layer.fresh(realLayer).pipe(Layer.provide(environment))))
    }).pipe(Effect.scoped, Effect.provide(realLayer))
  )

  it.live("has its Node and that one's packages, and nothing else of the prefix they lie below", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const home = yield* Effect.flatMap(fs.makeTempDirectoryScoped({ prefix: "programs-" }), fs.realPath)
      const write = (path: string, text: string, mode = 0o644) =>
        fs
          .makeDirectory(path.slice(0, path.lastIndexOf("/")), { recursive: true })
          .pipe(Effect.andThen(fs.writeFileString(path, text)), Effect.andThen(fs.chmod(path, mode)))
      const prefix = `${home}/.local`
      yield* write(`${prefix}/bin/node`, '#!/bin/sh\nexec /bin/sh "$@"\n', 0o755)
      yield* write(`${prefix}/bin/of-the-operator`, "#!/bin/sh\necho canary\n", 0o755)
      yield* write(`${prefix}/lib/node_modules/npm/cli.js`, "#!/usr/bin/env node\necho npm\n", 0o755)
      yield* write(`${prefix}/lib/node_modules/agent/cli.js`, "#!/usr/bin/env node\nnpm; echo agent\n", 0o755)
      yield* write(`${prefix}/share/opencode/auth.json`, "canary")
      yield* write(`${prefix}/share/keyrings/login`, "canary")
      for (const name of ["npm", "agent"]) {
        yield* fs.symlink(`../lib/node_modules/${name}/cli.js`, `${prefix}/bin/${name}`)
      }
      const environment = ConfigProvider.layer(
        ConfigProvider.fromEnv({ env: { PATH: `${prefix}/bin:/usr/bin:/bin`, HOME: home } })
      )
      yield* Effect.gen(function* () {
        const world = yield* makeWorld("bubblewrap")
        const { code, stdout, stderr } = yield* run(
          world.request({ programs: ["agent"] }),
          `PATH=${prefix}/bin:$PATH; agent && cd ${prefix} && find . -type f -o -type l | sort; grep -r canary ${home}`
        )
        assert.strictEqual(code, 1, stderr)
        const shown = ["./bin/agent", "./bin/node", "./bin/npm"]
        const packages = ["./lib/node_modules/agent/cli.js", "./lib/node_modules/npm/cli.js"]
        assert.deepStrictEqual(stdout.split("\n"), ["npm", "agent", ...shown, ...packages])
      }).pipe(Effect.provide(Layer.fresh(realLayer).pipe(Layer.provide(environment))))
    }).pipe(Effect.scoped, Effect.provide(realLayer))
  )
})

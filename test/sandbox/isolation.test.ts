import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Layer, Redacted, type Scope } from "effect"
import * as net from "node:net"
import { Sandboxes, type SandboxRequest } from "../../src/sandbox/Sandboxes.ts"
import { canBubblewrap } from "../support/capabilities.ts"
import { realLayer } from "./layers.ts"
import { allOf, makeWorld, sh, type World } from "./world.ts"

/** A listener on loopback that greets everybody. */
const greeter = (greeting: string) =>
  Effect.acquireRelease(
    Effect.callback<net.Server>((resume) => {
      const server = net.createServer((socket) => socket.on("error", () => socket.destroy()).end(greeting))
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

const portOf = (server: net.Server) => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

const run = Effect.fnUntraced(function* (request: SandboxRequest, line: string) {
  const sandboxes = yield* Sandboxes
  const sandbox = yield* sandboxes.acquire(request)
  const process = yield* sandbox.start(sh(line))
  const [stdout, stderr] = yield* Effect.all([allOf(process.stdout), allOf(process.stderr)], {
    concurrency: 2
  })
  return { stdout, stderr, code: (yield* process.exit).code, sandbox }
}, Effect.scoped)

/** Says what a connection to a port of loopback brings, or how it fails. */
const dial = (port: number) =>
  `node -e 'const s = require("net").connect(${port}, "127.0.0.1"); ` +
  `s.on("error", (e) => console.log(e.code)); s.on("data", (d) => console.log(String(d)))'`

describe.skipIf(!canBubblewrap("the isolation of bubblewrap"))("a guest in bubblewrap", () => {
  /** The operator's HOME is a folder of the world, so that a canary can lie in it. */
  const inWorld = <E>(
    net: boolean,
    body: (world: World) => Effect.Effect<void, E, Sandboxes | FileSystem.FileSystem | Scope.Scope>
  ) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const world = yield* makeWorld("bubblewrap", net)
      yield* fs.makeDirectory(`${world.root}/operator/.ssh`, { recursive: true })
      yield* fs.writeFileString(`${world.root}/operator/.ssh/id`, "home canary")
      const PATH = process.env["PATH"] ?? ""
      const env = ConfigProvider.layer(
        ConfigProvider.fromEnv({ env: { HOME: `${world.root}/operator`, PATH } })
      )
      yield* Effect.provide(body(world), Layer.fresh(realLayer).pipe(Layer.provide(env)))
    }).pipe(Effect.scoped, Effect.provide(realLayer))

  it.live("sees its workspace, writes in it, and sees no other path of ours", () =>
    inWorld(
      true,
      Effect.fnUntraced(function* (world) {
        const fs = yield* FileSystem.FileSystem
        yield* fs.writeFileString(`${world.workspace}/given`, "given")
        const script = `cat given; echo made > made; find ${world.root} -type f; cat ${world.root}/issues/Todo/A-1.md ${world.root}/operator/.ssh/id`
        const { stdout, stderr } = yield* run(world.request(), script)
        assert.strictEqual(stdout, `given${world.workspace}/given\n${world.workspace}/made\n`)
        assert.match(stderr, /No such file[\s\S]*No such file/)
        assert.strictEqual(yield* fs.readFileString(`${world.workspace}/made`), "made\n")
      })
    )
  )

  it.live("finds no canary even in a folder that it may read and that contains them", () =>
    inWorld(
      true,
      Effect.fnUntraced(function* (world) {
        const fs = yield* FileSystem.FileSystem
        yield* fs.writeFileString(`${world.root}/tool`, "tool")
        const { stdout } = yield* run(
          world.request({ readonlyPaths: [world.root] }),
          `grep -rl canary ${world.root}; cat ${world.root}/tool; touch ${world.root}/x 2>/dev/null || echo readonly`
        )
        assert.strictEqual(stdout, "toolreadonly\n")
      })
    )
  )

  it.live("sees no process and no home of the host, and is not root", () =>
    inWorld(
      true,
      Effect.fnUntraced(function* (world) {
        const { stdout } = yield* run(
          world.request(),
          "ls -d /proc/[0-9]* | wc -l; ls -A /home; id -un; ls /root 2>/dev/null; touch /usr/x 2>/dev/null || echo ro"
        )
        const [processes, home, user, readonly] = stdout.trim().split("\n")
        assert.isAtMost(Number(processes), 6)
        assert.deepStrictEqual([home, user, readonly], ["agent", "agent", "ro"])
      })
    )
  )

  it.live("has the files of its HOME, private, gone with the run", () =>
    inWorld(
      true,
      Effect.fnUntraced(function* (world) {
        const fs = yield* FileSystem.FileSystem
        const homeFiles = [{ path: ".agent/credentials.json", content: Redacted.make("s3cret") }]
        const { stdout } = yield* run(
          world.request({ homeFiles }),
          'cat "$HOME/.agent/credentials.json"; stat -c " %a" "$HOME/.agent/credentials.json"; echo x > "$HOME/new"'
        )
        assert.strictEqual(stdout, "s3cret 600\n")
        assert.deepStrictEqual(yield* fs.readDirectory(`${world.root}/state/runs/r1-1`), [])
      })
    )
  )

  it.live("shows no secret in its command line", () =>
    inWorld(
      true,
      Effect.fnUntraced(function* (world) {
        const { stdout } = yield* run(world.request(), "cat /proc/*/cmdline")
        assert.notInclude(stdout, "s3cret")
        assert.notInclude(stdout, "hello")
      })
    )
  )

  it.live("without network reaches the listener, and nothing else of the host", () =>
    inWorld(
      false,
      Effect.fnUntraced(function* (world) {
        const listener = yield* greeter("listener")
        const other = yield* greeter("other")
        const listenerPort = portOf(listener)
        const { code, sandbox, stdout } = yield* run(
          world.request({ listener: { host: "127.0.0.1", port: listenerPort } }),
          `${dial(listenerPort)}; ${dial(portOf(other))}; ls /sys/class/net 2>/dev/null; exit 5`
        )
        assert.strictEqual(stdout, "listener\nECONNREFUSED\n")
        assert.strictEqual(sandbox.listenerUrl, `http://127.0.0.1:${listenerPort}`)
        assert.strictEqual(code, 5)
      })
    )
  )

  it.live("without network still speaks over stdin and stdout", () =>
    inWorld(
      false,
      Effect.fnUntraced(function* (world) {
        const sandboxes = yield* Sandboxes
        const sandbox = yield* sandboxes.acquire(world.request())
        const process = yield* sandbox.start(sh("cat"))
        yield* process.write(new TextEncoder().encode("hello"))
        yield* process.closeStdin
        assert.strictEqual(yield* allOf(process.stdout), "hello")
        assert.strictEqual((yield* process.exit).code, 0)
      })
    )
  )

  it.live("refuses a read-only path that is not there", () =>
    inWorld(
      true,
      Effect.fnUntraced(function* (world) {
        const sandboxes = yield* Sandboxes
        const error = yield* Effect.flip(
          sandboxes.acquire(world.request({ readonlyPaths: ["/no/such/path"] }))
        )
        assert.strictEqual(error.reason, "mount")
      })
    )
  )
})

describe("a kind that this machine cannot offer", () => {
  it.live("is refused with a way out, and never replaced by a weaker one", () =>
    Effect.gen(function* () {
      const withoutPrograms = ConfigProvider.layer(ConfigProvider.fromEnv({ env: { PATH: "/nowhere" } }))
      yield* Effect.gen(function* () {
        const sandboxes = yield* Sandboxes
        const { workflow } = yield* makeWorld("bubblewrap")
        const error = yield* Effect.flip(sandboxes.check(workflow))
        assert.strictEqual(error._tag, "SandboxUnavailable")
        assert.include(error.message, "apt-get install bubblewrap")
      }).pipe(Effect.provide(Layer.fresh(realLayer).pipe(Layer.provide(withoutPrograms))))
    }).pipe(Effect.scoped)
  )

  it.live("is checked without a word where the machine can", () =>
    Effect.gen(function* () {
      const sandboxes = yield* Sandboxes
      yield* sandboxes.check((yield* makeWorld("host")).workflow)
      if (canBubblewrap("the check of bubblewrap")) {
        yield* sandboxes.check((yield* makeWorld("bubblewrap")).workflow)
      }
    }).pipe(Effect.scoped, Effect.provide(realLayer))
  )
})

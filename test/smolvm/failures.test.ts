import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schedule } from "effect"
import { endpointIn } from "../../src/domain/Endpoint.ts"
import { Sandboxes, type SandboxRequest } from "../../src/sandbox/Sandboxes.ts"
import { machineName } from "../../src/sandbox/smolvm/machineName.ts"
import type { WorkflowConfig } from "../../src/workflow/WorkflowConfig.ts"
import { allOf, sh, untilPrinted } from "../sandbox/world.ts"
import { canBubblewrap, hasProcessTable } from "../support/capabilities.ts"
import type { Profile, StandIn } from "./standIn.ts"
import { onSmolvm } from "./world.ts"

const agent = (maxConcurrentAgents: number) => ({
  agent: { maxTurns: 20, maxSessionsPerIssue: 20, maxRetryBackoffMs: 300_000, maxConcurrentAgents }
})

const acquire = (request: SandboxRequest) =>
  Effect.flatMap(Sandboxes, (sandboxes) => sandboxes.acquire(request))
const refused = (request: SandboxRequest) => Effect.flip(Effect.scoped(acquire(request)))

const withSmolvm = (request: SandboxRequest, smolvm: Partial<WorkflowConfig["smolvm"]>): SandboxRequest => ({
  ...request,
  workflow: {
    ...request.workflow,
    config: { ...request.workflow.config, smolvm: { ...request.workflow.config.smolvm, ...smolvm } }
  }
})

/** A port at which everybody is greeted. */
const greeter = (address: string) =>
  Effect.acquireRelease(
    Effect.callback<net.Server>((resume) => {
      const server = net.createServer((socket) => socket.on("error", () => socket.destroy()).end("reached"))
      server.listen(0, address, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  ).pipe(
    Effect.map((server) => {
      const bound = server.address()
      return typeof bound === "object" && bound !== null ? bound.port : 0
    })
  )

/** Says what a connection brings, or how it fails. */
const dial = (host: string, port: number) =>
  `node -e 'const s = require("net").connect({ port: ${port}, host: "${host}", family: 4 }); ` +
  `s.on("error", (e) => console.log(e.code)); s.on("data", (d) => console.log(String(d)))'`

/** `smolvm serve` at a unix socket. */
const serving = (standIn: StandIn, floor: string) => {
  const socket = path.join(standIn.home, "api.sock")
  return Effect.acquireRelease(
    Effect.promise(() => standIn.serve(socket, floor)),
    ({ stop }) => Effect.sync(stop)
  ).pipe(Effect.as({ endpoint: endpointIn(`unix://${socket}`) }))
}

describe.skipIf(!hasProcessTable("failures of smolvm"))(
  "what smolvm refuses is told apart",
  { timeout: 60_000 },
  () => {
    it.live("no such command", () =>
      onSmolvm({}, ({ request, world }, life) =>
        life(
          Effect.gen(function* () {
            process.env["PATH"] = "/nonexistent"
            const error = yield* Effect.flip(Effect.flatMap(Sandboxes, (it) => it.check(world.workflow)))
            assert.strictEqual(error._tag, "SandboxUnavailable")
            assert.include(error.message, "there is no `smolvm` on PATH - install smolvm")
            assert.strictEqual((yield* refused(request("A"))).reason, "unavailable")
          })
        )
      )
    )

    it.live("no such server", () =>
      onSmolvm({}, ({ request }, life) =>
        life(
          Effect.gen(function* () {
            const error = yield* refused(
              withSmolvm(request("A"), { endpoint: endpointIn("unix:///nowhere/smolvm.sock") })
            )
            assert.strictEqual(error.reason, "server_down")
            assert.include(error.message, "smolvm serve start")
            // Who has no record had no machine: nobody needs to be asked about that.
            const { runId, workflow } = withSmolvm(request("B", 7), {
              endpoint: endpointIn("unix:///nowhere/smolvm.sock")
            })
            const sandboxes = yield* Sandboxes
            assert.deepStrictEqual(yield* sandboxes.reap(workflow, [runId]), [{ runId, status: "dead" }])
          })
        )
      )
    )

    it.live("a name that somebody else's machine has, which is left alone", () =>
      onSmolvm({}, ({ request, standIn, world }, life) =>
        life(
          Effect.gen(function* () {
            const name = machineName(fs.realpathSync(world.workflow.config.state.root), "TAKEN")
            standIn.run(["machine", "create", "--name", name])
            standIn.run(["machine", "start", "--name", name])
            const before = standIn.list()
            const error = yield* refused(request("TAKEN"))
            assert.strictEqual(error.reason, "name_taken")
            assert.deepStrictEqual(standIn.list(), before)
          })
        )
      )
    )

    it.live("an image that is not there, and one that cannot be pulled", () =>
      onSmolvm({ behaviour: { missingImages: ["no/image"] } }, ({ request, standIn }, life) =>
        life(
          Effect.gen(function* () {
            for (const smolvm of [{ image: "no/image" }, { from: "/none.smolmachine" }]) {
              assert.strictEqual((yield* refused(withSmolvm(request("A"), smolvm))).reason, "image")
            }
            assert.deepStrictEqual(standIn.list(), [])
          })
        )
      )
    )

    it.live("folders that it does not mount, before anything is made", () =>
      onSmolvm({}, ({ request, standIn, world }, life) =>
        life(
          Effect.gen(function* () {
            const volume = (host: string, guest: string) => ({ host, guest, readonly: false })
            const many = ["/a", "/b", "/c"].map((guest) => volume(world.root, guest))
            for (const volumes of [
              many,
              [volume("/etc/ssl", "/ssl")],
              [volume(world.root, world.workspace)]
            ]) {
              assert.strictEqual((yield* refused(withSmolvm(request("A"), { volumes }))).reason, "mount")
            }
            assert.deepStrictEqual(standIn.boots(), [])
          })
        )
      )
    )

    it.live("a guest that is lost", () =>
      onSmolvm({}, ({ request, standIn }, life) =>
        life(
          Effect.gen(function* () {
            const sandbox = yield* acquire(request("LOST"))
            const running = yield* sandbox.start(sh("echo up; exec sleep 1000"))
            yield* untilPrinted(running, "up")
            for (const pid of standIn.processes()) process.kill(pid, "SIGKILL")
            const { code, detail, lost } = yield* running.exit
            assert.deepStrictEqual([code, lost], [null, true])
            assert.include(detail, "connection to VM lost")
            assert.strictEqual(yield* sandbox.stop, "dead")
          })
        )
      )
    )

    it.live("secrets are in no list of processes", () =>
      onSmolvm({}, ({ request }, life) =>
        life(
          Effect.gen(function* () {
            const sandbox = yield* acquire(request("SECRET"))
            const running = yield* sandbox.start(sh("echo up; exec sleep 1000"))
            yield* untilPrinted(running, "up")
            const lines = fs.readdirSync("/proc").flatMap((pid) => {
              try {
                return /^\d+$/.test(pid) ? [fs.readFileSync(`/proc/${pid}/cmdline`, "utf8")] : []
              } catch {
                return []
              }
            })
            assert.isTrue(lines.some((line) => line.includes("machine\0exec")))
            assert.isFalse(lines.some((line) => line.includes("s3cret")))
          })
        )
      )
    )
  }
)

describe.skipIf(!canBubblewrap("smolvm serve"))("over smolvm serve", { timeout: 60_000 }, () => {
  for (const profile of ["may", "now"] satisfies ReadonlyArray<Profile>) {
    it.live(`an agent runs, and the host is found whatever it is called (${profile})`, () =>
      onSmolvm({ profile, behaviour: { isolation: "bubblewrap" } }, ({ request, standIn }, life) =>
        Effect.gen(function* () {
          const { endpoint } = yield* serving(standIn, "metadata")
          yield* life(
            Effect.gen(function* () {
              const sandbox = yield* acquire(withSmolvm(request("SERVED"), { endpoint }))
              assert.strictEqual(
                new URL(sandbox.listenerUrl).hostname,
                profile === "now" ? "host.smolvm.internal" : "127.0.0.1"
              )
              const cat = yield* sandbox.start(sh("cat; exit 3"))
              const text = "x".repeat(100_000)
              yield* Effect.forkChild(Effect.andThen(cat.write(Buffer.from(text)), cat.closeStdin))
              assert.strictEqual(yield* allOf(cat.stdout), text)
              assert.strictEqual((yield* cat.exit).code, 3)
              assert.strictEqual(yield* sandbox.stop, "dead")
            })
          )
          assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
        })
      )
    )
  }

  const interfaces: ReadonlyArray<readonly [string, Profile, boolean]> = [
    ["the command", "may", false],
    ["the command", "now", false],
    ["smolvm serve", "may", true],
    ["smolvm serve", "now", true]
  ]
  for (const [name, profile, served] of interfaces) {
    it.live(`without network the guest reaches symphony and no other machine (${name}, ${profile})`, () =>
      onSmolvm(
        { profile, net: false, behaviour: { isolation: "bubblewrap" } },
        ({ request, standIn }, life) =>
          Effect.gen(function* () {
            const endpoint = served ? (yield* serving(standIn, "metadata")).endpoint : null
            const listenerPort = yield* greeter("127.0.0.1")
            // An address of this machine that is not its loopback stands for all others: nothing leaves it.
            const address = Object.values(os.networkInterfaces())
              .flatMap((all) => all ?? [])
              .find(({ family, internal }) => family === "IPv4" && !internal)?.address
            const elsewhere = address === undefined ? null : { address, port: yield* greeter(address) }
            yield* life(
              Effect.gen(function* () {
                const sandbox = yield* acquire(
                  withSmolvm(request("INSIDE", 1, { listener: { host: "127.0.0.1", port: listenerPort } }), {
                    endpoint
                  })
                )
                const { hostname } = new URL(sandbox.listenerUrl)
                const asked = yield* sandbox.start(
                  sh(
                    [
                      dial(hostname, listenerPort),
                      ...(elsewhere === null ? [] : [dial(elsewhere.address, elsewhere.port)])
                    ].join("; ")
                  )
                )
                const [own, other] = (yield* allOf(asked.stdout)).trim().split("\n")
                assert.strictEqual(own, "reached")
                if (elsewhere !== null) assert.match(other ?? "", /^(ENETUNREACH|ECONNREFUSED|EHOSTUNREACH)$/)
              })
            )
          })
      )
    )
  }

  it.live("a host that is not reached any more is no matter of configuration", () =>
    onSmolvm({ behaviour: { isolation: "bubblewrap", network: "virtio" } }, ({ request, standIn }, life) =>
      life(
        Effect.gen(function* () {
          yield* Effect.scoped(acquire(request("FIRST")))
          standIn.behave({ floor: "strict" })
          const error = yield* refused(request("SECOND", 2))
          assert.strictEqual(error.reason, "lost")
          assert.include(error.message, "the guest reaches symphony at none of")
        })
      )
    )
  )

  it.live("a start that goes on after its answer was waited for leaves nothing, and its slot is held", () =>
    onSmolvm(
      { behaviour: { bootMs: 3000 }, limits: { start: Duration.seconds(1) }, config: agent(1) },
      ({ request, standIn }, life) =>
        Effect.gen(function* () {
          const { endpoint } = yield* serving(standIn, "metadata")
          yield* life(
            Effect.gen(function* () {
              const slow = withSmolvm(request("SLOW"), { endpoint })
              const error = yield* refused(slow)
              assert.strictEqual(error.reason, "boot_timeout")
              standIn.behave({ bootMs: 0 })
              yield* acquire(withSmolvm(request("NEXT", 2), { endpoint }))
              assert.deepStrictEqual(
                standIn.boots().map(({ living, name }) => [name.includes("-next-"), living]),
                [
                  [false, 1],
                  [true, 1]
                ]
              )
            })
          )
          assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
        })
    )
  )

  it.live("a start that outlives symphony is ended by its next life", () =>
    onSmolvm(
      { behaviour: { bootMs: 3000 }, limits: { start: Duration.seconds(1) } },
      ({ request, standIn, world }, life) =>
        Effect.gen(function* () {
          const { endpoint } = yield* serving(standIn, "metadata")
          const slow = withSmolvm(request("SLOW"), { endpoint })
          yield* life(refused(slow))
          yield* life(
            Effect.gen(function* () {
              const sandboxes = yield* Sandboxes
              yield* sandboxes.reap(slow.workflow, [])
              yield* Effect.repeat(
                Effect.sync(() => standIn.boots().length === 1 && standIn.list().length === 0),
                { until: (over) => over, schedule: Schedule.spaced("20 millis") }
              )
              assert.deepStrictEqual(standIn.processes(), [])
            })
          )
          assert.deepStrictEqual(fs.readdirSync(`${world.workflow.config.state.root}/vms`), [])
        })
    )
  )

  it.live("a server that keeps its guests from the host is told what to do", () =>
    onSmolvm({ behaviour: { isolation: "bubblewrap" } }, ({ request, standIn }, life) =>
      Effect.gen(function* () {
        const { endpoint } = yield* serving(standIn, "strict")
        const error = yield* life(refused(withSmolvm(request("KEPT-IN"), { endpoint })))
        assert.strictEqual(error.reason, "unavailable")
        assert.include(error.message, "SMOLVM_EGRESS_FLOOR=metadata")
        assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
      })
    )
  )
})

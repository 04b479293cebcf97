import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Sandboxes, type SandboxRequest } from "../../src/sandbox/Sandboxes.ts"
import { sh, untilPrinted } from "../sandbox/world.ts"
import { hasProcessTable } from "../support/capabilities.ts"
import { type Profile, standInFolder } from "./standIn.ts"
import { onSmolvm } from "./world.ts"

const acquire = (request: SandboxRequest) =>
  Effect.flatMap(Sandboxes, (sandboxes) => sandboxes.acquire(request))

describe.skipIf(!hasProcessTable("machines of smolvm"))("machines of smolvm", { timeout: 60_000 }, () => {
  for (const profile of ["may", "now"] satisfies ReadonlyArray<Profile>) {
    it.live(`are made as the settings say (${profile})`, () =>
      onSmolvm({ profile, net: false }, ({ request, standIn, world }, life) =>
        life(
          Effect.gen(function* () {
            const log = `${standIn.home}/argv.log`
            const folders = ["wrap", "bin", "cache"].map((name) => `${standIn.home}/${name}`)
            const [wrap = "", bin = "", cache = ""] = folders
            for (const folder of folders) fs.mkdirSync(folder)
            const script = `#!/bin/sh\n[ "$2" = create ] && printf '%s\\n' "$@" > ${log}\nexec ${standInFolder}/smolvm "$@"\n`
            fs.writeFileSync(`${wrap}/smolvm`, script, { mode: 0o755 })
            process.env["PATH"] = `${wrap}:${process.env["PATH"]}`
            const { config } = world.workflow
            const smolvm = {
              ...config.smolvm,
              image: "node:24",
              cpus: 3,
              memMib: 999,
              binPath: bin,
              volumes: [{ host: cache, guest: "/cache", readonly: true }]
            }
            const workflow = { ...world.workflow, config: { ...config, smolvm } }
            const { name } = yield* acquire(request("ASKED", 1, { workflow }))
            const named = profile === "now" ? `--name ${name}` : name
            const made = `machine create ${named} --image node:24 --cpus 3 --mem 999 --net --outbound-localhost-only`
            const volumes = [
              `${world.workspace}:${world.workspace}:rw`,
              `${bin}:/opt/codex:ro`,
              `${cache}:/cache:ro`
            ]
            assert.strictEqual(
              fs.readFileSync(log, "utf8").trim().replaceAll("\n", " "),
              [made, ...volumes].join(" --volume ")
            )
          })
        )
      )
    )
  }

  it.live("count as alive in any state but those in which nothing runs", () =>
    onSmolvm({}, ({ request, standIn }, life) =>
      life(
        Effect.gen(function* () {
          const { stop } = yield* acquire(request("STATES"))
          for (const lsState of ["unreachable", "frozen", "hibernating"]) {
            standIn.behave({ lsState })
            assert.strictEqual(yield* stop, "unknown", lsState)
          }
          standIn.behave({ lsState: "failed" })
          assert.strictEqual(yield* stop, "dead")
          standIn.behave({ lsState: undefined })
        })
      )
    )
  )

  for (const transport of ["bridge", "stdio"] as const) {
    it.live(`take along what an ended command leaves running in them (${transport})`, () =>
      onSmolvm(
        { behaviour: { orphan: true }, config: { acp: { transport } } },
        ({ request, standIn }, life) =>
          Effect.gen(function* () {
            const pid = yield* life(
              Effect.gen(function* () {
                const sandbox = yield* acquire(request("ORPHAN"))
                const running = yield* sandbox.start(
                  sh("trap '' TERM; echo $$ > ~/pid; echo up; while :; do sleep 1; done")
                )
                yield* untilPrinted(running, "up")
                const [machine = ""] = fs.readdirSync(`${standIn.home}/vms`)
                return fs.readFileSync(`${standIn.home}/vms/${machine}/root/pid`, "utf8").trim()
              })
            )
            assert.isFalse(fs.existsSync(`/proc/${pid}`))
            assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
          })
      )
    )
  }
})

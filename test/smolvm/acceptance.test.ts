import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe } from "vitest"
import { machinePrefix } from "../../src/sandbox/smolvm/machineName.ts"
import { BUSY_MACHINE, it } from "../acceptance/support/workshop.ts"
import { canBubblewrap } from "../support/capabilities.ts"
import { openStandIn, type Profile, type StandIn } from "./standIn.ts"

const within = async <A>(standIn: StandIn, body: () => Promise<A>): Promise<A> => {
  try {
    return await body()
  } finally {
    standIn.close()
  }
}

const until = async (look: () => boolean) => {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 50))
}

describe.skipIf(!canBubblewrap("symphony over smolvm"))(
  "symphony over smolvm",
  { timeout: 2 * BUSY_MACHINE },
  () => {
    for (const profile of ["may", "now"] satisfies ReadonlyArray<Profile>) {
      it(`the demo, ${profile}, over the bridge`, ({ workshop }) => {
        const standIn = openStandIn(profile)
        return within(standIn, async () => {
          const project = workshop.project()
          const folder = path.join(project.root, "demo")
          const args = ["demo", "--once", "--dir", folder, "--sandbox", "smolvm"]
          const { code, stdout } = await workshop.run(project, args, {
            env: { ...standIn.env, HOME: project.home }
          })
          assert.match(stdout, /(DEMO-\d +Done .*red → green[^]*){4}/)
          assert.strictEqual(code, 0)
          assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
        })
      })

      it(`work is handed over, ${profile}, over stdio`, ({ workshop }) => {
        const standIn = openStandIn(profile)
        return within(standIn, async () => {
          const project = workshop.project({
            repository: true,
            settings: [
              "sandbox: { kind: smolvm }",
              "smolvm: { image: node:24-bookworm }",
              "acp: { adapter: demo, transport: stdio }"
            ]
          })
          const large = Array.from(
            { length: 400 },
            (_, n) => `line ${n} of a prompt that is longer than a burst`
          )
          project.file("Todo", "A-1", [
            "write new.txt <<END",
            ...large,
            "END",
            "commit Add a file",
            "done Add a file | Done."
          ])
          const { code, stderr } = await workshop.run(project, ["--once"], {
            env: { ...standIn.env, HOME: project.home }
          })
          assert.strictEqual(code, 0, stderr)
          assert.deepStrictEqual(project.whereIs("A-1"), ["Done"])
          const patches = fs.readdirSync(path.join(project.state, "patches"))
          assert.isTrue(patches.some((name) => name.endsWith(".patch")))
          assert.deepStrictEqual([standIn.list(), standIn.processes()], [[], []])
        })
      })
    }

    it("kill -9 with ten machines up: the next start finds and removes them, and touches no other's", ({
      workshop
    }) => {
      const standIn = openStandIn("may", { isolation: "plain" })
      return within(standIn, async () => {
        const project = workshop.project({
          settings: [
            "sandbox: { kind: smolvm }",
            "smolvm: { image: node:24-bookworm }",
            "agent: { max_concurrent_agents: 10 }"
          ]
        })
        const foreign = [
          "symphony-of-somebody-else",
          `${machinePrefix("/another/project")}a-1-0123456789abcdef`
        ]
        for (const name of foreign) {
          standIn.run(["machine", "create", name])
          standIn.run(["machine", "start", "--name", name])
        }
        const others = standIn.list().map(({ pid }) => pid)
        const ten = Array.from({ length: 10 }, (_, n) => `A-${n}`)
        for (const identifier of ten) project.file("Todo", identifier, ["hang"])
        const env = { ...standIn.env, HOME: project.home }
        const first = await workshop.serve(project, [], { env })
        await first.until("all have an agent", async () => {
          const { running } = await first.state()
          return (
            running.filter(({ last_event }) => last_event === "Prompt" || last_event === "Message").length ===
              10 || running.filter(({ turn_count }) => turn_count > 0).length === 10
          )
        })
        const before = standIn.processes().filter((pid) => !others.includes(pid))
        assert.lengthOf(before, 10)
        first.kill("SIGKILL")
        await first.ended

        for (const identifier of ten) {
          fs.rmSync(path.join(project.tracker, "Todo", `${identifier}.md`))
        }
        await workshop.serve(project, [], { env })
        await until(() => !standIn.processes().some((pid) => before.includes(pid)))
        await until(() => standIn.list().length === foreign.length)
        assert.deepStrictEqual(
          standIn.list().map(({ pid }) => pid),
          others
        )
        assert.deepStrictEqual(
          standIn.list().map(({ state }) => state),
          ["running", "running"]
        )
      })
    })
  }
)

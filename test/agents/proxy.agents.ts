import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { agents, type RealAgent } from "./agents.ts"
import { type ModelServer, say, shell, startModelServer, tool, USAGE } from "./models/index.ts"
import { makeProject, type Project } from "./project.ts"

const CANARY = "sk-canary-5b1c2a7e9f"

/** What the guest can see of itself, written where the test looks for the canary. */
const hunt =
  '{ env; cat /proc/*/environ /proc/*/cmdline; grep -rsah . "$HOME"; } 2>/dev/null | ' +
  "tr '\\0' '\\n' | tr -cd '[:print:]\\n' | cut -c1-2000 | tail -c 200000 > hunted.txt; " +
  "env >> hunted.txt; echo hello > hello.txt; git add --all; " +
  "git -c user.name=agent -c user.email=agent@localhost commit --quiet --message='Say hello'"

/** Files below a folder that hold the canary. */
const holding = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => {
    const file = join(folder, path)
    return statSync(file, { throwIfNoEntry: false })?.isFile() === true && readFileSync(file).includes(CANARY)
  })

const pages = async (project: Project, output: string): Promise<string> => {
  const base = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0] ?? ""
  const token = readFileSync(join(project.folder, ".symphony", "token"), "utf8").trim()
  const read = async (path: string): Promise<string> => {
    const response = await fetch(`${base}${path}`, { headers: { authorization: `Bearer ${token}` } })
    return `${response.status} ${await response.text()}`
  }
  return (await Promise.all(["/", "/api/v1/state", "/issues/REAL-1"].map(read))).join("\n")
}

const proxied = agents.filter((agent) => agent.proxied !== null)

const play = async (agent: RealAgent, sandbox: "host" | "bubblewrap", net: boolean): Promise<ModelServer> => {
  const model = await startModelServer({
    key: CANARY,
    pace: 20,
    moves: [
      shell(hunt),
      tool("mark_done", { title: "Say hello", summary: "It says hello." }),
      say("Finished.")
    ]
  })
  const project = makeProject({ agent, sandbox, net, modelUrl: model.url, key: CANARY, proxied: true })
  const { ended, output } = project.start()
  await model.reached("Tool")
  const shown = await pages(project, output())
  const { code } = await ended
  await model.close()
  assert.strictEqual(code, 0, output())
  assert.match(project.patch() ?? "", /\+hello/)
  assert.match(project.patch() ?? "", /SYMPHONY_RUN_MARKER/, "the hunt saw the environment")
  assert.match(shown, /^200 /)
  assert.notInclude(shown, CANARY)
  assert.notInclude(output(), CANARY)
  assert.deepStrictEqual(holding(project.folder), [])
  const { total, source } = JSON.parse(/"tokens":(\{[^}]*\})/.exec(project.journal())?.[1] ?? "{}")
  const answered = model.requests.filter(({ move }) => ["Shell", "Tool", "Say", "side"].includes(move)).length
  assert.deepStrictEqual(
    { total, source },
    { total: answered * (USAGE.input + USAGE.output), source: "counted" }
  )
  project.remove()
  return model
}

describe.each(proxied)(
  "$name behind the proxy takes an issue to Done, and the key is found nowhere",
  (agent) => {
    it("in bubblewrap without network", async () => {
      const { requests } = await play(agent, "bubblewrap", false)
      assert.isTrue(requests.every(({ headers }) => JSON.stringify(headers).includes(CANARY)))
    })
  }
)

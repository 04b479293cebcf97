import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe } from "vitest"
import { hasProcessTable } from "../support/capabilities.ts"
import { CLONE } from "./support/project.ts"
import { processesOf } from "./support/processes.ts"
import { appears, BUSY_MACHINE, it } from "./support/workshop.ts"

/**
 * A hook that hangs the first time, with a child in a session and an environment of its own. Each later one says
 * whether anything of the first still lives.
 */
const HANGS_ONCE = [
  'if test -e "$SYMPHONY_WORKFLOW.pids"; then',
  '  for pid in $(cat "$SYMPHONY_WORKFLOW.pids"); do',
  '    if grep -q "^State:.[^Z]" "/proc/$pid/status" 2>/dev/null; then touch "$SYMPHONY_WORKFLOW.overlap"; fi',
  "  done",
  "else",
  "  setsid sleep 3600 &",
  '  echo "$! $$" > "$SYMPHONY_WORKFLOW.pids.tmp"',
  '  mv "$SYMPHONY_WORKFLOW.pids.tmp" "$SYMPHONY_WORKFLOW.pids"',
  "  exec env -i sleep 3600",
  "fi"
]

const HOOKS = ["after_create", "before_run", "after_run", "before_remove"] as const

describe.skipIf(!hasProcessTable("that no hook outlives a kill -9"))(
  "a hook that a kill -9 of symphony has orphaned",
  { timeout: BUSY_MACHINE },
  () => {
    for (const hook of HOOKS) {
      it(`is dead before the next start runs a hook of the issue or removes anything: ${hook}`, async ({
        workshop
      }) => {
        const project = workshop.project({
          repository: hook === "before_remove",
          settings: [
            "hooks:",
            "  timeout_ms: 300000",
            `  ${hook}: |`,
            ...HANGS_ONCE.map((line) => `    ${line}`),
            ...(hook === "before_remove" ? CLONE : [])
          ]
        })
        project.file("Todo", "A-1", ["done Finished | It is done."])
        const hangs = appears(project.root, "WORKFLOW.md.pids")
        const first = await workshop.serve(project)
        await hangs
        first.kill("SIGKILL")
        await first.ended

        const again = await workshop.run(project, ["--once"])
        assert.strictEqual(again.code, 0, again.stderr)
        assert.deepStrictEqual(project.whereIs("A-1"), ["Done"])
        assert.isFalse(fs.existsSync(`${project.workflow}.overlap`), "two hooks at once")
        assert.deepStrictEqual(processesOf(project), [])
        const pids = fs.readFileSync(`${project.workflow}.pids`, "utf8").trim().split(" ")
        const living = pids.filter((pid) => {
          const status = `/proc/${pid}/status`
          return fs.existsSync(status) && !/^State:\s+Z/m.test(fs.readFileSync(status, "utf8"))
        })
        assert.deepStrictEqual(living, [])
        assert.deepStrictEqual(
          fs
            .readdirSync(path.join(project.state, "runs"), { recursive: true })
            .map(String)
            .filter((name) => name.endsWith("process.json")),
          []
        )
      })
    }
  }
)

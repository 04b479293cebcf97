import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe } from "vitest"
import { hasProcessTable } from "../support/capabilities.ts"
import { processesOf } from "./support/processes.ts"
import type { State } from "./support/program.ts"
import { issueTree, type Project } from "./support/project.ts"
import { it, type Workshop } from "./support/workshop.ts"

const KILL_AT = fileURLToPath(new URL("../fixtures/acceptance/killAt.mjs", import.meta.url))
const PRELOAD = { nodeArgs: ["--import", KILL_AT] }

/** A few everywhere; all of them where everything is to be shown. */
const KILLS = Number(
  process.env["SYMPHONY_TEST_KILLS"] ?? (process.env["SYMPHONY_TEST_ALL"] === "1" ? 30 : 6)
)
const AT_A_TIME = 2

const ISSUES = ["PLAIN", "AFTER", "TWICE", "REVIEW", "NOTHING"]

/** Every way that an issue can go without a person: done, blocked, failed once, moved with notes, no commits. */
const goldenProject = (workshop: Workshop): Project => {
  const project = workshop.project({
    repository: true,
    settings: [
      "states:",
      "  Todo: { role: active, on_start: In Progress }",
      "  In Progress: { role: active }",
      "  Parked: { role: holding }",
      "  Done: { role: terminal }",
      "agent: { max_concurrent_agents: 2, max_retry_backoff_ms: 100 }"
    ]
  })
  const work = (name: string) => [
    `write ${name}.txt The work of ${name}`,
    `commit Work on ${name}`,
    "tokens 100 20"
  ]
  project.file("Todo", "PLAIN", [...work("plain"), "done Plain | It is done."])
  project.file("Todo", "AFTER", [...work("after"), "done After | It is done."], {
    frontMatter: ["blocked_by: [PLAIN]"]
  })
  project.file("Todo", "TWICE", ["fail-once On purpose", ...work("twice"), "done Twice | It is done."])
  project.file("Todo", "REVIEW", [...work("review"), "transition Done | Notes for whoever reviews."])
  project.file("Todo", "NOTHING", ["tokens 10 2", "done Nothing | There was nothing to change."])
  return project
}

/** What must not depend on when we died: everything but times, and the names of commits and runs. */
const timeless = (text: string): string =>
  text
    .replaceAll(/^From [0-9a-f]{40} .*$/gm, "From COMMIT")
    .replaceAll(/^Date: .*$/gm, "Date: TIME")
    .replaceAll(/\br\d+-\d+\b/g, "RUN")

interface Result {
  readonly issues: Readonly<Record<string, string>>
  readonly patches: Readonly<Record<string, string>>
}

const resultOf = (project: Project): Result => {
  const folder = path.join(project.state, "patches")
  const names = fs.readdirSync(folder).filter((name) => name.endsWith(".patch"))
  return {
    issues: Object.fromEntries([...issueTree(project)].map(([name, text]) => [name, timeless(text)])),
    patches: Object.fromEntries(
      names.sort().map((name) => [name, timeless(fs.readFileSync(path.join(folder, name), "utf8"))])
    )
  }
}

interface JournalEntry {
  readonly _tag: string
  readonly tokens?: { readonly total: number }
  readonly outcome?: { readonly _tag: string }
}

/** The totals that the journal tells: tokens of turns, runs begun, runs completed. */
const journaled = (project: Project) => {
  const entries = fs
    .readFileSync(path.join(project.state, "journal.jsonl"), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .flatMap((line): ReadonlyArray<JournalEntry> => JSON.parse(line.slice(line.indexOf(" ") + 1)))
  const counted = (tag: string) => entries.filter(({ _tag }) => _tag === tag)
  return {
    tokens: counted("TurnEnded").reduce((sum, { tokens }) => sum + (tokens?.total ?? 0), 0),
    runs: counted("RunStarted").length,
    completed: counted("RunEnded").filter(({ outcome }) => outcome?._tag === "Completed").length
  }
}

const shown = ({ codex_totals, runs_completed, runs_total }: State) => ({
  tokens: codex_totals.total_tokens,
  runs: runs_total,
  completed: runs_completed
})

/** Dies at the given moment, starts again, and finishes. */
const killAndFinish = async (workshop: Workshop, at: number, golden: Result): Promise<void> => {
  const project = goldenProject(workshop)
  const killed = await workshop.run(project, ["--once"], { ...PRELOAD, env: { KILL_AT: String(at) } })
  assert.strictEqual(killed.signal, "SIGKILL", killed.stderr)

  const symphony = await workshop.serve(project)
  await symphony.untilDone(...ISSUES)
  assert.deepStrictEqual(shown(await symphony.state()), journaled(project))
  symphony.kill("SIGTERM")
  assert.strictEqual((await symphony.ended).code, 0)
  assert.deepStrictEqual(resultOf(project), golden)
  assert.deepStrictEqual(processesOf(project), [])
}

describe.skipIf(!hasProcessTable("that a kill -9 loses nothing"))("a kill -9", () => {
  it(
    `at any of ${KILLS} moments: after a restart issues, patches and totals are as if it had not been`,
    { timeout: KILLS * 60_000 },
    async ({ workshop }) => {
      const project = goldenProject(workshop)
      const count = path.join(path.dirname(project.root), "count")
      const ended = await workshop.run(project, ["--once"], { ...PRELOAD, env: { KILL_COUNT: count } })
      assert.strictEqual(ended.code, 0, ended.stderr)
      const golden = resultOf(project)
      const moments = Number(fs.readFileSync(count, "utf8"))
      workshop.note(`${moments} moments in the golden run, ${KILLS} of them died at`)
      assert.deepStrictEqual(
        Object.keys(golden.issues),
        ISSUES.map((identifier) => `Done/${identifier}.md`).sort()
      )
      assert.lengthOf(Object.keys(golden.patches), 4)

      // Counts differ a little from run to run: the last moments would never come.
      const spread = Array.from(
        { length: KILLS },
        (_, index) => 1 + Math.floor((index * 0.9 * moments) / KILLS)
      )
      const failures: Array<string> = []
      const lane = async (first: number): Promise<void> => {
        for (let index = first; index < spread.length; index += AT_A_TIME) {
          const at = spread[index] ?? 1
          await killAndFinish(workshop, at, golden).catch((error: unknown) => {
            failures.push(`killed at ${at}: ${error instanceof Error ? error.message : String(error)}`)
          })
        }
      }
      await Promise.all(Array.from({ length: AT_A_TIME }, (_, first) => lane(first)))
      assert.deepStrictEqual(failures, [])
    }
  )
})

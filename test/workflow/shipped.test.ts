import { execFile } from "node:child_process"
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer, Result } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { parse } from "yaml"
import { makeRunId } from "../../src/domain/ids.ts"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"
import { sourceTop } from "../../src/handoff/sourceTop.ts"
import { decodeWorkflow } from "../../src/workflow/decodeWorkflow.ts"
import { keysOf } from "../../src/workflow/keys.ts"
import * as MemoryWorkflow from "../../src/workflow/MemoryWorkflow.ts"
import { Operator } from "../../src/workflow/Operator.ts"
import { FrontMatterKeys } from "../../src/workflow/schema.ts"
import { hookEnvironment } from "../../src/workspace/hookEnvironment.ts"
import { testWorkflow } from "../support/workflow.ts"

const run = promisify(execFile)
const shipped = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), "utf8")
const load = async (name: string) =>
  Result.getOrThrow(decodeWorkflow(`/project/${name}`, await shipped(name), { HOME: "/home/ada" }))

describe("WORKFLOW.md", () => {
  it("loads without a problem and is the canonical setup", async () => {
    const { definition, warnings } = await load("WORKFLOW.md")
    assert.deepStrictEqual(warnings, [])
    const { acp, handoff, sandbox, server, smolvm, workspace } = definition.config
    assert.strictEqual(sandbox.kind, "smolvm")
    assert.strictEqual(acp.adapter, "claude")
    assert.strictEqual(handoff.mode, "auto")
    assert.strictEqual(server.port, 8787)
    assert.strictEqual(workspace.root, "/project/.symphony/workspaces")
    assert.strictEqual(smolvm.from, "/project/.vm/symphony.smolmachine.smolmachine")
    assert.include(definition.prompt, "the mark_done tool")
  })
})

describe("WORKFLOW.template.md", () => {
  /** `# agent.max_turns (default: 20)`, then `#   is a whole number above 0; for example: 40`. */
  const documented = async () =>
    [
      ...(await shipped("WORKFLOW.template.md")).matchAll(
        /^ *# ([a-z_.*]+) \((?:default: )?(.+)\)\n *# {3}is (.+); for example: (.+)$/gm
      )
    ].map(([, name = "", fallback = "", expected = "", example = ""]) => ({
      name,
      default: fallback,
      expected,
      example
    }))

  it("loads without a problem and says nothing but the defaults", async () => {
    const { definition, warnings } = await load("WORKFLOW.template.md")
    assert.deepStrictEqual(warnings, [])
    const empty = decodeWorkflow("/project/W.md", "---\ntracker: {kind: local}\n---\n", {})
    assert.deepStrictEqual(definition.config, Result.getOrThrow(empty).definition.config)
  })

  it("explains every key with its default and its type, and no other", async () => {
    assert.deepStrictEqual(
      (await documented()).map(({ name, expected, default: fallback }) => ({
        name,
        expected,
        default: fallback
      })),
      [...keysOf(FrontMatterKeys)]
    )
  })

  it("gives examples that are accepted", async () => {
    const simple = (await documented()).filter(({ name }) => !name.includes("*") && name !== "states")
    for (const { example, name } of simple) {
      const [section = "", leaf = ""] = name.split(".")
      const value: unknown = parse(example)
      const data =
        section === "tracker"
          ? { tracker: { kind: "local", [leaf]: value } }
          : { tracker: { kind: "local" }, [section]: { [leaf]: value } }
      const decoded = decodeWorkflow("/project/W.md", `---\n${JSON.stringify(data)}\n---\n`, {
        HOME: "/home/ada",
        MY_ISSUES: "/issues"
      })
      if (Result.isFailure(decoded)) assert.fail(`${name}: ${decoded.failure.message}`)
    }
  })
})

describe("the after_create hook of WORKFLOW.md", () => {
  let scratch = ""
  let source = ""
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "symphony-hook-"))
    source = join(scratch, "source")
    await mkdir(join(source, "ops"), { recursive: true })
    await writeFile(join(source, "file.txt"), "base\n")
    await git(source, "init", "--quiet", "--initial-branch=main")
    await git(source, "add", ".")
    await git(source, "commit", "--quiet", "-m", "base")
  })
  afterAll(() => rm(scratch, { recursive: true, force: true }))

  const git = async (cwd: string, ...args: ReadonlyArray<string>) => {
    const { stdout } = await run(
      "git",
      ["-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "commit.gpgsign=false", ...args],
      { cwd, env: { PATH: process.env["PATH"], HOME: scratch, GIT_CONFIG_NOSYSTEM: "1" } }
    )
    return stdout.trim()
  }

  /** As a run has it whose workflow lies below the top of the repository, and whose state lies elsewhere. */
  const environment = (key: string, workspace: string) => {
    const workflow = testWorkflow({
      path: join(source, "ops", "WORKFLOW.md"),
      config: { state: { root: join(scratch, "state") } }
    })
    return sourceTop.pipe(
      Effect.map((top) =>
        hookEnvironment({
          workflow,
          identifier: key,
          state: "Todo",
          title: key,
          attempt: 1,
          runId: makeRunId(1, 1),
          outcome: null,
          workspace,
          bin: "/usr/bin/symphony",
          markDone: null,
          patch: null,
          operator: Operator.nothingSet,
          source: top
        })
      ),
      Effect.provide([
        MemoryWorkflow.layer(workflow),
        Operator.layerNothingSet,
        Layer.mergeAll(NodeServices.layer, NodeSafeFiles.layer)
      ]),
      Effect.scoped,
      Effect.runPromise
    )
  }

  const prepare = async (key: string) => {
    const workspace = join(scratch, key)
    await mkdir(workspace)
    const script = (await load("WORKFLOW.md")).definition.config.hooks.after_create ?? ""
    await run("sh", ["-lc", script], {
      cwd: workspace,
      env: { PATH: process.env["PATH"], HOME: scratch, ...(await environment(key, workspace)) }
    })
    return workspace
  }

  it("clones the repository that the workflow lies in, on a branch for the issue", async () => {
    const workspace = await prepare("ABC-1")
    assert.strictEqual(await git(workspace, "branch", "--show-current"), "agent/ABC-1")
    assert.strictEqual(await git(workspace, "rev-parse", "HEAD"), await git(source, "rev-parse", "main"))
    assert.strictEqual(await git(workspace, "remote"), "")
    assert.strictEqual(await git(workspace, "config", "--local", "user.email"), "agent@symphony.invalid")
    assert.strictEqual(await git(workspace, "for-each-ref", "refs/remotes"), "")
  })

  it("goes on with the branch of an earlier run", async () => {
    await git(source, "branch", "agent/ABC-2")
    const tree = await git(source, "rev-parse", "main^{tree}")
    const commit = await git(source, "commit-tree", tree, "-p", "main", "-m", "earlier")
    await git(source, "update-ref", "refs/heads/agent/ABC-2", commit)
    const workspace = await prepare("ABC-2")
    assert.strictEqual(await git(workspace, "rev-parse", "HEAD"), commit)
  })

  it("goes on with what was handed over before, until that is merged", async () => {
    const handed = join(scratch, "state/quarantine/repository.git")
    await git(source, "clone", "--quiet", "--bare", ".", handed)
    const tree = await git(source, "rev-parse", "main^{tree}")
    const commit = await git(handed, "commit-tree", tree, "-p", "main", "-m", "handed over")
    await git(handed, "update-ref", "refs/heads/agent/ABC-4", commit)
    assert.strictEqual(await git(await prepare("ABC-4"), "rev-parse", "HEAD"), commit)
    const other = await prepare("ABC-5")
    assert.strictEqual(await git(other, "rev-parse", "HEAD"), await git(source, "rev-parse", "main"))

    await git(source, "fetch", "--quiet", handed, "refs/heads/agent/ABC-4")
    await git(source, "merge", "--quiet", "--ff-only", "FETCH_HEAD")
    await git(source, "commit", "--quiet", "--allow-empty", "-m", "later")
    await rm(join(scratch, "ABC-4"), { recursive: true })
    const merged = await prepare("ABC-4")
    assert.strictEqual(await git(merged, "rev-parse", "HEAD"), await git(source, "rev-parse", "main"))
    assert.strictEqual(await git(merged, "branch", "--show-current"), "agent/ABC-4")
  })

  it("shares no file with the source repository", async () => {
    const workspace = await prepare("ABC-3")
    const { stdout } = await run("find", [join(workspace, ".git", "objects"), "-type", "f", "-links", "+1"])
    assert.strictEqual(stdout, "")
  })
})

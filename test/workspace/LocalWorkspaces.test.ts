import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger, Ref, References, Schedule, type Scope } from "effect"
import { Identifier, makeRunId } from "../../src/domain/ids.ts"
import { layer as safeFilesLayer } from "../../src/files/NodeSafeFiles.ts"
import { FileError, SafeFiles } from "../../src/files/SafeFiles.ts"
import { layer as localLayer } from "../../src/workspace/LocalWorkspaces.ts"
import { type HookEnvironment, Workspaces } from "../../src/workspace/Workspaces.ts"
import { OWNER_FILE } from "../../src/workspace/workspaceRoot.ts"
import type { WorkflowConfig, WorkflowDefinition } from "../../src/workflow/WorkflowConfig.ts"
import { testWorkflow } from "../support/workflow.ts"

const A1 = Identifier.make("A-1")
const order = { runId: makeRunId(1, 1), env: {} }

interface Project {
  readonly root: string
  readonly fs: FileSystem.FileSystem
  readonly workspaces: Workspaces["Service"]
  readonly workflow: (hooks?: Partial<WorkflowConfig["hooks"]>, tracker?: string) => WorkflowDefinition
}

/** The disk gives up on the first tree that is removed, after its first file. */
const stoppingHalfWay = Layer.effect(
  SafeFiles,
  Effect.gen(function* () {
    const files = yield* SafeFiles
    const stopped = yield* Ref.make(false)
    return SafeFiles.of({
      ...files,
      removeTree: (place, path) =>
        Effect.gen(function* () {
          if (yield* Ref.getAndSet(stopped, true)) return yield* files.removeTree(place, path)
          const [first] = yield* files.list(place, path)
          yield* files.removeTree(place, `${path}/${first?.name}`)
          return yield* new FileError({ operation: "remove", path, reason: "io", detail: "bad block" })
        })
    })
  })
).pipe(Layer.provide(safeFilesLayer))

const inProject = <E>(
  body: (project: Project) => Effect.Effect<void, E, Scope.Scope>,
  disk: Layer.Layer<SafeFiles> = safeFilesLayer
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const made = yield* fs.makeTempDirectoryScoped({ prefix: "workspace-test-" })
    const root = yield* fs.realPath(made)
    yield* fs.makeDirectory(`${root}/issues`)
    yield* fs.makeDirectory(`${root}/other-issues`)
    const workflow: Project["workflow"] = (hooks, tracker = "issues") =>
      testWorkflow({
        config: {
          tracker: { root: `${root}/${tracker}` },
          workspace: { root: `${root}/workspaces` },
          state: { root: `${root}/state` },
          ...(hooks === undefined ? {} : { hooks })
        }
      })
    yield* body({ root, fs, workspaces: yield* Workspaces, workflow })
  }).pipe(
    Effect.scoped,
    Effect.provide(localLayer.pipe(Layer.provideMerge(disk), Layer.provideMerge(NodeServices.layer)))
  )

const silent = Effect.provideService(References.MinimumLogLevel, "None")

const test = <E>(name: string, body: (project: Project) => Effect.Effect<void, E, Scope.Scope>) =>
  it.live(name, () => silent(inProject(body)))

describe("the workspace root", () => {
  test("is marked with the tracker it belongs to", ({ fs, root, workflow, workspaces }) =>
    Effect.gen(function* () {
      yield* workspaces.ensure(A1, workflow(), order)
      const owner = yield* fs.readFileString(`${root}/workspaces/${OWNER_FILE}`)
      assert.strictEqual(owner.split("\n")[0], `${root}/issues`)
    }))

  test("of another tracker is refused, naming both", ({ fs, root, workflow, workspaces }) =>
    Effect.gen(function* () {
      const workspace = yield* workspaces.ensure(A1, workflow(), order)
      const foreign = workflow({}, "other-issues")
      for (const attempt of [
        workspaces.ensure(A1, foreign, order),
        workspaces.remove({ workspace, workflow: foreign, ...order })
      ]) {
        const error = yield* Effect.flip(attempt)
        assert.strictEqual(error.reason, "foreign_root")
        assert.include(error.message, `${root}/issues`)
        assert.include(error.message, `${root}/other-issues`)
      }
      assert.isTrue(yield* fs.exists(workspace.path))
    }))

  test("that holds somebody's files is refused", ({ fs, root, workflow, workspaces }) =>
    Effect.gen(function* () {
      yield* fs.makeDirectory(`${root}/workspaces/A-1`, { recursive: true })
      yield* fs.writeFileString(`${root}/workspaces/A-1/mine`, "")
      const error = yield* Effect.flip(workspaces.ensure(A1, workflow(), order))
      assert.strictEqual(error.reason, "not_empty")
      assert.isTrue(yield* fs.exists(`${root}/workspaces/A-1/mine`))
    }))
})

describe("a workspace", () => {
  const claimed = ({ fs, root }: Project) =>
    Effect.andThen(
      fs.makeDirectory(`${root}/workspaces`),
      fs.writeFileString(`${root}/workspaces/${OWNER_FILE}`, `${root}/issues\n`)
    )

  test("that is a symbolic link is refused, for hooks and removal too", (project) =>
    Effect.gen(function* () {
      const { fs, root, workflow, workspaces } = project
      yield* claimed(project)
      yield* fs.makeDirectory(`${root}/elsewhere`)
      yield* fs.writeFileString(`${root}/elsewhere/keep`, "")
      yield* fs.symlink(`${root}/elsewhere`, `${root}/workspaces/A-1`)
      const hooked = workflow({ before_run: `touch ${root}/ran`, before_remove: `touch ${root}/ran` })
      const context = { workspace: workspaces.locate(A1, hooked), workflow: hooked, ...order }
      assert.strictEqual((yield* Effect.flip(workspaces.ensure(A1, hooked, order))).reason, "symlink")
      assert.strictEqual((yield* Effect.flip(workspaces.remove(context))).reason, "symlink")
      assert.strictEqual((yield* Effect.flip(workspaces.runHook("before_run", context))).reason, "spawn")
      assert.deepStrictEqual(
        [yield* fs.exists(`${root}/elsewhere/keep`), yield* fs.exists(`${root}/ran`)],
        [true, false]
      )
    }))

  test("that is a file is refused", (project) =>
    Effect.gen(function* () {
      yield* claimed(project)
      yield* project.fs.writeFileString(`${project.root}/workspaces/A-1`, "")
      const error = yield* Effect.flip(project.workspaces.ensure(A1, project.workflow(), order))
      assert.strictEqual(error.reason, "not_a_directory")
    }))

  test("that was there before us is used as it is", (project) =>
    Effect.gen(function* () {
      const { fs, root, workflow, workspaces } = project
      yield* claimed(project)
      yield* fs.makeDirectory(`${root}/workspaces/A-1`)
      yield* fs.writeFileString(`${root}/workspaces/A-1/mine`, "")
      const workspace = yield* workspaces.ensure(A1, workflow({ after_create: "exit 1" }), order)
      assert.isFalse(workspace.created)
      assert.isTrue(yield* fs.exists(`${workspace.path}/mine`))
    }))

  test("that is used again keeps all that is in it, whatever fails then", (project) =>
    Effect.gen(function* () {
      const { fs, workflow, workspaces } = project
      const first = yield* workspaces.ensure(A1, workflow({ after_create: "echo work > kept" }), order)
      const failing = workflow({ after_create: "rm kept", before_run: "exit 1" })
      const second = yield* workspaces.ensure(A1, failing, order)
      yield* Effect.flip(workspaces.runHook("before_run", { ...order, workspace: second, workflow: failing }))
      assert.isFalse(second.created)
      assert.strictEqual(yield* fs.readFileString(`${first.path}/kept`), "work\n")
    }))

  test("whose after_create was cut off by a crash is made anew", (project) =>
    Effect.gen(function* () {
      const { fs, root, workflow, workspaces } = project
      const first = yield* workspaces.ensure(A1, workflow(), order)
      yield* fs.writeFileString(`${first.path}/half`, "")
      const record = `${root}/state/workspaces/A-1.json`
      const text = yield* fs.readFileString(record)
      yield* fs.writeFileString(record, text.replace("ready", "creating"))
      const second = yield* workspaces.ensure(A1, workflow({ after_create: "touch whole" }), order)
      assert.isTrue(second.created)
      assert.deepStrictEqual(yield* fs.readDirectory(second.path), ["whole"])
    }))

  test("is removed without following the links in it", (project) =>
    Effect.gen(function* () {
      const { fs, root, workflow, workspaces } = project
      const workspace = yield* workspaces.ensure(A1, workflow(), order)
      yield* fs.makeDirectory(`${root}/elsewhere`)
      yield* fs.writeFileString(`${root}/elsewhere/keep`, "")
      yield* fs.symlink(`${root}/elsewhere`, `${workspace.path}/link`)
      yield* workspaces.remove({ workspace, workflow: workflow(), ...order })
      assert.isFalse(yield* fs.exists(workspace.path))
      assert.isTrue(yield* fs.exists(`${root}/elsewhere/keep`))
    }))

  it.live("whose removal stopped half-way is made anew, and not handed to the next run", () =>
    silent(
      inProject(
        ({ fs, workflow, workspaces }) =>
          Effect.gen(function* () {
            const hooked = workflow({ after_create: "touch first second" })
            const workspace = yield* workspaces.ensure(A1, hooked, order)
            const error = yield* Effect.flip(workspaces.remove({ workspace, workflow: hooked, ...order }))
            assert.strictEqual(error.reason, "io")
            assert.deepStrictEqual(yield* fs.readDirectory(workspace.path), ["second"])
            const again = yield* workspaces.ensure(A1, hooked, order)
            assert.isTrue(again.created)
            assert.deepStrictEqual(yield* fs.readDirectory(again.path), ["first", "second"])
          }),
        stoppingHalfWay
      )
    )
  )
})

describe("of the workspaces that were made", () => {
  for (const [what, record] of [
    ["is cut off", "{"],
    ["names no issue", JSON.stringify({ identifier: "", path: "/", status: "ready" })],
    ["is larger than any", `"${"x".repeat(20_000)}"`]
  ] as const) {
    it.live(`one whose record ${what} is left out with a warning, and no other`, () =>
      Effect.gen(function* () {
        const warned: Array<string> = []
        const logger = Logger.make(({ logLevel, message }) => {
          if (logLevel === "Warn") warned.push([message].flat().map(String).join(" "))
        })
        yield* inProject(({ fs, root, workflow, workspaces }) =>
          Effect.gen(function* () {
            const { path } = yield* workspaces.ensure(A1, workflow(), order)
            yield* fs.writeFileString(`${root}/state/workspaces/A-0.json`, record)
            assert.deepStrictEqual(yield* workspaces.made(workflow()), [{ identifier: A1, path }])
          })
        ).pipe(Effect.provide(Logger.layer([logger])))
        assert.lengthOf(warned, 1)
        assert.include(warned[0], "/state/workspaces/A-0.json")
      })
    )
  }
})

describe("a hook", () => {
  const run = (project: Project, script: string, env: HookEnvironment = {}, timeoutMs = 60_000) =>
    Effect.gen(function* () {
      const workflow = project.workflow({ before_run: script, timeoutMs })
      const workspace = yield* project.workspaces.ensure(A1, workflow, order)
      yield* project.workspaces.runHook("before_run", { ...order, workspace, workflow, env })
      return workspace
    })

  test("runs in the workspace, with the operator's environment and ours, and no input", (project) =>
    Effect.gen(function* () {
      const script = `pwd > out; echo "$SYMPHONY_ISSUE_ID" >> out; test -n "$PATH" && cat >> out; echo end >> out`
      const workspace = yield* run(project, script, { SYMPHONY_ISSUE_ID: "A-1" })
      assert.strictEqual(
        yield* project.fs.readFileString(`${workspace.path}/out`),
        `${workspace.path}\nA-1\nend\n`
      )
    }))

  test("is on record before it begins, and gone from there when it is over", (project) =>
    Effect.gen(function* () {
      const record = `${project.root}/state/runs/r1-1/process.json`
      const workspace = yield* run(project, `echo $$ > pid; cat ${record} > seen`)
      const seen = yield* project.fs.readFileString(`${workspace.path}/seen`)
      const pid = (yield* project.fs.readFileString(`${workspace.path}/pid`)).trim()
      assert.include(seen, `"pid":${pid},"startTime":"`)
      assert.isFalse(yield* project.fs.exists(record))
    }))

  test("does not see what is taken away from the operator's environment", (project) =>
    Effect.gen(function* () {
      const workspace = yield* run(project, `echo "[\${VITEST-none}]" > out`, { VITEST: undefined })
      assert.match(yield* project.fs.readFileString(`${workspace.path}/out`), /\[none\]$/m)
    }))

  test("takes its whole process group along when its time is up", (project) =>
    Effect.gen(function* () {
      const { fs, root } = project
      const script = `trap '' TERM; sh -c "trap '' TERM; echo \\$\\$ > ${root}/pid; sleep 1000" & wait; sleep 1000`
      const error = yield* Effect.flip(run(project, script, {}, 3_000))
      assert.strictEqual(error._tag === "HookError" && error.reason, "timeout")
      const pid = (yield* fs.readFileString(`${root}/pid`)).trim()
      yield* Effect.repeat(fs.exists(`/proc/${pid}/cwd`), {
        until: (there) => !there,
        schedule: Schedule.spaced("5 millis")
      })
    }))

  test("that leaves a process holding its output does not delay", (project) =>
    Effect.gen(function* () {
      yield* run(project, "sleep 1000 & echo done", {}, 20_000)
    }))

  test("fails with its exit code and the end of what it printed", (project) =>
    Effect.gen(function* () {
      const script = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo sorry >&2; exit 4"
      const error = yield* Effect.flip(run(project, script))
      assert.strictEqual(error._tag, "HookError")
      if (error._tag !== "HookError") return
      assert.deepStrictEqual([error.reason, error.code], ["exit", 4])
      assert.isTrue(error.output.endsWith("x\nsorry\n"))
      assert.isAtMost(error.output.length, 64 * 1024 + 1)
      assert.isAtMost(error.message.length, 600)
    }))

  test("that is ended by a signal says so", (project) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(run(project, "kill -9 $$"))
      assert.strictEqual(error._tag === "HookError" && error.reason, "signal")
    }))

  /** What is logged meanwhile, a line each. */
  const logged = Effect.fnUntraced(function* <E>(
    body: (project: Project) => Effect.Effect<void, E, Scope.Scope>
  ) {
    const lines: Array<string> = []
    const logger = Logger.make(({ fiber, message }) => {
      const annotations = fiber.getRef(References.CurrentLogAnnotations)
      lines.push(`${String(message)} ${JSON.stringify(annotations)}`)
    })
    yield* inProject(body).pipe(Effect.provide(Logger.layer([logger])))
    return lines
  })

  it.live("is logged when it starts, ends and fails, with its output made harmless", () =>
    Effect.gen(function* () {
      const script = (code: number) => `printf '\\033[2Jwiped\\n'; exit ${code}`
      const lines = yield* logged((project) =>
        Effect.andThen(run(project, script(0)), Effect.ignore(run(project, script(1))))
      )
      assert.deepStrictEqual(
        lines.map((line) => line.split(" {")[0]),
        ["hook started", "hook ended", "hook started", "hook failed"]
      )
      for (const line of [lines[1], lines[3]]) assert.include(line, "␛[2Jwiped")
      assert.notInclude(lines.join(), "\u001b")
    })
  )

  it.live("is logged as timed out when its time is up", () =>
    Effect.gen(function* () {
      const lines = yield* logged((project) => Effect.ignore(run(project, "sleep 1000", {}, 500)))
      assert.lengthOf(lines, 2)
      assert.match(lines[1] ?? "", /^hook timed out \{.*did not end within 500 ms/)
    })
  )

  it.live("has no more than the end of what it printed in the log", () =>
    Effect.gen(function* () {
      const script = (code: number) => `head -c 300000 /dev/zero | tr '\\0' x; echo; echo last; exit ${code}`
      const lines = yield* logged((project) =>
        Effect.andThen(run(project, script(0)), Effect.ignore(run(project, script(1))))
      )
      for (const line of [lines[1], lines[3]]) {
        assert.include(line, "last")
        assert.isAtMost(line?.length ?? 0, 2500)
      }
    })
  )

  it.live("that fails before a removal is logged, and the folder goes all the same", () =>
    Effect.gen(function* () {
      const lines = yield* logged(({ fs, workflow, workspaces }) =>
        Effect.gen(function* () {
          const hooked = workflow({ before_remove: "echo no; exit 3" })
          const workspace = yield* workspaces.ensure(A1, hooked, order)
          yield* workspaces.remove({ workspace, workflow: hooked, ...order })
          assert.isFalse(yield* fs.exists(workspace.path))
        })
      )
      assert.match(lines.at(-1) ?? "", /^hook failed \{.*"before_remove".*ended with exit code 3/)
    })
  )
})

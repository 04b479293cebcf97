import { mkdtemp, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import {
  ConfigProvider,
  Context,
  Deferred,
  Effect,
  Layer,
  Logger,
  Queue,
  Ref,
  References,
  Schedule,
  Semaphore,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { makeMemoryDisk } from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"
import { SafeFiles } from "../../src/files/SafeFiles.ts"
import * as FileWorkflow from "../../src/workflow/FileWorkflow.ts"
import * as MemoryWorkflow from "../../src/workflow/MemoryWorkflow.ts"
import { Workflow, type WorkflowError } from "../../src/workflow/Workflow.ts"
import { testWorkflow } from "../support/workflow.ts"

const text = (maxTurns: number | string, more = "") =>
  `---\ntracker: {kind: local}\nagent: {max_turns: ${maxTurns}}\n${more}\n---\nDo it.\n`

const maxTurns = Effect.flatMap(Workflow, ({ current }) =>
  Effect.map(current, ({ config }) => config.agent.maxTurns)
)
const shown = Effect.flatMap(Workflow, ({ problems }) =>
  Effect.map(problems, (found) => found.map(({ message }) => message))
)
/** Until the workflow in force says so. */
const inForce = (turns: number) =>
  Effect.flatMap(Workflow, ({ changes }) =>
    changes.pipe(
      Stream.takeUntil(({ config }) => config.agent.maxTurns === turns),
      Stream.runDrain
    )
  )
/** Until there is a problem that says so. */
const problem = (part: string) =>
  Effect.repeat(shown, {
    schedule: Schedule.spaced("5 millis"),
    until: (found) => found.some((message) => message.includes(part))
  })

/** Something that holds a workflow, and a way to edit it. */
class Desk extends Context.Service<
  Desk,
  { readonly edit: (maxTurns: number) => Effect.Effect<void>; readonly spoil: Effect.Effect<void> }
>()("test/workflow/Desk") {}

const write = (folder: string, content: string) =>
  Effect.flatMap(SafeFiles, (files) => files.writeAtomic({ root: folder }, "WORKFLOW.md", content))

const inFiles = (files: Layer.Layer<SafeFiles>, folder: string) =>
  Layer.mergeAll(
    FileWorkflow.layer(`${folder}/WORKFLOW.md`),
    Layer.effect(
      Desk,
      Effect.gen(function* () {
        const context = yield* Effect.context<SafeFiles>()
        const put = (content: string) =>
          write(folder, content).pipe(Effect.provideContext(context), Effect.orDie)
        return Desk.of({ edit: (turns) => put(text(turns)), spoil: put(text("many")) })
      })
    )
  ).pipe(
    Layer.provideMerge(Layer.effectDiscard(Effect.orDie(write(folder, text(1))))),
    Layer.provideMerge(files)
  )

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "symphony-workflow-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

const memoryFiles = () => {
  const disk = makeMemoryDisk()
  disk.mkdir("/project")
  return MemorySafeFiles.layer(disk)
}

/** A disk whose watches tell nothing. */
const withoutEvents = Layer.suspend(() =>
  Layer.effect(
    SafeFiles,
    Effect.map(SafeFiles, (files) => SafeFiles.of({ ...files, watch: () => Stream.never }))
  ).pipe(Layer.provide(memoryFiles()))
)

const layers: Readonly<Record<string, () => Layer.Layer<Workflow | Desk, WorkflowError>>> = {
  "in a file on disk": () =>
    Layer.unwrap(Effect.map(temporaryFolder, (folder) => inFiles(NodeSafeFiles.layer, folder))),
  "in a file in memory": () => inFiles(memoryFiles(), "/project"),
  "in memory": () =>
    Layer.effect(
      Desk,
      Effect.gen(function* () {
        const editor = yield* MemoryWorkflow.WorkflowEditor
        return Desk.of({
          edit: (turns) => editor.set(testWorkflow({ config: { agent: { maxTurns: turns } } })),
          spoil: editor.reject([
            {
              source: "workflow",
              severity: "error",
              where: "W:1:1",
              message: "agent.max_turns: no",
              hint: null
            }
          ])
        })
      })
    ).pipe(Layer.provideMerge(MemoryWorkflow.layer(testWorkflow({ config: { agent: { maxTurns: 1 } } }))))
}

describe.each(Object.entries(layers))("a workflow %s", (_, make) => {
  it.live("is the present definition, then each good one", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* maxTurns, 1)
      const { edit } = yield* Desk
      yield* edit(2)
      yield* inForce(2)
      assert.strictEqual(yield* maxTurns, 2)
      assert.deepStrictEqual(yield* shown, [])
    }).pipe(Effect.provide(make()))
  )

  it.live("survives a bad edit, shows it, and recovers", () =>
    Effect.gen(function* () {
      const { edit, spoil } = yield* Desk
      yield* spoil
      yield* problem("agent.max_turns")
      assert.strictEqual(yield* maxTurns, 1)
      yield* edit(3)
      yield* inForce(3)
      assert.deepStrictEqual(yield* shown, [])
    }).pipe(Effect.provide(make()))
  )
})

describe("a workflow in a file", () => {
  it.live("is read again however an editor writes it", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = join(folder, "WORKFLOW.md")
      yield* Effect.promise(() => writeFile(path, text(1)))
      yield* Effect.gen(function* () {
        yield* Effect.promise(() => writeFile(path, text(2)))
        yield* inForce(2)
        yield* Effect.promise(async () => {
          await writeFile(`${path}~`, text(3))
          await rename(`${path}~`, path)
        })
        yield* inForce(3)
        yield* Effect.promise(async () => {
          await rm(path)
          await writeFile(path, text(4))
        })
        yield* inForce(4)
      }).pipe(Effect.provide(FileWorkflow.layer(path).pipe(Layer.provide(NodeSafeFiles.layer))))
    })
  )

  it.live("keeps what is in force when the file goes away", () =>
    Effect.gen(function* () {
      const files = yield* SafeFiles
      yield* files.unlink({ root: "/project" }, "WORKFLOW.md")
      yield* problem("workflow file not found: /project/WORKFLOW.md")
      assert.strictEqual(yield* maxTurns, 1)
    }).pipe(Effect.provide(inFiles(memoryFiles(), "/project")))
  )

  it.effect("has to be good at the start", () =>
    Effect.gen(function* () {
      const load = Effect.flip(Effect.scoped(Layer.build(FileWorkflow.layer("/project/WORKFLOW.md"))))
      assert.strictEqual((yield* load).code, "missing_workflow_file")
      yield* write("/project", text("many"))
      const error = yield* load
      assert.strictEqual(error.code, "invalid_workflow")
      assert.strictEqual(
        error.message,
        'WORKFLOW.md:3:9 agent.max_turns: expected a whole number above 0, got "many"'
      )
    }).pipe(Effect.provide(memoryFiles()))
  )

  it.effect("takes the variables that it names from the configuration", () =>
    Effect.gen(function* () {
      const { config } = yield* Effect.flatMap(Workflow, ({ current }) => current)
      assert.strictEqual(config.workspace.root, "/data/it")
    }).pipe(
      Effect.provide(
        FileWorkflow.layer("/project/WORKFLOW.md").pipe(
          Layer.provide(
            Layer.effectDiscard(Effect.orDie(write("/project", text(1, "workspace: {root: $MY_DATA}"))))
          ),
          Layer.provide(memoryFiles()),
          Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ MY_DATA: "/data/it" })))
        )
      )
    )
  )

  it.effect("is read at least once a polling interval, for events that were missed", () =>
    Effect.gen(function* () {
      yield* write("/project", text(2))
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(yield* maxTurns, 1)
      yield* TestClock.adjust("2 seconds")
      yield* inForce(2)
    }).pipe(Effect.provide(inFiles(withoutEvents, "/project")))
  )

  it.effect("is read when asked", () =>
    Effect.gen(function* () {
      yield* write("/project", text(2))
      yield* Effect.flatMap(Workflow, ({ refresh }) => refresh)
      assert.strictEqual(yield* maxTurns, 2)
    }).pipe(Effect.provide(inFiles(withoutEvents, "/project")))
  )

  it.live("loses no change that comes while it reloads", () =>
    Effect.gen(function* () {
      const gate = yield* Semaphore.make(1)
      const reading = yield* Deferred.make<void>()
      const noticed = yield* Queue.unbounded<string>()
      const slow = Layer.effect(
        SafeFiles,
        Effect.map(SafeFiles, (files) =>
          SafeFiles.of({
            ...files,
            watch: (place, path) =>
              Stream.flatMap(files.watch(place, path), (entry) =>
                Stream.concat(
                  Stream.make(entry),
                  Stream.drain(Stream.fromEffect(Queue.offer(noticed, entry)))
                )
              ),
            readText: (place, path, limit) =>
              Effect.tap(files.readText(place, path, limit), ({ text: read }) =>
                read.includes("max_turns: 2")
                  ? Effect.andThen(Deferred.succeed(reading, undefined), gate.withPermit(Effect.void))
                  : Effect.void
              )
          })
        )
      ).pipe(Layer.provide(memoryFiles()))
      yield* Effect.gen(function* () {
        yield* gate.take(1)
        yield* write("/project", text(2))
        yield* Deferred.await(reading)
        yield* Queue.clear(noticed)
        yield* write("/project", text(3))
        yield* Effect.repeat(Queue.take(noticed), { until: (entry) => entry === "WORKFLOW.md" })
        yield* gate.release(1)
        yield* inForce(3)
      }).pipe(Effect.provide(inFiles(slow, "/project")))
    })
  )

  it.effect("logs a bad edit once, and once that it is mended", () =>
    Effect.gen(function* () {
      const logged = yield* Ref.make<ReadonlyArray<unknown>>([])
      const context = yield* Effect.context()
      const logger = Logger.make(({ fiber, logLevel, message }) => {
        const { problem: line } = fiber.getRef(References.CurrentLogAnnotations)
        const text = logLevel === "Error" ? line : String(message)
        Effect.runSyncWith(context)(Ref.update(logged, (lines) => [...lines, text]))
      })
      yield* Effect.gen(function* () {
        const { refresh } = yield* Workflow
        yield* write("/project", text("many"))
        yield* refresh
        yield* refresh
        yield* write("/project", text(1))
        yield* refresh
        yield* refresh
        assert.deepStrictEqual(yield* Ref.get(logged), [
          'WORKFLOW.md:3:9 agent.max_turns: expected a whole number above 0, got "many"',
          "the workflow is mended: what is in force stays"
        ])
      }).pipe(
        Effect.provide(inFiles(withoutEvents, "/project").pipe(Layer.provideMerge(Logger.layer([logger]))))
      )
    })
  )

  it.effect("applies a good edit as a whole, but says which keys need a restart", () =>
    Effect.gen(function* () {
      const workflow = yield* Workflow
      const before = yield* workflow.current
      yield* write(
        "/project",
        "---\ntracker: {kind: local, root: ./other}\nstate: {root: ./there}\nserver: {port: 9, auth: none}\nagent: {max_turns: 7}\n---\nNew.\n"
      )
      yield* workflow.refresh
      const after = yield* workflow.current
      assert.strictEqual(after.prompt, "New.")
      assert.strictEqual(after.config.agent.maxTurns, 7)
      assert.deepStrictEqual(
        [after.config.tracker, after.config.state, after.config.server],
        [before.config.tracker, before.config.state, before.config.server]
      )
      const restart = (key: string) => `${key}: changed, but the value of the start stays in force`
      assert.deepStrictEqual(yield* shown, [
        restart("tracker.root"),
        restart("state.root"),
        restart("server.port"),
        restart("server.auth")
      ])
      yield* write("/project", text(8))
      yield* workflow.refresh
      assert.deepStrictEqual(yield* shown, [])
    }).pipe(Effect.provide(inFiles(withoutEvents, "/project")))
  )

  it.effect("keeps the warnings of what is in force beside a refusal", () =>
    Effect.gen(function* () {
      const { refresh } = yield* Workflow
      yield* write("/project", text(2, "polcy: 1"))
      yield* refresh
      yield* write("/project", text("many"))
      yield* refresh
      assert.deepStrictEqual(yield* shown, [
        "polcy: unknown key, ignored",
        'agent.max_turns: expected a whole number above 0, got "many"'
      ])
    }).pipe(Effect.provide(inFiles(withoutEvents, "/project")))
  )
})

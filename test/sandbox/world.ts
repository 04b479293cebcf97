import { Effect, FileSystem, Redacted, Stream } from "effect"
import { Identifier, makeRunId, type RunId } from "../../src/domain/ids.ts"
import { ProcessTable } from "../../src/processes/ProcessTable.ts"
import { runMarker } from "../../src/processes/RunRecord.ts"
import type { SandboxProcess, SandboxRequest } from "../../src/sandbox/Sandboxes.ts"
import type { SandboxKind, WorkflowDefinition } from "../../src/workflow/WorkflowConfig.ts"
import { type ConfigOverrides, testWorkflow } from "../support/workflow.ts"

export interface World {
  readonly root: string
  readonly workspace: string
  readonly workflow: WorkflowDefinition
  readonly request: (overrides?: Partial<SandboxRequest>) => SandboxRequest
}

/** A project in a temporary folder: tracker, state root and a workspace with a neighbour. */
export const makeWorld = Effect.fnUntraced(function* (
  kind: SandboxKind,
  net = true,
  config: ConfigOverrides = {}
) {
  const fs = yield* FileSystem.FileSystem
  const root = yield* Effect.flatMap(fs.makeTempDirectoryScoped({ prefix: "sandbox-test-" }), (path) =>
    fs.realPath(path)
  )
  const workspace = `${root}/workspaces/A-1`
  for (const folder of [workspace, `${root}/workspaces/A-2`, `${root}/issues/Todo`, `${root}/state`]) {
    yield* fs.makeDirectory(folder, { recursive: true })
  }
  yield* fs.writeFileString(`${root}/issues/Todo/A-1.md`, "tracker canary")
  yield* fs.writeFileString(`${root}/workspaces/A-2/secret`, "neighbour canary")
  yield* fs.writeFileString(`${root}/state/token`, "token canary")
  const workflow = testWorkflow({
    path: `${root}/WORKFLOW.md`,
    config: {
      ...config,
      tracker: { root: `${root}/issues` },
      workspace: { root: `${root}/workspaces` },
      state: { root: `${root}/state` },
      sandbox: { kind, net }
    }
  })
  const world: World = {
    root,
    workspace,
    workflow,
    request: (overrides) => ({
      runId: makeRunId(1, 1),
      identifier: Identifier.make("A-1"),
      workflow,
      workspace,
      readonlyPaths: [],
      programs: [],
      keep: [],
      secretPaths: [],
      env: { GREETING: "hello", API_KEY: Redacted.make("s3cret") },
      homeFiles: [],
      listener: { host: "127.0.0.1", port: 8787 },
      ...overrides
    })
  }
  return world
})

export const sh = (line: string) => ({ shell: "sh", line })

export const allOf = (stream: SandboxProcess["stdout"]) => Stream.mkString(Stream.decodeText(stream))

/** Returns once the process has printed `word`; the rest of its output is dropped. */
export const untilPrinted = (process: SandboxProcess, word: string) =>
  process.stdout.pipe(
    Stream.decodeText,
    Stream.scan(
      () => "",
      (seen: string, text) => seen + text
    ),
    Stream.takeUntil((seen) => seen.includes(word)),
    Stream.runDrain
  )

/** Living processes that carry the run's marker. */
export const carriers = Effect.fnUntraced(function* (workflow: WorkflowDefinition, runId: RunId) {
  const fs = yield* FileSystem.FileSystem
  const table = yield* ProcessTable
  const marker = yield* runMarker(fs, workflow.config.state.root, runId)
  return ((yield* table.list(null)) ?? []).filter((entry) => entry.marker === marker)
})

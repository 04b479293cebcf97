import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, Layer } from "effect"
import { stringify } from "yaml"
import { makeMemoryDisk } from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"
import * as MarkdownTracker from "../../src/tracker/MarkdownTracker.ts"
import type { WrittenIssue } from "../../src/tracker/TrackerWorld.ts"
import * as MemoryWorkflow from "../../src/workflow/MemoryWorkflow.ts"
import { testWorkflow } from "../support/workflow.ts"
import { type Bench, states } from "./Tracker.contract.ts"

export const SPOILED = "---\ntitle: [\n---\n"

export const render = ({ blockedBy, description, ...rest }: WrittenIssue): string =>
  `---\n${stringify({ title: "Untitled", ...rest, ...(blockedBy === undefined ? {} : { blocked_by: blockedBy }) })}---\n${description ?? ""}`

const rendered = (name: string, written: WrittenIssue) =>
  render({ title: written.identifier ?? path.basename(name, ".md"), ...written })

export const workflowAt = (root: string) =>
  MemoryWorkflow.layer(
    testWorkflow({ config: { states, tracker: { root }, polling: { intervalMs: 3_600_000 } } })
  )

export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "symphony-tracker-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

/** The Markdown tracker on the machine's files; a person there saves as editors do. */
export const onMachine = Effect.map(temporaryFolder, (root): Bench & { readonly root: string } => {
  const at = (name: string) => {
    const full = path.join(root, name)
    fs.mkdirSync(path.dirname(full), { recursive: true })
    return full
  }
  return {
    root,
    layer: MarkdownTracker.layer.pipe(Layer.provide([NodeSafeFiles.layer, workflowAt(root)])),
    put: (name, written) => {
      fs.writeFileSync(at(`${path.dirname(name)}/.saved`), rendered(name, written))
      fs.renameSync(at(`${path.dirname(name)}/.saved`), at(name))
    },
    move: (from, to) => fs.renameSync(at(from), at(to)),
    link: (from, to) => fs.linkSync(at(from), at(to)),
    remove: (name) => fs.rmSync(at(name)),
    spoil: (name) => fs.writeFileSync(at(name), SPOILED),
    hide: () => fs.renameSync(root, `${root}.away`),
    unhide: () => fs.renameSync(`${root}.away`, root),
    paths: () =>
      fs
        .readdirSync(root)
        .flatMap((state) => fs.readdirSync(path.join(root, state)).map((name) => `${state}/${name}`))
        .sort()
  }
})

const MEMORY_ROOT = "/issues"

/** The Markdown tracker on a disk in memory. */
export const onMemoryDisk = Effect.sync((): Bench => {
  const disk = makeMemoryDisk()
  disk.mkdir(MEMORY_ROOT)
  const at = (name: string) => `${MEMORY_ROOT}/${name}`
  const ensure = (name: string) => {
    if (disk.stat(at(path.dirname(name))) === null) disk.mkdir(at(path.dirname(name)))
    return at(name)
  }
  return {
    layer: MarkdownTracker.layer.pipe(Layer.provide([MemorySafeFiles.layer(disk), workflowAt(MEMORY_ROOT)])),
    put: (name, written) => disk.put(at(name), rendered(name, written)),
    move: (from, to) => disk.rename(at(from), ensure(to)),
    link: (from, to) => disk.link(at(from), ensure(to)),
    remove: (name) => disk.unlink(at(name)),
    spoil: (name) => disk.write(at(name), Buffer.from(SPOILED)),
    hide: () => disk.rename(MEMORY_ROOT, `${MEMORY_ROOT}.away`),
    unhide: () => disk.rename(`${MEMORY_ROOT}.away`, MEMORY_ROOT),
    paths: () =>
      disk
        .list(MEMORY_ROOT)
        .flatMap((state) => disk.list(at(state.name)).map(({ name }) => `${state.name}/${name}`))
  }
})

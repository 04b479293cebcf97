import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as fc from "fast-check"
import { makeMemoryDisk, type MemoryDisk } from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import { SafeFiles } from "../../src/files/SafeFiles.ts"
import { moveFile } from "../../src/tracker/moveFile.ts"
import { checkNewIssue, renderNewIssue } from "../../src/tracker/newIssue.ts"
import { decodeIssue } from "../../src/tracker/decodeIssue.ts"
import { noteToAppend } from "../../src/tracker/notes.ts"
import { states } from "./Tracker.contract.ts"

const ROOT = "/issues"
const place = { root: ROOT }
const FOLDERS = ["Todo", "Parked", "Done"] as const

/** Contents of all files, each as often as it has an inode: the issues there are. */
const issuesOn = (disk: MemoryDisk): ReadonlyArray<string> => {
  const byInode = new Map<string, string>()
  for (const folder of disk.list(ROOT)) {
    for (const { inode, name } of disk.list(`${ROOT}/${folder.name}`)) {
      if (name.startsWith(".")) continue
      byInode.set(inode, new TextDecoder().decode(disk.read(`${ROOT}/${folder.name}/${name}`).bytes))
    }
  }
  return [...byInode.values()].sort()
}

interface Step {
  readonly who: "symphony" | "person"
  readonly file: number
  readonly from: string
  readonly to: string
  /** Steps of the disk after which the machine stops. */
  readonly diesAfter: number | null
  readonly keeps: ReadonlyArray<boolean>
}

const step = fc.record<Step>({
  who: fc.constantFrom("symphony", "person"),
  file: fc.nat(3),
  from: fc.constantFrom(...FOLDERS),
  to: fc.constantFrom(...FOLDERS),
  diesAfter: fc.option(fc.nat(12), { nil: null }),
  keeps: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 })
})

const NAMES = ["A.md", "B.md", "C.md", "D.md"]

const take = (disk: MemoryDisk, { diesAfter, file, from, keeps, to, who }: Step): void => {
  const name = NAMES[file] ?? "A.md"
  const [source, target] = [`${from}/${name}`, `${to}/${name}`]
  const stat = disk.stat(`${ROOT}/${source}`)
  if (stat === null || from === to) return
  if (who === "person") {
    if (disk.stat(`${ROOT}/${target}`) === null) disk.rename(`${ROOT}/${source}`, `${ROOT}/${target}`)
    disk.sync()
    return
  }
  let left = diesAfter ?? Infinity
  const layer = MemorySafeFiles.layer(disk, {
    before: () => ((left -= 1) < 0 ? Effect.fail("io") : Effect.void)
  })
  SafeFiles.use((files) => moveFile(files, place, { from, to, fileName: name, inode: stat.inode })).pipe(
    Effect.provide(layer),
    Effect.ignore,
    Effect.runSync
  )
  let turn = 0
  if (diesAfter !== null) disk.crash(() => keeps[(turn += 1) % keeps.length] ?? false)
}

describe("moves", () => {
  it("neither lose nor double an issue, wherever the machine stops", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const disk = makeMemoryDisk()
        for (const folder of FOLDERS) disk.put(`${ROOT}/${folder}/.keep`, "")
        for (const name of NAMES) disk.put(`${ROOT}/Todo/${name}`, name)
        for (const each of steps) {
          take(disk, each)
          assert.deepStrictEqual(issuesOn(disk), NAMES)
        }
      }),
      { numRuns: 300 }
    )
  })
})

describe("what others wrote", () => {
  const line = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 })
  const text = fc.array(fc.oneof(line, fc.constantFrom("---", "id: x", "<!-- symphony:k -->", "```", "")), {
    maxLength: 8
  })
  const decode = (whole: string) =>
    decodeIssue({ where: "w", state: "Todo", fileName: "A-1.md", inode: "1", modifiedAt: 0, text: whole })

  it("never makes the decoder throw", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), text, (any, lines) => {
        for (const each of [any, lines.join("\n"), `---\n${lines.join("\n")}\n---\n${any}`]) {
          const decoded = decode(each)
          if (Result.isFailure(decoded)) assert.isNotEmpty(decoded.failure)
        }
      }),
      { numRuns: 500 }
    )
  })

  it("comes back from a new issue as it was given, and a note changes nothing but the text", () => {
    fc.assert(
      fc.property(line, text, text, (title, lines, note) => {
        const issue = {
          identifier: null,
          title,
          state: null,
          description: lines.join("\n"),
          priority: null,
          labels: lines.slice(0, 2),
          blockedBy: [],
          extra: { proposed_by: title }
        }
        if (Result.isFailure(checkNewIssue(issue, states))) return
        const rendered = renderNewIssue("A-1", issue, "2026-01-01T00:00:00.000Z")
        const { record: decoded } = Result.getOrThrow(decode(rendered))
        assert.deepInclude(decoded, { id: "A-1", title: title.replaceAll(/\s+/g, " ").trim() })
        const appended = noteToAppend(rendered, { key: "k", heading: title, text: note.join("\n") }) ?? ""
        const { record: after } = Result.getOrThrow(decode(`${rendered}${appended}`))
        assert.deepInclude(after, { id: "A-1", title: decoded.title, blockedBy: [] })
        assert.isNull(noteToAppend(`${rendered}${appended}`, { key: "k", heading: "", text: "" }))
      }),
      { numRuns: 300 }
    )
  })
})

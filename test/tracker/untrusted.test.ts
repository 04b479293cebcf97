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

const step = fc.record({
  who: fc.constantFrom("symphony", "person"),
  file: fc.nat(3),
  from: fc.constantFrom(...FOLDERS),
  to: fc.constantFrom(...FOLDERS),
  /** Steps of the disk after which the machine stops. */
  diesAfter: fc.option(fc.nat(12), { nil: null }),
  keeps: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 })
})

describe("moves", () => {
  it.effect.prop(
    "neither lose nor double an issue, wherever the machine stops",
    [fc.array(step, { maxLength: 12 })],
    ([steps]) =>
      Effect.gen(function* () {
        const disk = makeMemoryDisk()
        for (const folder of FOLDERS) disk.put(`${ROOT}/${folder}/.keep`, "")
        const names = ["A.md", "B.md", "C.md", "D.md"]
        for (const name of names) disk.put(`${ROOT}/Todo/${name}`, name)
        for (const { diesAfter, file, from, keeps, to, who } of steps) {
          const name = names[file] ?? "A.md"
          const [source, target] = [`${from}/${name}`, `${to}/${name}`]
          const stat = disk.stat(`${ROOT}/${source}`)
          if (stat === null || from === to) continue
          if (who === "person") {
            if (disk.stat(`${ROOT}/${target}`) === null) disk.rename(`${ROOT}/${source}`, `${ROOT}/${target}`)
            disk.sync()
          } else {
            let left = diesAfter ?? Infinity
            const layer = MemorySafeFiles.layer(disk, {
              before: () => ((left -= 1) < 0 ? Effect.fail("io") : Effect.void)
            })
            yield* SafeFiles.use((files) =>
              moveFile(files, place, { from: source, to: target, toFolder: to, inode: stat.inode })
            ).pipe(Effect.provide(layer), Effect.ignore)
            let turn = 0
            if (diesAfter !== null) disk.crash(() => keeps[(turn += 1) % keeps.length] ?? false)
          }
          assert.deepStrictEqual(issuesOn(disk), names)
        }
      })
  )
})

describe("what others wrote", () => {
  const line = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 })
  const text = fc.array(fc.oneof(line, fc.constantFrom("---", "id: x", "<!-- symphony:k -->", "```", "")), {
    maxLength: 8
  })

  it.prop("never makes the decoder throw", [fc.string({ unit: "binary" }), text], ([any, lines]) => {
    for (const each of [any, lines.join("\n"), `---\n${lines.join("\n")}\n---\n${any}`]) {
      const decoded = decodeIssue({ where: "w", state: "Todo", fileName: "A.md", inode: "1", text: each })
      if (Result.isFailure(decoded)) assert.isNotEmpty(decoded.failure)
    }
  })

  it.prop("comes back from a new issue as it was given", [line, text, text], ([title, lines, note]) => {
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
    const rendered = renderNewIssue(issue, "2026-01-01T00:00:00.000Z")
    const decode = (whole: string) =>
      decodeIssue({ where: "w", state: "Todo", fileName: "A-1.md", inode: "1", text: whole })
    const decoded = Result.getOrThrow(decode(rendered))
    assert.deepInclude(decoded, { id: "A-1", identifier: "A-1", title: title.replaceAll(/\s+/g, " ").trim() })
    const appended = noteToAppend(rendered, { key: "k", heading: title, text: note.join("\n") })
    assert.isNotNull(appended)
    const after = Result.getOrThrow(decode(`${rendered}${appended ?? ""}`))
    assert.deepInclude(after, { id: "A-1", title: decoded.title, blockedBy: [] })
    assert.isNull(noteToAppend(`${rendered}${appended ?? ""}`, { key: "k", heading: "", text: "" }))
  })
})

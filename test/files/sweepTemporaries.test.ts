import * as fs from "node:fs"
import * as path from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as NodeSafeFiles from "../../src/files/NodeSafeFiles.ts"
import { temporaryName } from "../../src/files/paths.ts"
import { sweepTemporaries } from "../../src/files/sweepTemporaries.ts"
import { temporaryFolder } from "../tracker/benches.ts"

it.live("what a cut off write has left is swept once it is old, and nothing else", () =>
  Effect.gen(function* () {
    const root = yield* temporaryFolder
    const outside = yield* temporaryFolder
    const put = (folder: string, name: string, hours: number) => {
      fs.mkdirSync(folder, { recursive: true })
      const file = path.join(folder, name)
      fs.writeFileSync(file, "x")
      const then = fs.statSync(file).mtimeMs / 1000 - hours * 3600
      fs.utimesSync(file, then, then)
    }
    const left = temporaryName(0.25)
    put(root, left, 2)
    put(path.join(root, "Todo"), left, 2)
    put(path.join(root, "Todo"), temporaryName(0.5), 0)
    put(path.join(root, "Todo"), "A-1.md", 2)
    put(path.join(root, "Todo"), ".symphony-note.tmp", 2)
    put(path.join(root, "Todo/deeper"), left, 2)
    put(outside, left, 2)
    fs.symlinkSync(outside, path.join(root, "link"))
    yield* sweepTemporaries({ root }, 1)
    yield* sweepTemporaries({ root: path.join(root, "nowhere") }, 1)
    assert.sameMembers(fs.readdirSync(root), ["Todo", "link"])
    assert.sameMembers(fs.readdirSync(path.join(root, "Todo")), [
      temporaryName(0.5),
      "A-1.md",
      ".symphony-note.tmp",
      "deeper"
    ])
    assert.deepEqual(fs.readdirSync(outside), [left])
    assert.deepEqual(fs.readdirSync(path.join(root, "Todo/deeper")), [left])
  }).pipe(Effect.provide(NodeSafeFiles.layer))
)

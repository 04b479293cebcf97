import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Latch, Layer, Logger, Option, PubSub, Ref, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Identifier, IssueId } from "../../src/domain/ids.ts"
import { makeMemoryDisk } from "../../src/files/MemoryDisk.ts"
import * as MemorySafeFiles from "../../src/files/MemorySafeFiles.ts"
import * as MarkdownTracker from "../../src/tracker/MarkdownTracker.ts"
import { Tracker, type TrackerSnapshot } from "../../src/tracker/Tracker.ts"
import * as MemoryWorkflow from "../../src/workflow/MemoryWorkflow.ts"
import { testWorkflow } from "../support/workflow.ts"
import { onMachine, onMemoryDisk, SPOILED, workflowAt } from "./benches.ts"
import { SafeFiles } from "../../src/files/SafeFiles.ts"
import { trackerContract } from "./Tracker.contract.ts"

trackerContract("a tracker of Markdown files", onMachine)
trackerContract("a tracker of Markdown files in memory", onMemoryDisk)

const start = (layer: Layer.Layer<Tracker, unknown>) =>
  Effect.map(Layer.build(layer), (built) => Context.get(built, Tracker))

/** Waits until the tracker shows it by itself. */
const until = (tracker: Tracker["Service"], shown: (snapshot: TrackerSnapshot) => boolean) =>
  tracker.changes.pipe(Stream.takeUntil(shown), Stream.runDrain)

const states = ({ issues }: TrackerSnapshot) =>
  issues.map(({ identifier, state }) => `${state}/${identifier}`).join()

describe("a tracker of Markdown files", () => {
  it.live("names each file that it refuses, and reads the others", () =>
    Effect.gen(function* () {
      const { layer, put, root } = yield* onMachine
      put("Todo/good.md", { title: "Good" })
      put("elsewhere.d/x.md", {})
      const at = (name: string) => path.join(root, "Todo", name)
      execFileSync("mkfifo", [at("fifo.md")])
      fs.symlinkSync("/etc/passwd", at("link.md"))
      fs.mkdirSync(at("folder.md"))
      fs.writeFileSync(at("huge.md"), "")
      fs.truncateSync(at("huge.md"), 2 ** 30)
      fs.writeFileSync(at("broken.md"), SPOILED)
      fs.writeFileSync(at("list.md"), "---\n- a\n---\n")
      fs.writeFileSync(at("empty title.md"), '---\ntitle: ""\n---\n')
      fs.writeFileSync(at("empty identifier.md"), "---\nx: 1\nidentifier: ''\n---\n")
      fs.writeFileSync(at("bidi.md"), '---\nidentifier: "a\\u202Eb"\n---\n')
      fs.writeFileSync(at("script.md"), "---js\n{}\n---\n")
      fs.writeFileSync(at("conflict.md"), "A\n<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n")
      fs.writeFileSync(at("empty.md"), "")
      fs.writeFileSync(at("new\nline.md"), "x")
      fs.symlinkSync("Todo", path.join(root, "Linked"))
      for (const ignored of [".x.md.swp", ".#x.md", "x.md~", "#x.md#", "4913", "notes.txt", ".hidden.md"]) {
        fs.writeFileSync(at(ignored), SPOILED)
      }
      const { issues, problems, unreadable } = yield* (yield* start(layer)).snapshot
      assert.deepStrictEqual(
        issues.map(({ identifier }) => identifier),
        ["good", "x"]
      )
      const named = problems.map(({ message, where }) => `${where.replace(/^[^/]*\//, "")} ${message}`)
      for (const expected of [
        /^Linked links are not followed/,
        /^Todo\/broken\.md:2:9 /,
        /^Todo\/conflict\.md:2:1 .*conflict/,
        /^Todo\/empty identifier\.md:3:1 identifier: it is empty/,
        /^Todo\/empty title\.md:2:1 title: it is empty/,
        /^Todo\/empty\.md it is empty/,
        /^Todo\/bidi\.md:2:1 identifier: .*control/,
        /^Todo\/fifo\.md it is a fifo/,
        /^Todo\/folder\.md it is a directory/,
        /^Todo\/huge\.md it is larger/,
        /^Todo\/link\.md it is a symlink/,
        /^Todo\/list\.md:2:1 front matter is not a map/,
        /^Todo\/new.*line\.md file name/,
        /^Todo\/script\.md:1:1 .*YAML/
      ]) {
        assert.isTrue(
          named.some((line) => expected.test(line)),
          `${expected} in\n${named.join("\n")}`
        )
      }
      assert.strictEqual(named.length, 14)
      assert.strictEqual(unreadable.size, 13)
    })
  )

  it.live("reads what the fields say, and takes what is unusable for nothing, with a warning", () =>
    Effect.gen(function* () {
      const { layer, root } = yield* onMachine
      fs.mkdirSync(path.join(root, "Todo"))
      const write = (name: string, text: string) => fs.writeFileSync(path.join(root, "Todo", name), text)
      write(
        "full.md",
        `---\r\nid: 42\ntitle: "  Two\n  words "\npriority: "3"\nlabels: [Bug, " UI ", bug, 7]\nblocked_by: open\nbranch_name: b\nurl: https://x\ncreated_at: 2026-01-02\nupdated_at: 2026-01-02T03:04:05+01:00\nassignee_id: me\nnative_ref: GH-1\n---\n\n Text \n`
      )
      write(
        "odd.md",
        "---\ntitle: Odd\npriority: high\nlabels: {a: b}\nblocked_by: [{x: 1}]\ncreated_at: yesterday\nurl: [a]\n---\n"
      )
      write("unterminated.md", "---\ntitle: not front matter\n")
      const { byId, problems } = yield* (yield* start(layer)).snapshot
      assert.deepStrictEqual(
        problems.map(({ message, severity, where }) => [severity, path.basename(where), message]),
        [
          ["warning", "odd.md:3:1", "priority: a whole number is expected, so it counts as none"],
          ["warning", "odd.md:4:1", "labels: only texts are expected, so some count as none"],
          ["warning", "odd.md:6:1", "created_at: a time is expected, so it counts as none"]
        ]
      )
      assert.deepInclude(byId.get(IssueId.make("42")), {
        identifier: Identifier.make("full"),
        title: "Two words",
        priority: 3,
        labels: ["bug", "ui", "7"],
        branchName: "b",
        url: "https://x",
        createdAt: "2026-01-02T00:00:00.000Z",
        updatedAt: "2026-01-02T02:04:05.000Z",
        assigneeId: "me",
        nativeRef: "GH-1",
        description: "Text"
      })
      assert.deepInclude(byId.get(IssueId.make("odd")), {
        title: "Odd",
        priority: null,
        labels: [],
        blockedBy: [{ id: null, identifier: '{"x":1}', state: null }],
        createdAt: null,
        url: null,
        description: null
      })
      assert.deepInclude(byId.get(IssueId.make("unterminated")), {
        title: "unterminated",
        description: "---\ntitle: not front matter"
      })
    })
  )

  it.live("refuses a file that names more blockers than it would wait for", () =>
    Effect.gen(function* () {
      const { layer, put } = yield* onMachine
      const blockers = (count: number) => Array.from({ length: count }, (_, n) => `B-${n}`)
      put("Todo/A.md", { blockedBy: blockers(200) })
      put("Todo/B.md", { blockedBy: blockers(201) })
      const { byId, problems } = yield* (yield* start(layer)).snapshot
      assert.deepStrictEqual([...byId.keys()], [IssueId.make("A")])
      assert.lengthOf(byId.get(IssueId.make("A"))?.blockedBy ?? [], 200)
      assert.deepInclude(problems[0], {
        severity: "error",
        message: "blocked_by: it has more than 200 entries"
      })
    })
  )

  it.effect("does not look again by itself where nothing changes: who uses it polls", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      disk.put("/issues/Todo/A.md", "")
      const workflow = MemoryWorkflow.layer(
        testWorkflow({ config: { tracker: { root: "/issues" }, polling: { intervalMs: 1_000 } } })
      )
      const tracker = yield* start(
        MarkdownTracker.layer.pipe(Layer.provide([MemorySafeFiles.layer(disk), workflow]))
      )
      yield* TestClock.adjust("1 second")
      const before = yield* tracker.lastScan
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* tracker.lastScan, before)
    })
  )

  it.live("shows changes by itself: in folders that were there, came later, were renamed or removed", () =>
    Effect.gen(function* () {
      const { layer, move, put, root } = yield* onMachine
      put("Todo/A.md", {})
      const tracker = yield* start(layer)
      put("Todo/B.md", {})
      yield* until(tracker, (now) => states(now) === "Todo/A,Todo/B")
      put("New/C.md", {})
      yield* until(tracker, (now) => states(now) === "New/C,Todo/A,Todo/B")
      put("New/D.md", {})
      yield* until(tracker, (now) => states(now) === "New/C,New/D,Todo/A,Todo/B")
      fs.renameSync(path.join(root, "New"), path.join(root, "Renamed"))
      yield* until(tracker, (now) => states(now) === "Renamed/C,Renamed/D,Todo/A,Todo/B")
      move("Renamed/C.md", "Todo/C.md")
      yield* until(tracker, (now) => states(now) === "Renamed/D,Todo/A,Todo/B,Todo/C")
      fs.rmSync(path.join(root, "Renamed"), { recursive: true })
      yield* until(tracker, (now) => states(now) === "Todo/A,Todo/B,Todo/C")
      fs.writeFileSync(path.join(root, "Todo/A.md"), "---\ntitle: in place\n---\n")
      yield* until(tracker, ({ issues }) => issues.some(({ title }) => title === "in place"))
    })
  )

  it.live("keeps what it knows while the root is away, says so, and recovers", () =>
    Effect.gen(function* () {
      const { layer, put, root } = yield* onMachine
      put("Todo/A.md", {})
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message).split(",")[0] ?? ""))
      const tracker = yield* start(layer.pipe(Layer.provide(Logger.layer([logger]))))
      fs.renameSync(root, `${root}.away`)
      yield* until(tracker, ({ problems }) => problems.some(({ where }) => where === root))
      assert.strictEqual(states(yield* tracker.snapshot), "Todo/A")
      assert.strictEqual((yield* Effect.flip(tracker.refresh))._tag, "TrackerError")
      fs.renameSync(`${root}.away`, root)
      put("Todo/B.md", {})
      yield* until(tracker, (now) => states(now) === "Todo/A,Todo/B" && now.problems.length === 0)
      yield* tracker.refresh
      assert.deepStrictEqual(
        logged.filter((line) => line.startsWith("tracker can")),
        ["tracker cannot be read", "tracker can be read again"]
      )
    })
  )

  describe("what one look misses", () => {
    /** A tracker on a disk in memory, whose changes it sees when the test says so. */
    const deafTracker = Effect.gen(function* () {
      const disk = makeMemoryDisk()
      disk.put("/issues/Todo/A.md", "An issue\n")
      disk.mkdir("/issues/Done")
      const told = yield* PubSub.unbounded<string>()
      const hearing = yield* Latch.make()
      const listing = yield* Ref.make<Effect.Effect<void>>(Effect.void)
      const files = Layer.effect(
        SafeFiles,
        Effect.map(SafeFiles, (real) =>
          SafeFiles.of({
            ...real,
            list: (place, path) =>
              path === "Todo"
                ? Effect.andThen(Effect.flatten(Ref.getAndSet(listing, Effect.void)), real.list(place, path))
                : real.list(place, path),
            watch: (_, path) =>
              path === "Todo" ? Stream.fromPubSub(told).pipe(Stream.onStart(hearing.open)) : Stream.never
          })
        )
      ).pipe(Layer.provide(MemorySafeFiles.layer(disk)))
      const tracker = yield* start(MarkdownTracker.layer.pipe(Layer.provide([files, workflowAt("/issues")])))
      yield* hearing.await
      const next = tracker.changes.pipe(Stream.drop(1), Stream.runHead, Effect.map(Option.getOrThrow))
      return {
        disk,
        tracker,
        /** Something has changed in Todo/; answers the first snapshot that differs. */
        tell: Effect.gen(function* () {
          const changed = yield* Effect.forkChild(next, { startImmediately: true })
          yield* PubSub.publish(told, "A.md")
          return yield* Fiber.join(changed)
        }),
        /** Just before Todo/ is listed the next time. */
        beforeListing: (change: () => void) => Ref.set(listing, Effect.sync(change))
      }
    })

    it.live("in a folder whose root is away is not gone", () =>
      Effect.gen(function* () {
        const { disk, tell } = yield* deafTracker
        disk.rename("/issues", "/issues.away")
        const seen = yield* tell
        assert.strictEqual(states(seen), "Todo/A")
        assert.match(seen.problems[0]?.message ?? "", /^the tracker cannot be read: /)
      })
    )

    it.live("may be in a folder whose change is not told yet", () =>
      Effect.gen(function* () {
        const { disk, tell } = yield* deafTracker
        disk.rename("/issues/Todo/A.md", "/issues/Done/A.md")
        assert.strictEqual(states(yield* tell), "Done/A")
      })
    )

    it.live("may have moved behind its back", () =>
      Effect.gen(function* () {
        const { beforeListing, disk, tracker } = yield* deafTracker
        yield* beforeListing(() => disk.rename("/issues/Todo/A.md", "/issues/Done/A.md"))
        assert.strictEqual(states(yield* tracker.refresh), "Done/A")
      })
    )

    it.live("and the next one too is gone", () =>
      Effect.gen(function* () {
        const { disk, tell } = yield* deafTracker
        disk.unlink("/issues/Todo/A.md")
        assert.strictEqual(states(yield* tell), "")
      })
    )
  })

  it.live("appends to what an editor saved just now, and loses neither", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      disk.put("/issues/Todo/A.md", "As it was\n")
      const saves = ["Saved once\n", "Saved twice\n"]
      const files = Layer.effect(
        SafeFiles,
        Effect.map(SafeFiles, (real) =>
          SafeFiles.of({
            ...real,
            read: (place, path, most) =>
              Effect.tap(real.read(place, path, most), () =>
                Effect.sync(() => {
                  const text = saves.shift()
                  if (text === undefined) return
                  disk.put("/issues/Todo/.saved", text)
                  disk.rename("/issues/Todo/.saved", "/issues/Todo/A.md")
                })
              )
          })
        )
      ).pipe(Layer.provide(MemorySafeFiles.layer(disk)))
      const tracker = yield* start(MarkdownTracker.layer.pipe(Layer.provide([files, workflowAt("/issues")])))
      yield* tracker.append(IssueId.make("A"), { key: "k", heading: "Note", text: "A note" })
      const text = Buffer.from(disk.read("/issues/Todo/A.md").bytes).toString()
      assert.match(text, /^Saved twice\n[^]*> A note\n$/)
    })
  )

  it.live("does not start without its root", () =>
    Effect.gen(function* () {
      const { layer, root } = yield* onMachine
      fs.rmdirSync(root)
      const error = yield* Effect.flip(Layer.build(layer))
      assert.strictEqual(error.message, `tracker: cannot scan ${root}: it does not exist`)
    })
  )

  it.live("reads ten thousand files once, and after a change only the one that changed", () =>
    Effect.gen(function* () {
      const { layer, root } = yield* onMachine
      for (let folder = 0; folder < 5; folder++) {
        fs.mkdirSync(path.join(root, `S${folder}`))
        for (let n = 0; n < 2_000; n++) {
          const file = path.join(root, `S${folder}`, `A-${folder * 2_000 + n}.md`)
          fs.writeFileSync(file, `---\ntitle: Number ${n}\npriority: 1\nlabels: [a, b]\n---\nSome text.\n`)
          fs.utimesSync(file, 1, 1)
        }
      }
      const tracker = yield* start(layer)
      const before = yield* tracker.snapshot
      assert.strictEqual(before.issues.length, 10_000)
      fs.writeFileSync(path.join(root, "S0/A-0.md"), "---\ntitle: Changed\n---\n")
      const after = yield* tracker.refresh
      const known = new Set(before.issues)
      assert.deepStrictEqual(
        after.issues.filter((issue) => !known.has(issue)).map(({ title }) => title),
        ["Changed"]
      )
    })
  )
})

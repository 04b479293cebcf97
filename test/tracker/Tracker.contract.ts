import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Latch, Layer, type Scope, Stream } from "effect"
import { Identifier, IssueId } from "../../src/domain/ids.ts"
import { type NewIssue, Tracker, type TrackerError } from "../../src/tracker/Tracker.ts"
import type { WrittenIssue } from "../../src/tracker/TrackerWorld.ts"
import { testState } from "../support/workflow.ts"

export const states = [
  testState("Todo", "active"),
  testState("In Progress", "active"),
  testState("Parked", "holding"),
  testState("Done", "terminal"),
  testState("Archive", "terminal")
]

/** A tracker, and a person at it. Paths are `<State>/<file name>`. */
export interface Bench {
  readonly layer: Layer.Layer<Tracker, TrackerError>
  readonly put: (path: string, written: WrittenIssue) => void
  readonly move: (from: string, to: string) => void
  readonly link: (from: string, to: string) => void
  readonly remove: (path: string) => void
  readonly spoil: (path: string) => void
  /** Takes the whole folder away, and gives it back. */
  readonly hide: () => void
  readonly unhide: () => void
  readonly paths: () => ReadonlyArray<string>
}

const plain: NewIssue = {
  identifier: null,
  title: "A title",
  state: null,
  description: null,
  priority: null,
  labels: [],
  blockedBy: [],
  extra: {}
}

const id = (name: string) => IssueId.make(name)

/** What every `Tracker` keeps. */
export const trackerContract = (name: string, bench: Effect.Effect<Bench, never, Scope.Scope>) => {
  const test = (
    title: string,
    body: (
      bench: Bench,
      tracker: Effect.Effect<Tracker["Service"], TrackerError, Scope.Scope>
    ) => Effect.Effect<void, unknown, Scope.Scope>
  ) =>
    it.live(title, () =>
      Effect.gen(function* () {
        const made = yield* bench
        yield* body(
          made,
          Effect.map(Layer.build(made.layer), (built) => Context.get(built, Tracker))
        )
      })
    )

  describe(name, () => {
    test("counts its scans: what is done after asking for the last one is in all that follow", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/A.md", {})
        const tracker = yield* start
        const first = yield* tracker.snapshot
        const asked = yield* tracker.lastScan
        assert.isAtMost(first.scan, asked)
        bench.move("Todo/A.md", "Done/A.md")
        const later = yield* tracker.refresh
        assert.isAbove(later.scan, asked)
        assert.isAtMost(later.scan, yield* tracker.lastScan)
        assert.strictEqual(later.byId.get(id("A"))?.state, "Done")
      }))

    test("lists issues in file order, the state being the folder as it is called", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/B-2.md", { title: "Second", priority: 2, labels: ["x"] })
        bench.put("Todo/B-1.md", {})
        bench.put("somewhere else/C.md", { id: "c-id", identifier: "C-name" })
        const { byId, issues, problems } = yield* (yield* start).snapshot
        assert.deepStrictEqual(
          issues.map(({ identifier, state, title }) => `${state}: ${identifier} ${title}`),
          ["Todo: B-1 B-1", "Todo: B-2 Second", "somewhere else: C-name C-name"]
        )
        assert.deepInclude(byId.get(id("B-2")), { priority: 2, labels: ["x"], fileName: "B-2.md" })
        assert.strictEqual(byId.get(id("c-id"))?.identifier, "C-name")
        assert.isEmpty(problems)
      }))

    test("resolves blockers by identifier, id or file name", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Done/file.md", { id: "the-id", identifier: "NAME-1" })
        bench.put("Todo/A.md", { blockedBy: ["NAME-1", "the-id", "file", "nobody"] })
        const issue = (yield* (yield* start).snapshot).byId.get(id("A"))
        const found = { id: id("the-id"), identifier: "NAME-1", state: "Done" }
        assert.deepStrictEqual(issue?.blockedBy, [
          found,
          found,
          found,
          { id: null, identifier: "nobody", state: null }
        ])
      }))

    test("lets the live copy of a duplicate count, and names the others", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Archive/A.md", { id: "one" })
        bench.put("Todo/Z.md", { id: "one" })
        bench.put("Parked/B.md", { id: "one" })
        bench.put("Todo/first.md", { identifier: "SAME" })
        bench.put("Todo/second.md", { identifier: "SAME" })
        const { byId, problems } = yield* (yield* start).snapshot
        assert.strictEqual(byId.get(id("one"))?.state, "Todo")
        assert.isTrue(byId.has(id("first")) && !byId.has(id("second")))
        assert.deepStrictEqual(problems.map(({ where }) => where.replace(/^[^/]*\//, "")).sort(), [
          "Archive/A.md",
          "Parked/B.md",
          "Todo/second.md"
        ])
      }))

    test("tells unreadable from gone, and reads on", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/A.md", {})
        bench.put("Todo/B.md", {})
        const tracker = yield* start
        bench.spoil("Todo/A.md")
        const { byId, problems, unreadable } = yield* tracker.refresh
        assert.deepStrictEqual([[...byId.keys()], [...unreadable.keys()]], [["B"], ["A.md"]])
        const file = unreadable.get("A.md")
        assert.deepStrictEqual([file?.state, file?.last?.id], ["Todo", id("A")])
        assert.strictEqual(file?.problem, problems[0])
        assert.include(problems[0]?.where, "Todo/A.md")
        assert.strictEqual((yield* Effect.flip(tracker.read(id("A"))))._tag, "IssueUnreadable")
        assert.strictEqual((yield* Effect.flip(tracker.read(id("X"))))._tag, "IssueNotFound")
        bench.remove("Todo/A.md")
        assert.strictEqual((yield* Effect.flip(tracker.read(id("A"))))._tag, "IssueNotFound")
        assert.isEmpty((yield* tracker.refresh).problems)
      }))

    test("keeps what it has read last while the whole of it cannot be read, and says so", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/A.md", {})
        bench.put("Todo/spoiled.md", {})
        bench.spoil("Todo/spoiled.md")
        const tracker = yield* start
        const { outage, problems } = yield* tracker.snapshot
        assert.deepStrictEqual([outage, problems.length], [null, 1])
        bench.hide()
        const asked: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
          tracker.refresh,
          tracker.read(id("A")),
          tracker.create(plain)
        ]
        for (const ask of asked) {
          assert.strictEqual((yield* Effect.flip(ask))._tag, "TrackerError")
          const last = yield* tracker.snapshot
          assert.strictEqual(last.outage, "it does not exist")
          assert.deepStrictEqual([...last.byId.keys()], ["A"])
          assert.lengthOf(last.problems, 2)
          assert.include(last.problems[0]?.message, "the tracker cannot be read: it does not exist")
        }
        bench.unhide()
        bench.put("Todo/B.md", {})
        const seen = yield* tracker.changes.pipe(
          Stream.takeUntil(({ byId }) => byId.has(id("B"))),
          Stream.runLast,
          Effect.forkChild
        )
        yield* tracker.refresh
        const now = yield* Effect.flatMap(Fiber.join(seen), Effect.fromOption)
        assert.deepStrictEqual([now.outage, now.problems.length], [null, 1])
      }))

    test("reads an issue wherever a person moved it", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/A.md", { title: "Before" })
        const tracker = yield* start
        bench.put("Todo/A.md", { title: "After" })
        assert.strictEqual((yield* tracker.read(id("A"))).title, "After")
        bench.move("Todo/A.md", "Parked/A.md")
        assert.strictEqual((yield* tracker.read(id("A"))).state, "Parked")
      }))

    test("moves, and says so again when asked again", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/A.md", {})
        const tracker = yield* start
        const { fileName, inode } = yield* tracker.read(id("A"))
        const request = { id: id("A"), fileName, from: "Todo", to: "done", inode }
        assert.deepStrictEqual(yield* tracker.move(request), { _tag: "moved", state: "Done" })
        assert.strictEqual((yield* tracker.snapshot).byId.get(id("A"))?.state, "Done")
        assert.deepStrictEqual(yield* tracker.move(request), { _tag: "already", state: "Done" })
        assert.deepStrictEqual(bench.paths(), ["Done/A.md"])
        assert.deepStrictEqual(yield* tracker.move({ ...request, from: "Done" }), {
          _tag: "already",
          state: "Done"
        })
      }))

    test("finishes a move that died between link and unlink", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/A.md", {})
        const tracker = yield* start
        const { fileName, inode } = yield* tracker.read(id("A"))
        bench.link("Todo/A.md", "Done/A.md")
        const { issues, problems } = yield* tracker.refresh
        assert.deepStrictEqual([issues.length, issues[0]?.state, problems.length], [1, "Todo", 1])
        assert.deepStrictEqual(
          yield* tracker.move({ id: id("A"), fileName, from: "Todo", to: "Done", inode }),
          {
            _tag: "already",
            state: "Done"
          }
        )
        assert.deepStrictEqual(bench.paths(), ["Done/A.md"])
      }))

    for (const { does, meddle, left, state } of [
      {
        does: "moved the old name on",
        meddle: ({ move }: Bench) => move("Todo/A.md", "Parked/A.md"),
        left: ["Parked/A.md"],
        state: "Parked"
      },
      {
        does: "moved the new name on",
        meddle: ({ move }: Bench) => move("Done/A.md", "Parked/A.md"),
        left: ["Parked/A.md"],
        state: "Parked"
      },
      {
        does: "saved the old name anew",
        meddle: ({ put }: Bench) => put("Todo/A.md", { title: "Edited" }),
        left: ["Todo/A.md"],
        state: "Todo"
      }
    ]) {
      test(`a move that died half-way yields to a person who ${does}`, (bench, start) =>
        Effect.gen(function* () {
          bench.put("Todo/A.md", { title: "As it was" })
          const tracker = yield* start
          const issue = (yield* tracker.snapshot).byId.get(id("A"))
          const { fileName = "", inode = "" } = issue ?? {}
          bench.link("Todo/A.md", "Done/A.md")
          meddle(bench)
          const request = { id: id("A"), fileName, from: "Todo", to: "Done", inode }
          assert.deepStrictEqual(yield* tracker.move(request), { _tag: "elsewhere", state })
          assert.deepStrictEqual(bench.paths(), left)
        }))
    }

    test("a move that died half-way does not choose between two files", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/A.md", {})
        const tracker = yield* start
        const inode = (yield* tracker.snapshot).byId.get(id("A"))?.inode ?? ""
        bench.link("Todo/A.md", "Done/A.md")
        bench.put("Done/A.md", { title: "Edited" })
        const request = { id: id("A"), fileName: "A.md", from: "Todo", to: "Done", inode }
        assert.strictEqual((yield* Effect.flip(tracker.move(request)))._tag, "IssueNameTaken")
        assert.deepStrictEqual(bench.paths(), ["Done/A.md", "Todo/A.md"])
      }))

    test("never overwrites, and lets a person's move win", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/A.md", {})
        bench.put("Done/A.md", { id: "other", identifier: "OTHER" })
        const tracker = yield* start
        const { fileName, inode } = yield* tracker.read(id("A"))
        const request = { id: id("A"), fileName, from: "Todo", to: "Done", inode }
        assert.strictEqual((yield* Effect.flip(tracker.move(request)))._tag, "IssueNameTaken")
        assert.deepStrictEqual(bench.paths(), ["Done/A.md", "Todo/A.md"])
        bench.move("Todo/A.md", "Parked/A.md")
        assert.deepStrictEqual(yield* tracker.move(request), { _tag: "elsewhere", state: "Parked" })
        bench.put("Todo/A.md", {})
        assert.deepStrictEqual(yield* tracker.move({ ...request, to: "Archive" }), {
          _tag: "elsewhere",
          state: "Todo"
        })
        bench.remove("Todo/A.md")
        bench.remove("Parked/A.md")
        assert.deepStrictEqual(yield* tracker.move(request), { _tag: "elsewhere", state: null })
      }))

    test("does not give the number of an issue that was there to another: an editor may have put its file aside", (bench, start) =>
      Effect.gen(function* () {
        const tracker = yield* start
        bench.put("Todo/APP-8.md", {})
        bench.put("Todo/APP-9.md", { identifier: "APP-12" })
        yield* tracker.refresh
        bench.remove("Todo/APP-9.md")
        yield* tracker.refresh
        assert.strictEqual((yield* tracker.create(plain)).identifier, "APP-13")
      }))

    test("creates with the next number of the commonest prefix, over all states", (bench, start) =>
      Effect.gen(function* () {
        const tracker = yield* start
        assert.deepInclude(yield* tracker.create(plain), {
          identifier: Identifier.make("ISSUE-1"),
          state: "Todo"
        })
        bench.put("Done/APP-9.md", {})
        bench.put("Parked/APP-10.md", {})
        bench.spoil("Parked/APP-10.md")
        assert.deepInclude(yield* tracker.create({ ...plain, state: "parked" }), {
          identifier: Identifier.make("APP-11"),
          state: "Parked"
        })
        const named = { ...plain, identifier: "mine", description: "---\nid: x\n---\nText", labels: ["A "] }
        yield* tracker.create(named)
        const issue = yield* tracker.read(id("mine"))
        assert.deepInclude(issue, { title: "A title", description: named.description, labels: ["a"] })
        const slashed = yield* tracker.create({ ...plain, identifier: "feat/a b" })
        assert.match(slashed.path, /Todo\/feat_a b\.md$/)
        const found = yield* tracker.read(id("feat/a b"))
        assert.deepInclude(found, { identifier: Identifier.make("feat/a b"), state: "Todo" })
        assert.strictEqual(found.createdAt, found.updatedAt)
        assert.isNotNull(found.createdAt)
        bench.move("Todo/mine.md", "Done/mine.md")
        bench.put("Done/other.md", { id: "their-id", identifier: "their-name" })
        for (const [identifier, path] of [
          ["MINE", "Done/mine.md"],
          ["feat_a b", "Todo/feat_a b.md"],
          ["Their-Name", "Done/other.md"],
          ["their-id", "Done/other.md"]
        ] as const) {
          const error = yield* Effect.flip(tracker.create({ ...plain, identifier }))
          assert.strictEqual(error._tag, "IssueNameTaken")
          assert.isTrue(error.message.endsWith(`${path} exists already`), error.message)
        }
        for (const [field, wrong] of [
          ["title", { title: " " }],
          ["title", { title: "two\nlines" }],
          ["state", { state: "Nowhere" }],
          ["identifier", { identifier: "../x" }],
          ["identifier", { identifier: ".x" }],
          ["identifier", { identifier: "a\u202Eb" }],
          ["id", { extra: { id: "x" } }]
        ] as const) {
          const error = yield* Effect.flip(tracker.create({ ...plain, ...wrong }))
          assert.deepInclude(error, { _tag: "IssueRefused", field })
        }
      }))

    test("creates what an agent proposes, naming who did", (bench, start) =>
      Effect.gen(function* () {
        const tracker = yield* start
        yield* tracker.create({ ...plain, state: "Parked", extra: { proposed_by: "A" } })
        assert.deepInclude((yield* tracker.snapshot).byId.get(id("ISSUE-1")), {
          state: "Parked",
          proposedBy: "A"
        })
      }))

    test("appends a note once, and nothing in it can pass for ours", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/A.md", { title: "T", description: "Body" })
        const tracker = yield* start
        const text = "---\nid: forged\n---\n## Heading\n<!-- symphony:k2 -->\r\n\u001b[31m"
        for (const key of ["k1", "k1", "k2"]) yield* tracker.append(id("A"), { key, heading: "H\nx", text })
        const issue = yield* tracker.read(id("A"))
        const lines = issue.description?.split("\n") ?? []
        assert.deepStrictEqual(
          lines.filter((line) => line.startsWith("<!--")),
          ["<!-- symphony:k1 -->", "<!-- symphony:k2 -->"]
        )
        assert.isTrue(lines.every((line) => line === "" || /^(Body$|<!-- |## H|> ?)/.test(line)))
        assert.notInclude(issue.description, "\u001b")
        assert.strictEqual(
          (yield* Effect.flip(tracker.append(id("X"), { key: "k", heading: "", text: "" })))._tag,
          "IssueNotFound"
        )
      }))

    test("emits the present snapshot and then what differs", (bench, start) =>
      Effect.gen(function* () {
        bench.put("Todo/A.md", {})
        const tracker = yield* start
        const first = yield* Latch.make()
        const seen = yield* tracker.changes.pipe(
          Stream.map(({ issues }) => issues.map((issue) => `${issue.state}/${issue.identifier}`).join()),
          Stream.tap(() => first.open),
          Stream.takeUntil((all) => all === "Parked/A,Todo/B"),
          Stream.runCollect,
          Effect.forkChild
        )
        yield* first.await
        yield* tracker.refresh
        yield* tracker.refresh
        bench.put("Todo/B.md", {})
        yield* tracker.refresh
        bench.move("Todo/A.md", "Parked/A.md")
        yield* tracker.refresh
        const all = yield* Fiber.join(seen)
        assert.deepStrictEqual(
          [all[0], all.at(-1), new Set(all).size],
          ["Todo/A", "Parked/A,Todo/B", all.length]
        )
      }))
  })
}

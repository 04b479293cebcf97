import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, type Layer, Queue, type Scope, Stream } from "effect"
import { type FileError, type Place, SafeFiles } from "../../src/files/SafeFiles.ts"

/** A fresh folder to work in, and a person who can do what `SafeFiles` would refuse. */
export interface Bench {
  readonly place: Place
  readonly layer: Layer.Layer<SafeFiles>
  readonly put: (path: string, content: string) => void
  /** `target` is relative to the place. */
  readonly symlink: (path: string, target: string) => void
  readonly fifo: (path: string) => void
  readonly removeFolder: (path: string) => void
}

const reason = <A>(effect: Effect.Effect<A, FileError>) =>
  Effect.match(effect, { onFailure: (error) => error.reason, onSuccess: () => "success" as const })

/** What every `SafeFiles` keeps. */
export const safeFilesContract = (name: string, bench: Effect.Effect<Bench, never, Scope.Scope>) => {
  const test = (
    title: string,
    body: (files: SafeFiles["Service"], bench: Bench) => Effect.Effect<void, FileError, Scope.Scope>
  ) =>
    it.live(title, () =>
      Effect.gen(function* () {
        const made = yield* bench
        yield* Effect.gen(function* () {
          yield* body(yield* SafeFiles, made)
        }).pipe(Effect.provide(made.layer))
      })
    )

  describe(name, () => {
    test("reads what it wrote and replaces it whole", (files, { place }) =>
      Effect.gen(function* () {
        yield* files.writeAtomic(place, "a/b/file.txt", "one, long")
        yield* files.writeAtomic(place, "a/b/file.txt", "two")
        const { text, stat } = yield* files.readText(place, "a/b/file.txt", 100)
        assert.strictEqual(text, "two")
        assert.deepInclude(stat, { kind: "file", size: 3 })
        assert.deepStrictEqual(yield* files.stat(place, "a/b/file.txt"), stat)
        assert.deepStrictEqual(
          (yield* files.list(place, "a/b")).map((entry) => entry.name),
          ["file.txt"]
        )
      }))

    test("replaces the file that is meant, and no other", (files, { place, put }) =>
      Effect.gen(function* () {
        put("file", "one")
        const replaces = (yield* files.stat(place, "file")) ?? assert.fail("it is not there")
        put("file", "saved")
        assert.strictEqual(yield* reason(files.writeAtomic(place, "file", "two", { replaces })), "changed")
        assert.strictEqual((yield* files.readText(place, "file", 100)).text, "saved")
        yield* files.unlink(place, "file")
        assert.strictEqual(yield* reason(files.writeAtomic(place, "file", "two", { replaces })), "changed")
        assert.isEmpty(yield* files.list(place, ""))
        put("file", "three")
        const now = (yield* files.stat(place, "file")) ?? assert.fail("it is not there")
        yield* files.writeAtomic(place, "file", "four", { replaces: now })
        assert.strictEqual((yield* files.readText(place, "file", 100)).text, "four")
      }))

    test("lists in byte order with kinds", (files, { place, put, symlink, fifo }) =>
      Effect.gen(function* () {
        for (const path of ["d/b", "d/B", "d/é", "d/a/x"]) put(path, "")
        symlink("d/link", "d/b")
        fifo("d/pipe")
        assert.deepStrictEqual(
          (yield* files.list(place, "d")).map(({ name, kind }) => `${name} ${kind}`),
          ["B file", "a directory", "b file", "link symlink", "pipe fifo", "é file"]
        )
      }))

    test("tells nothing there from a failure", (files, { place, put }) =>
      Effect.gen(function* () {
        put("file", "")
        assert.isNull(yield* files.stat(place, "no/where"))
        assert.strictEqual(yield* reason(files.stat(place, "file/below")), "kind")
        assert.strictEqual(yield* reason(files.read(place, "nothing", 1)), "missing")
        assert.strictEqual(yield* reason(files.list(place, "nothing")), "missing")
        yield* files.unlink(place, "no/where")
        yield* files.removeTree(place, "no/where")
      }))

    test("reads in pieces what it reads as a whole, and as much", (files, { place, put, symlink, fifo }) =>
      Effect.gen(function* () {
        const text = "0123456789".repeat(300_000)
        put("long", text)
        put("empty", "")
        symlink("link", "long")
        fifo("pipe")
        const all = (path: string, limit: number) =>
          Stream.runFold(
            files.stream(place, path, limit),
            () => "",
            (sum, bytes) => sum + Buffer.from(bytes).toString("latin1")
          )
        assert.isTrue((yield* all("long", text.length)) === text)
        assert.strictEqual(yield* all("empty", 0), "")
        assert.strictEqual(yield* reason(all("long", text.length - 1)), "too_large")
        assert.strictEqual(yield* reason(all("link", text.length)), "link")
        assert.strictEqual(yield* reason(all("pipe", text.length)), "kind")
        assert.strictEqual(yield* reason(all("nothing", text.length)), "missing")
      }))

    test("tells where a link points, and follows it nowhere", (files, { place, put, symlink }) =>
      Effect.gen(function* () {
        put("d/file", "")
        symlink("link", "d/file")
        assert.match(yield* files.readLink(place, "link"), /d\/file$/)
        assert.strictEqual(yield* reason(files.readLink(place, "d/file")), "kind")
        assert.strictEqual(yield* reason(files.readLink(place, "nothing")), "missing")
      }))

    test("stays within its root", (files, { place }) =>
      Effect.gen(function* () {
        for (const path of ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/.", "a\0b"]) {
          assert.strictEqual(yield* reason(files.read(place, path, 10)), "outside", path)
          assert.strictEqual(yield* reason(files.writeAtomic(place, path, "")), "outside", path)
          assert.strictEqual(yield* reason(files.link(place, path, "b")), "outside", path)
        }
      }))

    test("follows no link at any component", (files, { place, put, symlink }) =>
      Effect.gen(function* () {
        put("real/secret", "s")
        symlink("door", "real")
        symlink("name", "real/secret")
        symlink("nowhere", "missing")
        assert.strictEqual((yield* files.stat(place, "name"))?.kind, "symlink")
        const all: Record<string, Effect.Effect<unknown, FileError>> = {
          stat: files.stat(place, "door/secret"),
          list: files.list(place, "door"),
          read: files.read(place, "door/secret", 10),
          readLast: files.read(place, "name", 10),
          write: files.writeAtomic(place, "door/new", ""),
          writeLast: files.writeAtomic(place, "name", ""),
          writeNowhere: files.writeAtomic(place, "nowhere", ""),
          create: files.createExclusive(place, "door/new", ""),
          linkFrom: files.link(place, "door/secret", "copy"),
          linkTo: files.link(place, "real/secret", "door/copy"),
          linkOfLink: files.link(place, "name", "copy"),
          unlink: files.unlink(place, "door/secret"),
          remove: files.removeTree(place, "door/secret"),
          mkdir: files.makeDirectory(place, "door/folder"),
          append: Effect.scoped(files.openAppend(place, "door/log")),
          appendLast: Effect.scoped(files.openAppend(place, "name")),
          watch: Stream.runDrain(files.watch(place, "door"))
        }
        for (const [title, effect] of Object.entries(all)) {
          assert.strictEqual(yield* reason(effect), "link", title)
        }
        assert.deepStrictEqual(
          (yield* files.list(place, "real")).map((entry) => entry.name),
          ["secret"]
        )
        yield* files.removeTree(place, "door")
        yield* files.unlink(place, "name")
        assert.strictEqual((yield* files.readText(place, "real/secret", 10)).text, "s")
      }))

    test("refuses what is not a regular file, without waiting for it", (files, { place, put, fifo }) =>
      Effect.gen(function* () {
        fifo("pipe")
        put("folder/x", "")
        for (const path of ["pipe", "folder"]) {
          assert.strictEqual(yield* reason(files.read(place, path, 10)), "kind")
          assert.strictEqual(yield* reason(files.writeAtomic(place, path, "")), "kind")
          assert.strictEqual(yield* reason(Effect.scoped(files.openAppend(place, path))), "kind")
          assert.strictEqual(yield* reason(files.link(place, path, "copy")), "kind")
        }
        assert.strictEqual(yield* reason(files.unlink(place, "folder")), "kind")
        assert.strictEqual(yield* reason(files.read(place, "", 10)), "kind")
      }))

    test("reads no more than the cap", (files, { place, put }) =>
      Effect.gen(function* () {
        put("file", "12345")
        assert.strictEqual((yield* files.read(place, "file", 5)).length, 5)
        assert.strictEqual(yield* reason(files.read(place, "file", 4)), "too_large")
      }))

    test("creates and links only where the name is free", (files, { place }) =>
      Effect.gen(function* () {
        yield* files.createExclusive(place, "a/one", "1")
        assert.strictEqual(yield* reason(files.createExclusive(place, "a/one", "2")), "exists")
        yield* files.createExclusive(place, "b/other", "3")
        assert.strictEqual(yield* reason(files.link(place, "a/one", "b/other")), "exists")
        yield* files.link(place, "a/one", "b/one")
        assert.strictEqual(
          (yield* files.stat(place, "a/one"))?.inode,
          (yield* files.stat(place, "b/one"))?.inode
        )
        yield* files.unlink(place, "a/one")
        assert.strictEqual((yield* files.readText(place, "b/one", 9)).text, "1")
        assert.deepStrictEqual(
          (yield* files.list(place, "a")).map((entry) => entry.name),
          []
        )
      }))

    test("removes a tree", (files, { place, put, symlink }) =>
      Effect.gen(function* () {
        put("keep/file", "")
        for (const path of ["t/a", "t/b/c/d/e", "t/b/.rm-1", "t/.rm-1/x"]) put(path, "")
        symlink("t/b/link", "keep")
        yield* files.removeTree(place, "t")
        assert.isNull(yield* files.stat(place, "t"))
        assert.isNotNull(yield* files.stat(place, "keep/file"))
      }))

    test("makes folders, again and again", (files, { place }) =>
      Effect.gen(function* () {
        yield* files.makeDirectory(place, "x/y")
        yield* files.makeDirectory(place, "x/y")
        yield* files.writeAtomic(place, "file", "")
        assert.strictEqual(yield* reason(files.makeDirectory(place, "file")), "kind")
        assert.strictEqual((yield* files.stat(place, "x/y"))?.kind, "directory")
        assert.strictEqual((yield* files.stat(place, ""))?.kind, "directory")
      }))

    test("syncs a folder, one that is not there, and none behind a link", (files, { place, put, symlink }) =>
      Effect.gen(function* () {
        put("a/file", "")
        symlink("b", "a")
        yield* files.syncFolder(place, "")
        yield* files.syncFolder(place, "a")
        yield* files.syncFolder(place, "missing")
        assert.strictEqual(yield* reason(files.syncFolder(place, "b")), "link")
        assert.strictEqual(yield* reason(files.syncFolder(place, "a/file")), "kind")
      }))

    test("appends, tells the size, cuts", (files, { place }) =>
      Effect.gen(function* () {
        const utf8 = new TextEncoder()
        const first = yield* files.openAppend(place, "logs/journal")
        yield* first.append(utf8.encode("one\n"))
        yield* first.sync
        const second = yield* files.openAppend(place, "logs/journal")
        yield* second.append(utf8.encode("two\nthr"))
        assert.strictEqual(yield* second.size, 11)
        yield* second.truncate(8)
        yield* second.append(utf8.encode("end"))
        assert.strictEqual((yield* files.readText(place, "logs/journal", 99)).text, "one\ntwo\nend")
      }))

    test("tells what changed in a folder, and when the folder is gone", (files, bench) =>
      Effect.gen(function* () {
        const { place } = bench
        yield* files.makeDirectory(place, "w")
        const names = yield* Queue.unbounded<string>()
        const ready = yield* Deferred.make<void>()
        const fiber = yield* files.watch(place, "w").pipe(
          Stream.runForEach((name) =>
            name === "" ? Deferred.succeed(ready, undefined) : Queue.offer(names, name)
          ),
          Effect.forkChild
        )
        const seen = (wanted: string): Effect.Effect<void> =>
          Effect.flatMap(Queue.take(names), (name) => (name === wanted ? Effect.void : seen(wanted)))
        yield* Deferred.await(ready)
        yield* files.writeAtomic(place, "w/a", "1")
        yield* seen("a")
        yield* files.writeAtomic(place, "w/b", "1")
        yield* seen("b")
        yield* files.unlink(place, "w/b")
        yield* seen("b")
        bench.removeFolder("w")
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(Exit.isFailure(exit))
      }))
  })
}

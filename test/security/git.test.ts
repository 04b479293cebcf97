import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { deflateSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Exported, HandoffError } from "../../src/handoff/Handoff.ts"
import { Handoff } from "../../src/handoff/Handoff.ts"
import { handoff, world, type World } from "../handoff/environment.ts"
import { cleanClone, commit, git, makeSource, treeOf, writeFiles } from "../support/repository.ts"

/**
 * Cases 1 to 10: what an agent can write into its repository to run something on the host, to read or write
 * outside of its workspace, or to hand over something else than what a reviewer sees.
 */

/** Made by any payload that runs. */
const canary = ({ root }: World): string => path.join(root, "canary")
const payload = (here: World): string => `touch ${canary(here)} #`

const secret = "the-operator's-secret"

type Outcome = { readonly exported: Exported } | { readonly refused: HandoffError }

/** Everything that symphony does with a workspace, in its order, and that nothing of it ran the payload. */
const handOff = (prepare: (here: World) => void) =>
  Effect.gen(function* () {
    const here = yield* world({ "README.md": "# A project\n", "lib/a.txt": "a\n" })
    fs.writeFileSync(path.join(here.root, "secret.txt"), secret)
    prepare(here)
    const service = yield* Handoff
    yield* service.verify(here.request).pipe(Effect.ignore)
    const seen = yield* Effect.result(service.preview(here.request, null))
    const outcome = yield* service.exportRun(here.request).pipe(
      Effect.map((exported): Outcome => ({ exported })),
      Effect.catchTag("HandoffError", (refused) => Effect.succeed<Outcome>({ refused }))
    )
    assert.isFalse(fs.existsSync(canary(here)), "the payload ran on the host")
    // Whoever looks before anything is handed over is shown no more than what could be.
    assert.deepStrictEqual(
      seen._tag === "Failure" ? [seen.failure.reason, seen.failure.code] : [],
      "refused" in outcome ? [outcome.refused.reason, outcome.refused.code] : []
    )
    return { ...here, outcome }
  })

const exportedOf = (outcome: Outcome): Exported => {
  if ("refused" in outcome) return assert.fail(`refused: ${outcome.refused.message}`)
  return outcome.exported
}

const refusalOf = (outcome: Outcome): string =>
  "refused" in outcome ? `${outcome.refused.reason}/${outcome.refused.code}` : "not refused"

const config = (workspace: string, text: string): void =>
  fs.appendFileSync(path.join(workspace, ".git/config"), text)

/** Commits as git writes them, whatever porcelain would refuse. */
const commitTree = (workspace: string, entries: string, message = "Add\n"): void => {
  const tree = git(workspace, ["mktree", "--missing"], { input: entries }).trim()
  const head = git(workspace, ["commit-tree", "-p", "HEAD", "-F", "-", tree], { input: message }).trim()
  git(workspace, ["update-ref", "HEAD", head])
}

const blob = (workspace: string, content: string): string =>
  git(workspace, ["hash-object", "-w", "--stdin"], { input: content }).trim()

/** A pack of two objects: 16 MiB of nothing, and a delta that repeats it 64 times. */
const deltaBomb = (): Uint8Array => {
  const size = 0xffffff
  const times = 64
  const base = Buffer.alloc(size)
  const digits = (value: number, first: number): Buffer => {
    const bytes: Array<number> = []
    let rest = value
    for (let bits = first; ; bits = 7) {
      const low = rest % 2 ** bits
      rest = Math.floor(rest / 2 ** bits)
      bytes.push(low | (rest > 0 ? 0x80 : 0))
      if (rest === 0) return Buffer.from(bytes)
    }
  }
  const header = (type: number, length: number): Buffer => {
    const bytes = digits(length, 4)
    bytes[0] = (bytes[0] ?? 0) | (type << 4)
    return bytes
  }
  const copyAll = Buffer.from([0x80 | 0x10 | 0x20 | 0x40, 0xff, 0xff, 0xff])
  const delta = Buffer.concat([
    digits(size, 7),
    digits(size * times, 7),
    ...Array.from({ length: times }, () => copyAll)
  ])
  const sha1 = (...parts: ReadonlyArray<string | Uint8Array>): Buffer => {
    const hash = createHash("sha1")
    for (const part of parts) hash.update(part)
    return hash.digest()
  }
  const pack = Buffer.concat([
    Buffer.from("PACK"),
    Buffer.from([0, 0, 0, 2, 0, 0, 0, 2]),
    header(3, size),
    deflateSync(base),
    header(7, delta.length),
    sha1(`blob ${size}\0`, base),
    deflateSync(delta)
  ])
  return Buffer.concat([pack, sha1(pack)])
}

/** Takes one blob of the last commit away, so that git would look for it elsewhere. */
const loseBlob = ({ workspace }: World): void => {
  commit(workspace, "Add\n", { "missing.txt": "to be fetched\n" })
  const id = git(workspace, ["rev-parse", "HEAD:missing.txt"]).trim()
  fs.rmSync(path.join(workspace, ".git/objects", id.slice(0, 2), id.slice(2)))
}

const promisor = (here: World, remote: string): void => {
  loseBlob(here)
  config(
    here.workspace,
    `[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = evil\n[remote "evil"]\n\tpromisor = true\n\tpartialclonefilter = blob:none\n${remote}`
  )
}

/** The trap is a real one: git in the workspace, as other tools run it, springs it. */
const springs = (here: World, args: ReadonlyArray<string>): void => {
  assert.throws(() => {
    git(here.workspace, args)
    if (fs.existsSync(canary(here))) throw new Error("sprung")
  })
  assert.isTrue(fs.existsSync(canary(here)), "the fixture is harmless and proves nothing")
}

const bytesOf = (exported: Exported): string =>
  [exported.patch, exported.bundle, exported.report]
    .map((file) => (file === null ? "" : fs.readFileSync(file, "latin1")))
    .join("\n")

describe("host git", () => {
  it.live("1. a promisor remote over ext:: and a missing blob: refused, nothing runs", () =>
    Effect.gen(function* () {
      const { outcome, ...here } = yield* handOff((here) =>
        promisor(here, `\turl = ext::touch ${canary(here)}\n[protocol "ext"]\n\tallow = always\n`)
      )
      assert.strictEqual(refusalOf(outcome), "hostile/fsck")
      springs(here, ["log", "-p", "-1"])
    }).pipe(Effect.provide(handoff))
  )

  it.live("2. the same over ssh, http and uploadpack commands: refused, nothing runs", () =>
    Effect.gen(function* () {
      const remotes: ReadonlyArray<(here: World) => string> = [
        (here) => `\turl = ssh://127.0.0.1:1/x\n[core]\n\tsshCommand = ${payload(here)}\n`,
        (here) =>
          `\turl = http://127.0.0.1:1/x\n[credential]\n\thelper = "!${payload(here)}"\n[http]\n\tproxy = http://127.0.0.1:1\n`,
        (here) => `\turl = ${here.source}\n\tuploadpack = ${payload(here)}\n`
      ]
      for (const remote of remotes) {
        const { outcome } = yield* handOff((here) => promisor(here, remote(here)))
        assert.strictEqual(refusalOf(outcome), "hostile/fsck")
      }
    }).pipe(Effect.provide(handoff))
  )

  it.live(
    "3. fsmonitor, hooks, drivers, filters, signers, pagers: nothing runs, the work is handed off",
    () =>
      Effect.gen(function* () {
        const { outcome } = yield* handOff((here) => {
          const { workspace } = here
          const run = payload(here)
          commit(workspace, "Add\n", { "a.txt": "a\n", ".gitattributes": "* filter=x diff=x merge=x\n" })
          writeFiles(workspace, { "a.txt": "changed\n", "untracked.txt": "new\n" })
          config(
            workspace,
            `[core]\n\tfsmonitor = ${run}\n\tpager = ${run}\n\teditor = ${run}\n\thooksPath = ${workspace}/.git/hooks\n` +
              `[diff]\n\texternal = ${run}\n[diff "x"]\n\tcommand = ${run}\n\ttextconv = ${run}\n` +
              `[filter "x"]\n\tclean = ${run}\n\tsmudge = ${run}\n\tprocess = ${run}\n\trequired = true\n` +
              `[merge "x"]\n\tdriver = ${run}\n[gpg]\n\tprogram = ${run}\n[commit]\n\tgpgSign = true\n` +
              `[alias]\n\tam = !${run}\n[include]\n\tpath = ${here.root}/more\n[uploadpack]\n\tpackObjectsHook = ${run}\n`
          )
          for (const hook of [
            "post-checkout",
            "pre-commit",
            "applypatch-msg",
            "reference-transaction",
            "post-index-change"
          ]) {
            writeFiles(workspace, { [`.git/hooks/${hook}`]: `#!/bin/sh\n${run}\n` })
            fs.chmodSync(path.join(workspace, ".git/hooks", hook), 0o755)
          }
        })
        assert.include(
          exportedOf(outcome).flags.map(({ kind }) => kind),
          "uncommitted"
        )
      }).pipe(Effect.provide(handoff))
  )

  it.live(
    "3b. a nested repository with a configuration of its own: nothing runs, nothing of it is taken",
    () =>
      Effect.gen(function* () {
        const { outcome } = yield* handOff((here) => {
          const nested = makeSource(path.join(here.workspace, "nested"))
          config(nested, `[core]\n\tfsmonitor = ${payload(here)}\n`)
          commit(here.workspace, "Add\n", { "a.txt": "a\n" })
        })
        assert.strictEqual(refusalOf(outcome), "unverified/path")
      }).pipe(Effect.provide(handoff))
  )

  it.live("4. .git that is a file or a link to another repository: refused, the other untouched", () =>
    Effect.gen(function* () {
      for (const kind of ["file", "link"] as const) {
        const { outcome, root } = yield* handOff(({ root, workspace, branch }) => {
          const other = makeSource(path.join(root, "other"))
          git(other, ["checkout", "-q", "-b", branch])
          commit(other, "Private\n", { "private.txt": secret })
          fs.rmSync(path.join(workspace, ".git"), { recursive: true })
          writeFiles(workspace, {
            ".git": kind === "file" ? `gitdir: ${other}/.git\n` : { link: path.join(other, ".git") }
          })
        })
        assert.strictEqual(refusalOf(outcome), "hostile/git_not_a_folder")
        assert.strictEqual(git(path.join(root, "other"), ["status", "--porcelain"]), "")
      }
    }).pipe(Effect.provide(handoff))
  )

  it.live(
    "5. configuration that names host paths: no host byte in what is handed over, nothing written",
    () =>
      Effect.gen(function* () {
        const { outcome, root } = yield* handOff((here) => {
          const { workspace, root } = here
          commit(workspace, "Add\n", { "a.txt": "a\n" })
          const own = path.join(root, "secret.txt")
          config(
            workspace,
            `[core]\n\tworktree = ${root}\n\tattributesFile = ${own}\n\texcludesFile = ${own}\n` +
              `[format]\n\tsignatureFile = ${own}\n\toutputDirectory = ${root}/out\n\theaders = "X: y\\n"\n` +
              `[commit]\n\ttemplate = ${own}\n[mailmap]\n\tfile = ${own}\n[include]\n\tpath = ${own}\n` +
              `[diff]\n\torderFile = ${own}\n[trace2]\n\teventTarget = ${root}/out\n`
          )
        })
        assert.notInclude(bytesOf(exportedOf(outcome)), secret)
        assert.isFalse(fs.existsSync(path.join(root, "out")))
      }).pipe(Effect.provide(handoff))
  )

  it.live("6. replaced refs and grafts do not count; objects from elsewhere are refused", () =>
    Effect.gen(function* () {
      const replaced = yield* handOff(({ workspace }) => {
        const real = commit(workspace, "Real\n", { "a.txt": "real\n" })
        git(workspace, ["checkout", "-q", "--detach", "HEAD~1"])
        const fake = commit(workspace, "Harmless\n", { "a.txt": "harmless\n" })
        git(workspace, ["checkout", "-q", "agent/DEMO-1"])
        git(workspace, ["replace", real, fake])
      })
      assert.include(fs.readFileSync(exportedOf(replaced.outcome).patch ?? "", "utf8"), "+real")

      const borrowed = yield* handOff(({ root, workspace }) => {
        const other = makeSource(path.join(root, "other"))
        const id = blob(other, secret)
        writeFiles(workspace, { ".git/objects/info/alternates": `${other}/.git/objects\n` })
        commitTree(workspace, `100644 blob ${id}\tstolen.txt\n`)
      })
      assert.strictEqual(refusalOf(borrowed.outcome), "hostile/fsck")

      for (const what of ["object", "folder", "ref", "refs"] as const) {
        const linked = yield* handOff(({ root, workspace, branch }) => {
          const id = commit(workspace, "Add\n", { "a.txt": "a\n" })
          const name = {
            object: `.git/objects/${id.slice(0, 2)}/${id.slice(2)}`,
            folder: `.git/objects/${id.slice(0, 2)}`,
            ref: `.git/refs/heads/${branch}`,
            refs: ".git/refs"
          }[what]
          const moved = path.join(root, "moved")
          fs.renameSync(path.join(workspace, name), moved)
          fs.symlinkSync(moved, path.join(workspace, name))
        })
        assert.match(refusalOf(linked.outcome), /^hostile\/(link|object_link)$/)
      }
    }).pipe(Effect.provide(handoff))
  )

  it.live("7. trees that reach into .git or out of the tree, and links that leave it: refused", () =>
    Effect.gen(function* () {
      const trees: ReadonlyArray<readonly [string, (workspace: string) => string]> = [
        ["hostile/fsck", (workspace) => `100644 blob ${blob(workspace, "x")}\t.git\n`],
        ["hostile/fsck", (workspace) => `100644 blob ${blob(workspace, "x")}\t.GIT\n`],
        ["hostile/fsck", (workspace) => `100644 blob ${blob(workspace, "x")}\tgit~1\n`],
        ["hostile/fsck", (workspace) => `100644 blob ${blob(workspace, "x")}\t..\n`],
        ["unverified/symlink", (workspace) => `120000 blob ${blob(workspace, "/etc/passwd")}\tlink\n`],
        ["unverified/symlink", (workspace) => `120000 blob ${blob(workspace, "a/../../x")}\tlink\n`],
        ["unverified/path", () => `160000 commit ${"1".repeat(40)}\tmodule\n`],
        ["unverified/path", (workspace) => `100644 blob ${blob(workspace, "x")}\t"a\\033[2Jb"\n`],
        [
          "hostile/fsck",
          (workspace) =>
            `100644 blob ${blob(workspace, '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n')}\t.gitmodules\n`
        ]
      ]
      for (const [refusal, entries] of trees) {
        const { outcome } = yield* handOff(({ workspace }) => commitTree(workspace, entries(workspace)))
        assert.strictEqual(refusalOf(outcome), refusal)
      }
      const { outcome } = yield* handOff(({ workspace }) => {
        commit(workspace, "Link\n", { "docs/readme": { link: "../README.md" } })
      })
      assert.deepEqual(exportedOf(outcome).flags, [
        { kind: "symlink", detail: "docs/readme -> ../README.md" }
      ])
    }).pipe(Effect.provide(handoff))
  )

  it.live("7b. links that leave the tree only together, one behind the other: refused", () =>
    Effect.gen(function* () {
      const { outcome, workspace } = yield* handOff(({ root, workspace }) => {
        const up = path.relative(workspace, root)
        const through = "d/".repeat(up.split("/").length)
        commit(workspace, "Link\n", { d: { link: "." }, e: { link: `${through}${up}/secret.txt` } })
      })
      assert.strictEqual(
        fs.readFileSync(path.join(workspace, "e"), "utf8"),
        secret,
        "the fixture is harmless"
      )
      assert.strictEqual(refusalOf(outcome), "unverified/symlink")
    }).pipe(Effect.provide(handoff))
  )

  it.live("7c. some kilobytes that unfold to gigabytes, of deltas or of nested trees: refused", () =>
    Effect.gen(function* () {
      const deltas = yield* handOff(({ workspace }) => {
        commit(workspace, "Add\n", { "a.txt": "a\n" })
        writeFiles(workspace, { [`.git/objects/pack/pack-${"a".repeat(40)}.pack`]: deltaBomb() })
      })
      assert.strictEqual(refusalOf(deltas.outcome), "hostile/memory")
      const nest = (workspace: string): string => {
        const file = `100644 blob ${blob(workspace, "x")}`
        const tree = (line: string) =>
          git(workspace, ["mktree"], {
            input: Array.from({ length: 10 }, (_, index) => `${line}\t${index}\n`).join("")
          }).trim()
        let top = tree(file)
        for (let depth = 0; depth < 7; depth += 1) top = tree(`040000 tree ${top}`)
        return top
      }
      const trees = yield* handOff(({ workspace }) =>
        commitTree(workspace, `040000 tree ${nest(workspace)}\tbomb\n`)
      )
      assert.strictEqual(refusalOf(trees.outcome), "unverified/too_many_files")
    }).pipe(Effect.provide(handoff))
  )

  it.live("7d. more links than a reviewer reads: one line for all, so that no other is buried", () =>
    Effect.gen(function* () {
      const links = Array.from(
        { length: 300 },
        (_, index) => [`links/${index}`, { link: "../README.md" }] as const
      )
      const { outcome } = yield* handOff(({ workspace }) => {
        commit(workspace, "Link\n", { ...Object.fromEntries(links), "package.json": "{}\n" })
      })
      assert.deepEqual(
        exportedOf(outcome).flags.map(({ kind }) => kind),
        ["protected", "symlink"]
      )
      assert.include(exportedOf(outcome).flags[1]?.detail, "and 280 more")
    }).pipe(Effect.provide(handoff))
  )

  const diff =
    "diff --git a/.github/workflows/x.yml b/.github/workflows/x.yml\nnew file mode 100644\n" +
    "index 0000000..ce01362\n--- /dev/null\n+++ b/.github/workflows/x.yml\n@@ -0,0 +1 @@\n+hello\n"
  const messages = [
    `Add\n\n${diff}`,
    `Add\n\n---\n${diff}`,
    "Add\n\nFrom: Root <root@example.test>\n",
    "From: Root <root@example.test>\n\nAdd\n",
    `Add\n\nFrom ${"0".repeat(40)} Mon Sep 17 00:00:00 2001\nSubject: x\n\n${diff}`,
    "Add\n\n\u001b[2J\u001b]52;c;x\u0007\n",
    "../../x\n\n\u202Etxt\n"
  ]
  for (const message of messages)
    it.live(
      "8. a message that smuggles a diff, a sender, a mail or control characters: rewritten, and noted",
      () =>
        Effect.gen(function* () {
          const here = yield* handOff(({ workspace }) => {
            commit(workspace, message, { "a.txt": "a\n" })
          })
          const exported = exportedOf(here.outcome)
          assert.deepEqual(
            exported.flags.map(({ kind }) => kind),
            ["message_rewritten"]
          )
          const clone = cleanClone(here.source, path.join(here.root, "clone"))
          git(clone, ["am", "-q", exported.patch ?? ""])
          assert.strictEqual(treeOf(clone), treeOf(here.workspace))
          assert.strictEqual(git(clone, ["log", "-1", "--format=%an"]), "Ada\n")
          assert.notMatch(git(clone, ["log", "-1", "--format=%B"]), /[^\n\P{C}]/u)
        }).pipe(Effect.provide(handoff))
    )

  it.live("8b. a committer of control characters, as an author of them: refused", () =>
    Effect.gen(function* () {
      for (const who of ["AUTHOR", "COMMITTER"] as const) {
        const { outcome } = yield* handOff(({ workspace }) => {
          writeFiles(workspace, { "a.txt": "a\n" })
          git(workspace, ["add", "-A"])
          git(workspace, ["commit", "-q", "-m", "Add"], {
            env: { [`GIT_${who}_NAME`]: "Eve \u001b[2J\u202Exyz" }
          })
        })
        assert.strictEqual(refusalOf(outcome), `unverified/${who.toLowerCase()}`)
      }
    }).pipe(Effect.provide(handoff))
  )

  it.live("9. branch names with shell or option syntax: refused, nothing runs", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const service = yield* Handoff
      for (const branch of [
        "--upload-pack=touch x",
        "-x",
        "a;touch x",
        "a$(touch x)",
        "a@{1}",
        "a\nb",
        "../../x",
        "a..b",
        "a b",
        "refs/heads/*",
        "a.lock",
        ""
      ]) {
        const error = yield* Effect.flip(service.exportRun({ ...here.request, branch }))
        assert.strictEqual(error.code, "branch_name", branch)
      }
      const ref = yield* handOff(({ workspace, branch }) => {
        commit(workspace, "Add\n", { "a.txt": "a\n" })
        fs.writeFileSync(path.join(workspace, ".git/refs/heads", branch), "--output=/tmp/x\n")
      })
      assert.strictEqual(refusalOf(ref.outcome), "hostile/ref")
    }).pipe(Effect.provide(handoff))
  )

  it.live("10. files that run by themselves on a reviewer's machine: flagged on top, nothing runs", () =>
    Effect.gen(function* () {
      const planted = [
        ".husky/pre-commit",
        ".claude/settings.json",
        ".codex/hooks.json",
        ".vscode/tasks.json",
        ".envrc",
        "package.json",
        ".github/workflows/ci.yml",
        "sub/.npmrc",
        "package-lock.json"
      ]
      const { outcome } = yield* handOff((here) => {
        commit(here.workspace, "Plant\n", Object.fromEntries(planted.map((name) => [name, payload(here)])))
      })
      const flags = exportedOf(outcome).flags
      assert.isTrue(flags.every(({ kind }) => kind === "protected"))
      for (const name of planted)
        assert.isTrue(
          flags.some(({ detail }) => detail.includes(name)),
          name
        )
      const report = fs.readFileSync(exportedOf(outcome).report, "utf8")
      assert.isBelow(report.indexOf(".envrc"), report.indexOf("## Summary"))
    }).pipe(Effect.provide(handoff))
  )
})

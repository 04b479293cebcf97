import * as fs from "node:fs"
import * as path from "node:path"
import { git, type Author } from "../support/repository.ts"
import type { World } from "./environment.ts"

/** A bare repository in the role of the remote, and a `gh` that keeps its pull requests in files. */
export interface StandInForge {
  readonly remote: string
  readonly env: Readonly<Record<string, string>>
  /** Pull requests that were opened. */
  readonly opened: () => ReadonlyArray<string>
  readonly calls: () => ReadonlyArray<string>
  /** No branch of an agent and no pull request, as before. */
  readonly forget: () => void
  readonly body: () => string
  /** Somebody has a pull request from a branch of the same name in a fork. */
  readonly openFromFork: () => void
  /** Somebody merges what is open. */
  readonly merge: () => void
  /** `before`: the call does nothing and fails; `after`: it does its work and then fails. Null: mended. */
  readonly fail: (call: "list" | "create" | "edit" | "auth", when: "before" | "after" | null) => void
}

const script = (folder: string, remote: string): string => `#!/bin/sh
cd '${folder}' || exit 9
printf '%s\\n' "$*" >> calls
if [ "$1" = auth ]; then call=auth; else call=$2; fi
if [ "$(cat "fail-$call" 2>/dev/null)" = before ]; then echo "gh: $call is down" >&2; exit 1; fi
case $call in
  list)
    printf '['
    if [ -s foreign ]; then cat foreign; fi
    if [ -s foreign ] && [ -s opened ]; then printf ','; fi
    if [ -s opened ]; then
      printf '{"number":7,"url":"https://forge.test/pull/7","state":"%s","headRefOid":"%s","isCrossRepository":false}' "$(cat state)" "$(cat head)"
    fi
    printf ']' ;;
  create)
    cat > body; echo "$*" >> opened; printf OPEN > state
    git -C '${remote}' rev-parse "refs/heads/$6" | tr -d "\\n" > head; echo https://forge.test/pull/7 ;;
  edit) cat > body ;;
esac
if [ "$(cat "fail-$call" 2>/dev/null)" = after ]; then echo "gh: connection lost" >&2; exit 1; fi
`

const linesOf = (file: string): ReadonlyArray<string> =>
  fs.existsSync(file)
    ? fs
        .readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : []

export const makeForge = ({ root, source }: World): StandInForge => {
  const folder = path.join(root, "forge")
  const remote = path.join(root, "remote.git")
  fs.mkdirSync(folder)
  git(root, ["clone", "-q", "--bare", source, remote])
  fs.writeFileSync(path.join(folder, "gh"), script(folder, remote), { mode: 0o755 })
  return {
    remote,
    env: { SYMPHONY_REPO: remote, PATH: `${folder}:${process.env["PATH"] ?? ""}` },
    opened: () => linesOf(path.join(folder, "opened")),
    calls: () => linesOf(path.join(folder, "calls")),
    forget: () => {
      fs.rmSync(path.join(folder, "opened"), { force: true })
      git(remote, ["for-each-ref", "--format=%(refname)", "refs/heads/agent/"])
        .split("\n")
        .filter((ref) => ref !== "")
        .forEach((ref) => git(remote, ["update-ref", "-d", ref]))
    },
    openFromFork: () =>
      fs.writeFileSync(
        path.join(folder, "foreign"),
        '{"number":6,"url":"https://forge.test/pull/6","state":"OPEN","headRefOid":"0","isCrossRepository":true}'
      ),
    merge: () => fs.writeFileSync(path.join(folder, "state"), "MERGED"),
    body: () => fs.readFileSync(path.join(folder, "body"), "utf8"),
    fail: (call, when) => fs.writeFileSync(path.join(folder, `fail-${call}`), when ?? "")
  }
}

/** Somebody else pushes a commit to a branch of the remote. */
export const pushAsSomebody = (here: World, remote: string, branch: string, author: Author): string => {
  const clone = path.join(here.root, "somebody")
  fs.rmSync(clone, { recursive: true, force: true })
  git(here.root, ["clone", "-q", remote, clone])
  git(clone, ["checkout", "-q", branch])
  const env = { GIT_AUTHOR_NAME: author.name, GIT_COMMITTER_NAME: author.name }
  git(clone, ["commit", "-q", "--allow-empty", "-m", "Mine"], { env })
  git(clone, ["push", "-q", "origin", branch])
  return git(clone, ["rev-parse", "HEAD"]).trim()
}

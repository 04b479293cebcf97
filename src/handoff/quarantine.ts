import { dirname } from "node:path"
import { Context, Effect, FileSystem, Layer, type Scope, Semaphore, Stream } from "effect"
import type { RunId } from "../domain/ids.ts"
import { SafeFiles } from "../files/SafeFiles.ts"
import type { Places } from "../workflow/Operator.ts"
import { ProcessTable } from "../processes/ProcessTable.ts"
import {
  type AgentRepository,
  isBranchName,
  type ObjectFile,
  readAgentRepository
} from "./agentRepository.ts"
import { fileBroke, gitBroke, hostile, ranOutOfMemory, sourceFailure, unverified } from "./failures.ts"
import type { CommandError } from "./command.ts"
import { Git } from "./Git.ts"
import type { HandoffError } from "./Handoff.ts"

/** Over what the operator's repository has: `git gc` packs its objects again, with the new ones. */
const LARGEST_IMPORT = 1024 * 1024 * 1024
const MOST_OBJECT_FILES = 200_000

/** The bare repository that belongs to the host alone. */
export interface Quarantine {
  /** Absolute; the git dir. */
  readonly gitDir: string
  /** Absolute; where the operator's repository keeps its objects. */
  readonly sourceObjects: string
  /** Tip of the base branch, fetched just now; also `refs/base/<branch>`. */
  readonly base: string
}

/** What came out of a workspace, checked, in a repository that is gone with its scope. */
export interface Incoming {
  readonly gitDir: string
  /** The agent's last commit. */
  readonly head: string
  /** Work of the agent's repository that is not in the history of `head`, in words. */
  readonly elsewhere: ReadonlyArray<string>
}

export const runRef = (run: RunId): string => `refs/runs/${run}`
/** What is handed over: the run's commits, or their copies where a message had to be rewritten. */
export const deliveredRef = (run: RunId): string => `refs/delivered/${run}`
/** A blob: what was left uncommitted, as a patch. */
export const restRef = (run: RunId): string => `refs/rest/${run}`
/** The agent's branch in a repository that it passes through. */
const WORK = "refs/heads/work"
/** Folders that are gone with the work that made them are named after its process. */
export const passingPrefix = (what: "incoming" | "proof"): string => `${what}-${process.pid}-`

const makerOf = (name: string): number | null => {
  const pid = /^(?:incoming|proof)-(\d+)-/.exec(name)?.[1]
  return pid === undefined ? null : Number(pid)
}

export const baseRef = (branch: string): string => `refs/base/${branch}`

const missingObjects =
  (agent: AgentRepository) =>
  (error: CommandError): HandoffError => {
    if (error.reason === "timeout") return hostile("timeout", "the agent's objects cannot be read in time")
    if (error.reason === "spawn") return gitBroke("importing the agent's commits")(error)
    if (ranOutOfMemory(error)) {
      return hostile("memory", "the agent's objects unfold to more memory than there is for them")
    }
    const elsewhere =
      agent.incomplete.length === 0
        ? null
        : `the repository has ${agent.incomplete.join(", ")}, and only its own objects are taken`
    return hostile("fsck", `the agent's commits are refused: ${error.detail}`, elsewhere)
  }

/**
 * Takes commits out of workspaces into a bare repository of the host, one a tracker, under
 * `<state.root>/quarantine`. Git never opens the agent's repository: its object files are copied beside a
 * configuration of ours, and what is new is checked with `fsck --strict` on its way in.
 */
export class Quarantines extends Context.Service<
  Quarantines,
  {
    /** Makes the repository when it is not there, and fetches the base branch from the operator's one. */
    readonly open: (places: Places, baseBranch: string) => Effect.Effect<Quarantine, HandoffError>
    /** Takes the branch out of a workspace and checks its objects. Leaves nothing in the quarantine. */
    readonly receive: (
      quarantine: Quarantine,
      workspace: string,
      branch: string
    ) => Effect.Effect<Incoming, HandoffError, Scope.Scope>
    /** Makes what came `refs/runs/<run>` of the quarantine. Repeating it is harmless. */
    readonly keep: (
      quarantine: Quarantine,
      run: RunId,
      incoming: Incoming
    ) => Effect.Effect<void, HandoffError>
    /** The commit or blob of a ref, null when there is none. */
    readonly lookUp: (gitDir: string, ref: string) => Effect.Effect<string | null, HandoffError>
  }
>()("symphony/handoff/Quarantines") {
  static readonly layer = Layer.effect(
    Quarantines,
    Effect.gen(function* () {
      const git = yield* Git
      const fs = yield* FileSystem.FileSystem
      const files = yield* SafeFiles
      const table = yield* ProcessTable
      // Two fetches of one base branch would contend for its ref.
      const one = yield* Semaphore.make(1)
      // Each takes memory and disk while it lasts.
      const oneImport = yield* Semaphore.make(1)
      const swept = new Set<string>()

      /** A name with our own pid that is there before us is an earlier process's; pid 1 cannot be asked about. */
      const isAtWork = (pid: number) =>
        pid === process.pid ? Effect.succeed(false) : pid === 1 ? Effect.succeed(true) : table.exists(pid)

      /** What a process that was killed has left behind; other processes may be at work beside us. */
      const sweep = Effect.fnUntraced(function* (folder: string) {
        if (swept.has(folder)) return
        swept.add(folder)
        for (const name of yield* fs.readDirectory(folder).pipe(Effect.mapError(fileBroke))) {
          const maker = makerOf(name)
          if (maker === null || (yield* isAtWork(maker))) continue
          yield* files.removeTree({ root: folder }, name).pipe(Effect.mapError(fileBroke))
        }
      })

      const initBare = Effect.fnUntraced(function* (parent: string, gitDir: string) {
        yield* git
          .run(
            ["init", "-q", "--bare", "--template=", "--object-format=sha1", "--initial-branch=main", gitDir],
            {
              cwd: parent
            }
          )
          .pipe(Effect.mapError(gitBroke("making the quarantine repository")))
      })

      const sourceGitDir = Effect.fnUntraced(function* (source: string) {
        const hint = "set SYMPHONY_SOURCE_REPO to the repository that agents work on"
        if (!(yield* fs.exists(source).pipe(Effect.mapError(fileBroke)))) {
          return yield* sourceFailure("no_source", `${source} does not exist`, hint)
        }
        return yield* git
          .text(["rev-parse", "--path-format=absolute", "--git-common-dir"], { cwd: source })
          .pipe(
            Effect.mapError((error) =>
              error.reason === "exit"
                ? sourceFailure("no_source", `${source} is not in a git repository`, hint)
                : gitBroke("looking at the source repository")(error)
            )
          )
      })

      const lookUp = Effect.fn("Quarantines.lookUp")(function* (gitDir: string, ref: string) {
        const found = yield* git
          .text(["for-each-ref", "--format=%(objectname)", "--count=1", ref], { cwd: gitDir })
          .pipe(Effect.mapError(gitBroke(`looking up ${ref}`)))
        return found === "" ? null : found
      })

      const open = Effect.fn("Quarantines.open")(function* (places: Places, baseBranch: string) {
        if (!isBranchName(baseBranch)) {
          return yield* sourceFailure("base_name", `SYMPHONY_BASE_BRANCH is not a branch name: ${baseBranch}`)
        }
        const source = yield* sourceGitDir(places.source)
        const gitDir = places.quarantine
        const parent = dirname(gitDir)
        yield* fs.makeDirectory(parent, { recursive: true, mode: 0o700 }).pipe(Effect.mapError(fileBroke))
        yield* sweep(parent)
        if (!(yield* fs.exists(`${gitDir}/HEAD`).pipe(Effect.mapError(fileBroke)))) {
          yield* initBare(parent, gitDir)
        }
        yield* git
          .run(
            [
              "fetch",
              "-q",
              "--no-tags",
              "--no-write-fetch-head",
              "--end-of-options",
              source,
              `+refs/heads/${baseBranch}:${baseRef(baseBranch)}`
            ],
            { cwd: gitDir, trusted: true }
          )
          .pipe(
            Effect.mapError((error) =>
              error.reason === "exit"
                ? sourceFailure(
                    "no_base",
                    `base branch ${baseBranch} cannot be fetched from ${places.source}: ${error.detail}`,
                    "make the branch, or set SYMPHONY_BASE_BRANCH"
                  )
                : gitBroke("fetching the base branch")(error)
            )
          )
        const base = yield* lookUp(gitDir, baseRef(baseBranch))
        if (base === null) return yield* sourceFailure("no_base", `there is no branch ${baseBranch}`)
        return { gitDir, sourceObjects: `${source}/objects`, base } satisfies Quarantine
      }, one.withPermits(1))

      /** Those that neither the operator's repository nor the quarantine has under the same name. */
      const unknownTo = Effect.fnUntraced(function* (
        quarantine: Quarantine,
        objects: ReadonlyArray<ObjectFile>
      ) {
        if (objects.length > MOST_OBJECT_FILES) {
          return yield* hostile("too_many", `the agent's repository has ${objects.length} object files`)
        }
        const known = [quarantine.sourceObjects, `${quarantine.gitDir}/objects`]
        const fresh = yield* Effect.filter(
          objects,
          (object) =>
            Effect.map(
              Effect.forEach(known, (folder) => fs.exists(`${folder}/${object.name}`)),
              (answers) => !answers.includes(true)
            ).pipe(Effect.mapError(fileBroke)),
          { concurrency: 16 }
        )
        const total = fresh.reduce((sum, { size }) => sum + size, 0)
        if (total > LARGEST_IMPORT && total > LARGEST_IMPORT + (yield* sizeOf(quarantine))) {
          return yield* unverified(
            "too_large",
            `the repository has ${Math.ceil(total / 1024 / 1024)} MiB of objects that the base branch has not`,
            "drop what no commit needs (git reflog expire --expire=now --all && git gc --prune=now), or commit less"
          )
        }
        return fresh
      })

      /** Bytes of objects in the operator's repository. */
      const sizeOf = Effect.fnUntraced(function* ({ sourceObjects }: Quarantine) {
        const counts = yield* git
          .text(["count-objects", "-v"], { cwd: sourceObjects.replace(/\/objects$/, ""), trusted: true })
          .pipe(Effect.mapError(gitBroke("measuring the source repository")))
        const kibibytes = [...counts.matchAll(/^size(?:-pack)?: (\d+)$/gm)].map(([, count]) => Number(count))
        return 1024 * kibibytes.reduce((sum, count) => sum + count, 0)
      })

      const copy = Effect.fnUntraced(
        function* (workspace: string, raw: string, object: ObjectFile) {
          const target = `${raw}/objects/${object.name}`
          yield* fs.makeDirectory(target.slice(0, target.lastIndexOf("/")), { recursive: true })
          yield* Stream.run(
            files.stream({ root: workspace }, `.git/objects/${object.name}`, object.size),
            fs.sink(target)
          )
          return target
        },
        Effect.catchTags({
          FileError: (error) =>
            error.reason === "missing" || error.reason === "too_large"
              ? Effect.fail(hostile("changing", "the agent's repository changes while it is read"))
              : Effect.fail(hostile(error.reason, `an object of the agent's repository: ${error.detail}`)),
          PlatformError: (error) => Effect.fail(fileBroke(error))
        })
      )

      /** A bare repository that has the objects of the quarantine and of the operator at hand. */
      const initBorrowing = Effect.fnUntraced(function* (
        quarantine: Quarantine,
        folder: string,
        name: string
      ) {
        const gitDir = `${folder}/${name}`
        yield* initBare(folder, gitDir)
        yield* fs
          .makeDirectory(`${gitDir}/objects/info`, { recursive: true })
          .pipe(
            Effect.andThen(
              fs.writeFileString(
                `${gitDir}/objects/info/alternates`,
                `${quarantine.gitDir}/objects\n${quarantine.sourceObjects}\n`
              )
            ),
            Effect.mapError(fileBroke)
          )
        return gitDir
      })

      const fetchWork = (from: string, gitDir: string, ref: string, isChecked: boolean) =>
        git.run(
          [
            "-c",
            `fetch.fsckObjects=${isChecked}`,
            "fetch",
            "-q",
            "--no-tags",
            "--no-write-fetch-head",
            "--end-of-options",
            from,
            `+${WORK}:${ref}`
          ],
          { cwd: gitDir }
        )

      /** What the repository has beside the branch. It was not checked: only its history is walked. */
      const findElsewhere = Effect.fnUntraced(function* (raw: string, base: string, agent: AgentRepository) {
        const found: Array<string> = []
        for (const { name, commit } of agent.others) {
          if (commit === agent.head || commit === base) continue
          const count = yield* git
            .text(["rev-list", "--count", commit, "--not", agent.head, base, "--"], { cwd: raw })
            .pipe(Effect.catch(() => Effect.succeed("unreadable")))
          if (count === "0") continue
          found.push(
            count === "1"
              ? `${name} has 1 commit that is not handed over`
              : `${name} has ${count} commits that are not handed over`
          )
        }
        return found
      })

      const receive = Effect.fn("Quarantines.receive")(function* (
        quarantine: Quarantine,
        workspace: string,
        branch: string
      ) {
        const agent = yield* readAgentRepository(files, workspace, branch)
        const folder = yield* fs
          .makeTempDirectoryScoped({
            directory: `${quarantine.gitDir}/..`,
            prefix: passingPrefix("incoming")
          })
          .pipe(Effect.mapError(fileBroke))
        const refuse = missingObjects(agent)
        const raw = yield* initBorrowing(quarantine, folder, "raw.git")
        const gitDir = yield* initBorrowing(quarantine, folder, "checked.git")
        const objects = yield* unknownTo(quarantine, agent.objects)
        for (const object of objects) {
          const target = yield* copy(workspace, raw, object)
          // Indexes of packs are made anew: the agent's could point anywhere.
          if (target.endsWith(".pack")) {
            yield* git.run(["index-pack", target], { cwd: raw }).pipe(Effect.mapError(refuse))
          }
        }
        yield* git.run(["update-ref", WORK, agent.head], { cwd: raw }).pipe(Effect.mapError(refuse))
        // Known there, so that nothing of the operator's own history is sent and checked again.
        yield* git
          .run(["update-ref", "refs/heads/base", quarantine.base], { cwd: gitDir })
          .pipe(Effect.mapError(gitBroke("preparing an import")))
        yield* fetchWork(raw, gitDir, WORK, true).pipe(Effect.mapError(refuse))
        const elsewhere = yield* findElsewhere(raw, quarantine.base, agent)
        return { gitDir, head: agent.head, elsewhere } satisfies Incoming
      }, oneImport.withPermits(1))

      const keep = Effect.fn("Quarantines.keep")(function* (
        quarantine: Quarantine,
        run: RunId,
        { gitDir }: Incoming
      ) {
        yield* fetchWork(gitDir, quarantine.gitDir, runRef(run), false).pipe(
          Effect.mapError(gitBroke("keeping the agent's commits"))
        )
      })

      return Quarantines.of({ open, receive, keep, lookUp })
    })
  ).pipe(Layer.provide(ProcessTable.layer))
}

import { Effect, FileSystem, type PlatformError, Schema } from "effect"
import { type FileError, SafeFiles } from "../files/SafeFiles.ts"
import { inWords } from "./failures.ts"

/** `state.root` is part of a repository that would take what lies there. */
export class StateRootExposed extends Schema.TaggedError<StateRootExposed>()("StateRootExposed", {
  stateRoot: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.what} - ${this.todo}`
  }

  get what(): string {
    return `state.root ${this.stateRoot} ${this.detail}: the operator's token and agents' credentials could be committed there`
  }

  get todo(): string {
    return "name a folder that is symphony's own"
  }
}

/** `state.root` cannot be made, read or written to. */
export class StateRootUnusable extends Schema.TaggedError<StateRootUnusable>()("StateRootUnusable", {
  stateRoot: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.what} - ${this.todo}`
  }

  get what(): string {
    return `state.root ${this.stateRoot} cannot be used: ${this.detail}`
  }

  get todo(): string {
    return "let this account make it and write to it, or name another folder as state.root"
  }
}

const refuse = (stateRoot: string) => (error: FileError | PlatformError.PlatformError) =>
  Effect.fail(
    new StateRootUnusable({ stateRoot, detail: error._tag === "FileError" ? error.detail : inWords(error) })
  )

const IGNORE_FILE = ".gitignore"
const LARGEST_IGNORE_FILE = 1024 * 1024
const EVERYTHING = "*"
const OURS = `# Symphony's own: a token, credentials of running agents, unreviewed work. Nothing of it is to be committed.\n${EVERYTHING}\n`

const ignoresEverything = (rules: string): boolean =>
  rules.split("\n").some((line) => line.trim() === EVERYTHING)

/** Fails when what symphony keeps there could get into a repository. Changes nothing. */
export const checkStateRoot = Effect.fn("stateRoot.check")(
  function* (stateRoot: string) {
    const files = yield* SafeFiles
    const fs = yield* FileSystem.FileSystem
    if (!(yield* fs.exists(stateRoot))) return
    const place = { root: stateRoot }
    if ((yield* files.stat(place, ".git")) !== null)
      return yield* new StateRootExposed({ stateRoot, detail: "is a repository" })
    if ((yield* files.stat(place, IGNORE_FILE)) === null) return
    const { text } = yield* files.readText(place, IGNORE_FILE, LARGEST_IGNORE_FILE)
    if (!ignoresEverything(text))
      return yield* new StateRootExposed({
        stateRoot,
        detail: `has a ${IGNORE_FILE} without a line "${EVERYTHING}"`
      })
  },
  (effect, stateRoot) =>
    Effect.catchTags(effect, { FileError: refuse(stateRoot), PlatformError: refuse(stateRoot) })
)

/**
 * Makes the folder, for its owner alone, and has git ignore all of it, the rule included: by default it lies in
 * the operator's repository, where `git add -A` must not find a secret.
 */
export const openStateRoot = Effect.fn("stateRoot.open")(
  function* (stateRoot: string) {
    const files = yield* SafeFiles
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory(stateRoot, { recursive: true, mode: 0o700 })
    yield* checkStateRoot(stateRoot)
    yield* files.createExclusive({ root: stateRoot }, IGNORE_FILE, OURS).pipe(
      Effect.catchIf(
        (error) => error.reason === "exists",
        () => Effect.void
      )
    )
  },
  (effect, stateRoot) =>
    Effect.catchTags(effect, { FileError: refuse(stateRoot), PlatformError: refuse(stateRoot) })
)

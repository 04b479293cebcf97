import { Effect, FileSystem, Path, Schema } from "effect"
import { Git } from "../../handoff/Git.ts"
import { inWords } from "../failures.ts"
import { demoFiles, demoIssueFile, demoIssues, demoWorkflow } from "./project.ts"

/** The folder is there already: the demo never writes into something it did not make. */
export class DemoFolderTaken extends Schema.TaggedError<DemoFolderTaken>()("DemoFolderTaken", {
  folder: Schema.String
}) {
  override get message(): string {
    return `${this.folder} exists already; name a folder that does not, or remove it`
  }
}

/** The folder cannot be made there. */
export class DemoFolderRefused extends Schema.TaggedError<DemoFolderRefused>()("DemoFolderRefused", {
  folder: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.folder} cannot be made: ${this.detail}; name a folder with --dir, in one that you may write to`
  }
}

const identity = {
  GIT_AUTHOR_NAME: "symphony demo",
  GIT_AUTHOR_EMAIL: "demo@localhost"
}

/** Makes the sample repository with its tracker and workflow; answers the workflow's path. */
export const makeProject = Effect.fn("demo.makeProject")(function* (
  folder: string,
  options: { readonly sandbox: string }
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const git = yield* Git
  const write = (name: string, text: string) =>
    fs
      .makeDirectory(path.dirname(path.join(folder, name)), { recursive: true })
      .pipe(Effect.andThen(fs.writeFileString(path.join(folder, name), text)))

  const make = fs
    .makeDirectory(folder)
    .pipe(
      Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.fail(new DemoFolderTaken({ folder })))
    )
  yield* fs.makeDirectory(path.dirname(folder), { recursive: true }).pipe(
    Effect.andThen(make),
    Effect.catchTag("PlatformError", (error) =>
      Effect.fail(new DemoFolderRefused({ folder, detail: inWords(error) }))
    )
  )
  for (const [name, text] of Object.entries(demoFiles)) yield* write(name, text)
  yield* git.run(["init", "--quiet", "--initial-branch=main", "."], { cwd: folder })
  yield* git.run(["add", "--all"], { cwd: folder })
  yield* git.run(["commit", "--quiet", "--message=Start with four failing tests"], {
    cwd: folder,
    env: identity
  })
  for (const issue of demoIssues) {
    yield* write(`issues/Todo/${issue.identifier}.md`, demoIssueFile(issue))
  }
  for (const state of ["In Progress", "Parked", "Done"]) yield* write(`issues/${state}/.gitkeep`, "")
  yield* write("WORKFLOW.md", demoWorkflow(options))
  return path.join(folder, "WORKFLOW.md")
})

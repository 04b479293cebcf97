import { Effect, FileSystem, Path, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { Git } from "../../handoff/Git.ts"

const LIMIT = "1 minute"

/** Whether `node --test` passes for one test file of a folder. */
const passes = Effect.fnUntraced(function* (folder: string, test: string) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const handle = yield* spawner.spawn(
    ChildProcess.make(process.execPath, ["--test", test], {
      cwd: folder,
      env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      stdin: "ignore",
      forceKillAfter: "2 seconds"
    })
  )
  yield* Stream.runDrain(handle.all).pipe(Effect.ignore, Effect.forkScoped)
  return (yield* handle.exitCode) === 0
}, Effect.scoped)

/**
 * Applies a patch with `git am` to a clean clone of the project and runs the test before and after:
 * `red → green` is what a good patch of the demo does.
 */
export const redToGreen = Effect.fn("demo.redToGreen")(
  function* (project: string, patch: string, test: string) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const git = yield* Git
    const folder = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "symphony-demo-check-" }), "clone")
    yield* git.run(["clone", "--quiet", "--no-hardlinks", "--template=", project, folder], {
      cwd: path.dirname(folder)
    })
    const before = yield* passes(folder, test)
    yield* git.run(["am", "--quiet", "--keep-cr", patch], { cwd: folder })
    const after = yield* passes(folder, test)
    return { before, after }
  },
  Effect.scoped,
  Effect.timeout(LIMIT)
)

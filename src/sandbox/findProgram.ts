import { Effect, type FileSystem, Path, Result } from "effect"

const EXECUTABLE = 0o111

/** Where a program's name leads, as a shell with this PATH looks for it; null when it is not there. */
export const findProgram = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  searchPath: string,
  name: string
) {
  const path = yield* Path.Path
  const folders = name.includes("/") ? [""] : searchPath.split(":").filter((it) => path.isAbsolute(it))
  for (const folder of folders) {
    const at = path.join(folder, name)
    const found = yield* Effect.result(Effect.all([fs.realPath(at), fs.stat(at)]))
    if (Result.isFailure(found)) continue
    const [real, { mode, type }] = found.success
    if (type === "File" && (mode & EXECUTABLE) !== 0) return { at, real }
  }
  return null
})

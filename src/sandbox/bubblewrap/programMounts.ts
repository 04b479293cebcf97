import { Effect, type FileSystem, Option, Stream } from "effect"
import { findProgram } from "../findProgram.ts"
import { isWithin, type Mount } from "./mounts.ts"
import { nodeMounts, SYSTEM } from "./systemMounts.ts"

/** A package with what it depends on lies below the first of these: everything of that is shown. */
const PACKAGES = /^.*?\/(node_modules|\.pnpm)(?=\/)/

/** `#!/usr/bin/env node`, `#!/usr/bin/env -S node --x`, `#!/opt/node`. */
const INTERPRETER = /^#!\s*(?:\S*\/env\s+(?:-S\s+)?)?(\S+)/

/** Enough for the first line of a script. */
const HEAD_BYTES = 256

const isSystem = (path: string): boolean => SYSTEM.some((folder) => isWithin(path, folder))

/**
 * Shows a program that the guest is to find on PATH where it is not part of the system: below a HOME or an npm
 * prefix. Its name on PATH, the packages it is made of, and its interpreter; nothing when it is not there.
 */
export const programMounts = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  searchPath: string,
  program: string
) {
  const firstLine = (file: string) =>
    fs.stream(file, { bytesToRead: HEAD_BYTES }).pipe(
      Stream.decodeText,
      Stream.mkString,
      Effect.orElseSucceed(() => "")
    )

  const show = ({ at, real }: { readonly at: string; readonly real: string }): ReadonlyArray<Mount> => {
    const packages = PACKAGES.exec(real)?.[0] ?? real
    return [
      ...(isSystem(real) ? [] : [{ _tag: "ReadOnly", source: packages, at: packages } as const]),
      // The name on PATH stays a link, or the program would look for its parts beside the link.
      ...(isSystem(at) || isWithin(at, packages) ? [] : [{ _tag: "Link", target: real, at } as const])
    ]
  }

  const found = yield* findProgram(fs, searchPath, program)
  if (found === null) return []
  const name = Option.fromNullishOr(INTERPRETER.exec(yield* firstLine(found.real))?.[1])
  const interpreter = Option.isNone(name) ? null : yield* findProgram(fs, searchPath, name.value)
  return [
    ...show(found),
    ...(interpreter === null ? [] : [...show(interpreter), ...(yield* nodeMounts(fs, interpreter.real))])
  ]
})

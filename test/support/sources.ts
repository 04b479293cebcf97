import { readdirSync, readFileSync } from "node:fs"
import { posix } from "node:path"
import { fileURLToPath } from "node:url"

/** One file of `src/`, as far as the rules of the architecture care. */
export interface Source {
  /** Relative to `src/`. */
  readonly path: string
  /** The folder below `src/`; empty for `main.ts`. */
  readonly folder: string
  /** Without comments. */
  readonly code: string
  /** Without comments and without what stands in quotes. */
  readonly words: string
  /** Paths of our own files it imports, relative to `src/`; types count too. */
  readonly ours: ReadonlyArray<string>
  /** Other modules it imports, as written. */
  readonly modules: ReadonlyArray<string>
}

const COMMENT_OR_STRING =
  /(?<comment>\/\*[\s\S]*?\*\/|(?<=^|[\s;,{(])\/\/[^\n]*)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g
/** A text may hold a whole program, with imports that are not ours. */
const TEMPLATE = /`(?:\\.|[^`\\])*`/g
const IMPORT = /^[ \t]*(?:import|export)\b[^"]*?\bfrom\s+"([^"\n]+)"|\bimport\s*\(?\s*"([^"\n]+)"/gm

export const parseSource = (path: string, text: string): Source => {
  const code = text.replaceAll(COMMENT_OR_STRING, (match, ...rest) => {
    const groups: { readonly comment?: string } = rest.at(-1)
    return groups.comment === undefined ? match : " "
  })
  const imports = [...code.replaceAll(TEMPLATE, "``").matchAll(IMPORT)].map(
    (match) => match[1] ?? match[2] ?? ""
  )
  return {
    path,
    folder: path.includes("/") ? (path.split("/")[0] ?? "") : "",
    code,
    words: code.replaceAll(COMMENT_OR_STRING, '""'),
    ours: imports.filter((it) => it.startsWith(".")).map((it) => posix.join(posix.dirname(path), it)),
    modules: imports.filter((it) => !it.startsWith("."))
  }
}

export const projectRoot = fileURLToPath(new URL("../..", import.meta.url))

export const readSources = (): ReadonlyArray<Source> =>
  readdirSync(`${projectRoot}/src`, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.tsx?$/.test(path))
    .sort()
    .map((path) => parseSource(path, readFileSync(`${projectRoot}/src/${path}`, "utf8")))

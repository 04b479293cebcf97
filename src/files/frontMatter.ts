import matter from "gray-matter"
import { Result } from "effect"
import {
  isAlias,
  isMap,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type YAMLMap
} from "yaml"
import { DEEPEST, yamlExcess } from "./yamlLimits.ts"

/** 1-based, in the whole file. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** Why front matter cannot be read, and where. */
export interface FrontMatterFault extends Position {
  readonly message: string
}

/** A path of keys and indexes into the data, as Schema issues carry it. */
export type KeyPath = ReadonlyArray<PropertyKey>

export interface FrontMatter {
  /**
   * `absent`: the text does not start with a fence; `unterminated`: it does, and no closing one follows. In
   * both cases the whole text is body.
   */
  readonly fence: "present" | "absent" | "unterminated"
  /** Plain data of the YAML block, of any shape; an empty block is `{}`, no block is `undefined`. */
  readonly data: unknown
  /** What follows the closing fence. */
  readonly body: string
  /** Line on which the body starts. */
  readonly bodyLine: number
  /** Where a key, or the nearest thing above it that exists, is written. */
  readonly locate: (path: KeyPath) => Position
}

const LONGEST_BLOCK = 64 * 1024
const MOST_BLANK_LINES = 100
const MOST_ALIASES = 32
const MOST_FAULTS = 20

const CORE_TAG = /^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/

const START: Position = { line: 1, column: 1 }

const fault = (position: Position, message: string): FrontMatterFault => ({ ...position, message })

const withoutFence = (fence: "absent" | "unterminated", text: string): FrontMatter => ({
  fence,
  data: undefined,
  body: text,
  bodyLine: 1,
  locate: () => START
})

interface Block {
  /** From the line after the opening fence up to the line of the closing one. */
  readonly lines: ReadonlyArray<string>
  /** Offset of the body in the text. */
  readonly bodyAt: number
}

/** The lines between the fences; a fence is a line of exactly three dashes. */
const findBlock = (text: string): Block | undefined => {
  const lines: Array<string> = []
  let at = text.indexOf("\n") + 1
  while (at > 0 && at < text.length) {
    const end = text.indexOf("\n", at)
    const line = text.slice(at, end === -1 ? text.length : end).trimEnd()
    if (line === "---") return { lines, bodyAt: end === -1 ? text.length : end + 1 }
    lines.push(line)
    at = end + 1
  }
  return undefined
}

/** What is cheap to see and dear to parse. */
const limits = ({ lines }: Block): ReadonlyArray<FrontMatterFault> => {
  let bytes = 0
  let blank = 0
  for (const [index, line] of lines.entries()) {
    const here = { line: index + 2, column: 1 }
    bytes += Buffer.byteLength(line) + 1
    blank = line === "" ? blank + 1 : 0
    if (bytes > LONGEST_BLOCK) return [fault(here, `front matter is longer than ${LONGEST_BLOCK / 1024} KiB`)]
    if (blank > MOST_BLANK_LINES) return [fault(here, "front matter has too many blank lines in a row")]
    if (line.startsWith("---")) return [fault(here, `"${line.slice(0, 20)}" does not close the front matter`)]
  }
  const excess = yamlExcess(lines.join("\n"))
  return excess === null ? [] : [fault({ line: excess.line + 1, column: 1 }, excess.message)]
}

const at = (counter: LineCounter, offset: number): Position => {
  const { line, col } = counter.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

const keyOf = (key: unknown): string => String(isScalar(key) ? key.value : key)

const duplicateKeys = (map: YAMLMap.Parsed, counter: LineCounter): ReadonlyArray<FrontMatterFault> => {
  const seen = new Set<string>()
  const faults: Array<FrontMatterFault> = []
  for (const { key } of map.items) {
    const name = keyOf(key)
    if (seen.has(name)) faults.push(fault(at(counter, key.range[0]), `duplicate key "${name.slice(0, 60)}"`))
    seen.add(name)
  }
  return faults
}

/** What YAML allows and we do not: foreign tags, repeated keys, cycles, many aliases, great depth. */
const refusals = (document: Document.Parsed, counter: LineCounter): ReadonlyArray<FrontMatterFault> => {
  const faults: Array<FrontMatterFault> = []
  let aliases = 0
  visit(document, {
    Node: (_, node, path) => {
      const here = at(counter, node.range?.[0] ?? 0)
      if (path.length > DEEPEST * 2) {
        faults.push(fault(here, `nested deeper than ${DEEPEST} levels`))
        return visit.BREAK
      }
      if (isAlias(node)) {
        aliases += 1
        if (aliases > MOST_ALIASES) {
          faults.push(fault(here, `more than ${MOST_ALIASES} aliases`))
          return visit.BREAK
        }
        const target = node.resolve(document)
        if (path.some((ancestor) => ancestor === target)) {
          faults.push(fault(here, `alias *${node.source.slice(0, 60)} refers to what contains it`))
        }
        return undefined
      }
      if (node.tag !== undefined && !CORE_TAG.test(node.tag)) {
        faults.push(fault(here, `tag ${node.tag.slice(0, 60)} is not allowed`))
      }
      if (isMap(node)) faults.push(...duplicateKeys(node as YAMLMap.Parsed, counter))
      return undefined
    }
  })
  return faults
}

/** The key's place, or that of the nearest ancestor that exists. */
const locateIn =
  (document: Document.Parsed, counter: LineCounter) =>
  (path: KeyPath): Position => {
    let node: unknown = document.contents
    let position = START
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find((item) => keyOf(item.key) === String(step))
        if (pair === undefined) return position
        const range = (pair.key as { readonly range?: readonly [number, number, number] }).range
        if (range !== undefined) position = at(counter, range[0])
        node = pair.value
      } else {
        const item = (node as { readonly items?: ReadonlyArray<unknown> } | null)?.items?.[Number(step)]
        const range = (item as { readonly range?: readonly [number, number, number] } | undefined)?.range
        if (range === undefined) return position
        position = at(counter, range[0])
        node = item
      }
    }
    return position
  }

interface Parsed {
  readonly data: unknown
  readonly locate: (path: KeyPath) => Position
  readonly faults: ReadonlyArray<FrontMatterFault>
}

const parseYaml = (text: string): Parsed => {
  const counter = new LineCounter()
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    merge: false,
    resolveKnownTags: false,
    stringKeys: true,
    // Checked by `duplicateKeys`: the library compares every pair of keys.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "silent",
    lineCounter: counter
  })
  const locate = locateIn(document, counter)
  const errors = document.errors
    .slice(0, MOST_FAULTS)
    .map(({ message, pos }) => fault(at(counter, pos[0]), message))
  const faults = errors.length > 0 ? errors : refusals(document, counter).slice(0, MOST_FAULTS)
  if (faults.length > 0) return { data: undefined, locate, faults }
  return { data: document.toJS({ maxAliasCount: MOST_ALIASES }) ?? {}, locate, faults }
}

const unreachable = (): never => {
  throw new Error("only YAML front matter is read")
}

/**
 * gray-matter with one engine. Options are always given, which also keeps its process-wide cache out of
 * play; `excerpt` is a function because a file could otherwise configure it.
 */
const readBlock = (text: string): Parsed => {
  let parsed: Parsed = { data: {}, locate: () => START, faults: [] }
  matter(text, {
    language: "yaml",
    delimiters: "---",
    excerpt: () => "",
    engines: {
      yaml: (source: string) => {
        parsed = parseYaml(source)
        return {}
      },
      json: unreachable,
      javascript: unreachable
    }
  })
  return parsed
}

/**
 * Splits a text into YAML front matter and body. Total: hostile text yields faults in bounded time, and
 * nothing in it is evaluated. Front matter that names another language (`---js`) is refused.
 */
export const splitFrontMatter = (
  source: string
): Result.Result<FrontMatter, ReadonlyArray<FrontMatterFault>> => {
  const text = source.startsWith("\uFEFF") ? source.slice(1) : source
  const [opening = ""] = text.slice(0, 80).split("\n", 1)
  if (!opening.startsWith("---")) return Result.succeed(withoutFence("absent", text))
  if (/^---[ \t]*[A-Za-z][\w+-]*\s*$/.test(opening)) {
    return Result.fail([
      fault(
        START,
        `front matter in "${opening.slice(3).trim()}" is not read: write YAML between lines of ---`
      )
    ])
  }
  if (opening.trimEnd() !== "---") return Result.succeed(withoutFence("absent", text))
  const block = findBlock(text)
  if (block === undefined) return Result.succeed(withoutFence("unterminated", text))
  const tooMuch = limits(block)
  if (tooMuch.length > 0) return Result.fail(tooMuch)
  return Result.flatMap(
    Result.try({
      try: () => readBlock(["---", ...block.lines, "---", ""].join("\n")),
      catch: (cause) => [fault(START, `front matter cannot be read: ${messageOf(cause)}`)]
    }),
    ({ data, faults, locate }) =>
      faults.length > 0
        ? Result.fail(faults)
        : Result.succeed({
            fence: "present",
            data,
            body: text.slice(block.bodyAt),
            bodyLine: block.lines.length + 3,
            locate
          })
  )
}

const messageOf = (cause: unknown): string =>
  cause instanceof RangeError
    ? "nested too deeply"
    : cause instanceof Error
      ? (cause.message.split("\n", 1)[0] ?? "")
      : String(cause)

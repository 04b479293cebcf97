import { bytesOf, fitting } from "./pageBytes.ts"
import type { DiffFile, DiffLine } from "./unifiedDiff.ts"

/** Characters of a line that are shown. */
export const LONGEST_LINE = 2000
/** What the files on one page of a diff may take. */
const PAGE_BYTES = 50_000
/** Of the markup around a line, and around a file. */
const LINE_BYTES = 110
const FILE_BYTES = 500

/** Written by tools: they come last, and folded. */
export const FOLDED =
  /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|cargo\.lock|poetry\.lock|uv\.lock|gemfile\.lock|composer\.lock|go\.sum|flake\.lock|deno\.lock)$/i

/** A file, or what of it is on one page. */
export interface DiffPart {
  readonly file: DiffFile
  /** How many of its lines are on pages before. */
  readonly before: number
  readonly lines: ReadonlyArray<DiffLine>
}

const costOf = ({ text }: DiffLine): number => LINE_BYTES + bytesOf(text.slice(0, LONGEST_LINE))

/** Cuts a diff into pages that are light enough to be read; at least one, and each with something on it. */
export const pagesOf = (files: ReadonlyArray<DiffFile>): ReadonlyArray<ReadonlyArray<DiffPart>> => {
  const pages: Array<Array<DiffPart>> = [[]]
  let left = PAGE_BYTES
  const turn = () => {
    pages.push([])
    left = PAGE_BYTES
  }
  const ordered = [
    ...files.filter(({ path }) => !FOLDED.test(path)),
    ...files.filter(({ path }) => FOLDED.test(path))
  ]
  for (const file of ordered) {
    let before = 0
    do {
      const header = FILE_BYTES + 3 * bytesOf(file.path.slice(0, 300))
      if (left < header + LINE_BYTES + LONGEST_LINE && pages.at(-1)?.length !== 0) turn()
      const { cost, count } = fitting(file.lines.slice(before), costOf, left - header)
      left -= header + cost
      pages.at(-1)?.push({ file, before, lines: file.lines.slice(before, before + count) })
      before += count
    } while (before < file.lines.length)
  }
  return pages
}

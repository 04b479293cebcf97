import { printable, printableLine } from "../domain/printable.ts"

export interface Note {
  readonly key: string
  readonly heading: string
  readonly text: string
}

const LONGEST_NOTE = 16 * 1024

const MARK = "<!-- symphony:"

/** A text that no note can be taken for. */
export const unmarked = (text: string): string => text.replaceAll(MARK, "<!- symphony:")

const markerOf = (key: string): string => `${MARK}${encodeURIComponent(key).replaceAll("--", "-%2D")} -->`

/** An issue's text for people: without the marks that its notes are told apart by. */
export const withoutMarks = (text: string): string =>
  text
    .split(/\r?\n/)
    .filter((line) => !(line.startsWith(MARK) && line.endsWith(" -->")))
    .join("\n")

/** Agent text is quoted line by line, so that nothing in it can begin a block, a heading or front matter. */
const quote = (text: string): string =>
  printable(text.length > LONGEST_NOTE ? `${text.slice(0, LONGEST_NOTE)}\n[cut]` : text)
    .trim()
    .split("\n")
    .map((line) => `> ${line}`.trimEnd())
    .join("\n")

/** What to put at the end of an issue's text; `null` when a note of that key is there already. */
export const noteToAppend = (text: string, note: Note): string | null => {
  const marker = markerOf(note.key)
  if (text.split(/\r?\n/).includes(marker)) return null
  const gap = text.endsWith("\n\n") || text === "" ? "" : text.endsWith("\n") ? "\n" : "\n\n"
  return `${gap}${marker}\n## ${printableLine(note.heading)}\n\n${quote(note.text)}\n`
}

/** One line of a diff as it is shown. Line numbers are of the old and the new file. */
export interface DiffLine {
  readonly kind: "added" | "removed" | "context" | "hunk" | "note"
  readonly old: number | null
  readonly new: number | null
  /** Untrusted. */
  readonly text: string
}

export interface DiffFile {
  /** Untrusted. */
  readonly path: string
  readonly added: number
  readonly removed: number
  readonly lines: ReadonlyArray<DiffLine>
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/

interface Cursor {
  old: number
  new: number
  /** Lines of the hunk that are still to come: what looks like a header inside of it is content. */
  oldLeft: number
  newLeft: number
}

const unquoted = (path: string): string =>
  path.startsWith('"') && path.endsWith('"') ? path.slice(1, -1) : path

const pathOf = (header: string): string => {
  const quoted = /"b\/((?:[^"\\]|\\.)*)"$/.exec(header)?.[1]
  return quoted ?? unquoted(header.slice(header.lastIndexOf(" b/") + 3))
}

const contentLine = (line: string, cursor: Cursor): DiffLine => {
  const text = line.slice(1)
  switch (line[0]) {
    case "+":
      cursor.newLeft -= 1
      return { kind: "added", old: null, new: cursor.new++, text }
    case "-":
      cursor.oldLeft -= 1
      return { kind: "removed", old: cursor.old++, new: null, text }
    case "\\":
      return { kind: "note", old: null, new: null, text: line }
    default:
      cursor.oldLeft -= 1
      cursor.newLeft -= 1
      return { kind: "context", old: cursor.old++, new: cursor.new++, text }
  }
}

/** Reads what git wrote; whatever it does not understand is shown as a note. */
export const parseDiff = (patch: string): ReadonlyArray<DiffFile> => {
  const files: Array<{ path: string; lines: Array<DiffLine> }> = []
  const cursor: Cursor = { old: 0, new: 0, oldLeft: 0, newLeft: 0 }
  for (const line of patch.endsWith("\n") ? patch.slice(0, -1).split("\n") : patch.split("\n")) {
    const file = files.at(-1)
    const inHunk = cursor.oldLeft > 0 || cursor.newLeft > 0
    const hunk = inHunk ? null : HUNK.exec(line)
    if (file !== undefined && (inHunk || line.startsWith("\\ "))) {
      file.lines.push(contentLine(line, cursor))
    } else if (line.startsWith("diff --git ")) {
      files.push({ path: pathOf(line), lines: [] })
    } else if (file !== undefined && hunk !== null) {
      cursor.old = Number(hunk[1])
      cursor.oldLeft = Number(hunk[2] ?? 1)
      cursor.new = Number(hunk[3])
      cursor.newLeft = Number(hunk[4] ?? 1)
      file.lines.push({ kind: "hunk", old: null, new: null, text: line })
    } else if (file !== undefined && !/^(index |--- |\+\+\+ )/.test(line)) {
      file.lines.push({ kind: "note", old: null, new: null, text: line })
    }
  }
  return files.map(({ lines, path }) => ({
    path,
    lines,
    added: lines.filter(({ kind }) => kind === "added").length,
    removed: lines.filter(({ kind }) => kind === "removed").length
  }))
}

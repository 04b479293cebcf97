import { CST, Lexer } from "yaml"

/** Lists and maps within one another, however they are written. */
export const DEEPEST = 64
/** Columns before the first word of a line. */
const WIDEST_INDENT = 2 * DEEPEST
/** `-`, `?` and `:` on one line, outside of brackets. */
const MOST_BLOCK_MARKS = 16
/** Brackets, commas, anchors, aliases, tags and block marks: each may cost the parser an error. */
const MOST_MARKS = 4096

export interface YamlExcess {
  /** 1-based, within the YAML. */
  readonly line: number
  readonly message: string
}

const tooDeep = (line: number): YamlExcess => ({ line, message: `nested deeper than ${DEEPEST} levels` })

/**
 * What of a YAML text must be refused before it is parsed; null: nothing. The parser recurses, and Node ends the
 * whole process when the stack runs out within a regular expression: that cannot be caught afterwards. The lexer
 * does not recurse, and knows what is text and what is structure.
 */
export const yamlExcess = (source: string): YamlExcess | null => {
  let line = 1
  let brackets = 0
  let marks = 0
  let blockMarks = 0
  /** Of what leads the line; null once a word has come. */
  let indent: number | null = 0
  let isText = false
  for (const lexeme of new Lexer().lex(source)) {
    const type: CST.TokenType | "text" | null = isText ? "text" : CST.tokenType(lexeme)
    isText = type === "scalar"
    const isBlockMark = type === "seq-item-ind" || type === "explicit-key-ind" || type === "map-value-ind"
    if (type === "space" || isBlockMark) {
      if (indent !== null) indent += lexeme.length
    } else if (type !== "newline") {
      if (indent !== null && indent > WIDEST_INDENT && brackets === 0) return tooDeep(line)
      indent = null
    }
    if (isBlockMark && brackets === 0) blockMarks += 1
    if (type === "flow-map-start" || type === "flow-seq-start") brackets += 1
    if (type === "flow-map-end" || type === "flow-seq-end") brackets = Math.max(0, brackets - 1)
    if (
      type !== "text" &&
      type !== "scalar" &&
      type !== "space" &&
      type !== "newline" &&
      type !== "comment"
    ) {
      marks += 1
    }
    if (brackets > DEEPEST || blockMarks > MOST_BLOCK_MARKS) return tooDeep(line)
    if (marks > MOST_MARKS) return { line, message: `more than ${MOST_MARKS} brackets, commas and marks` }
    for (const character of lexeme) if (character === "\n") line += 1
    if (type === "newline") {
      indent = 0
      blockMarks = 0
    }
  }
  return null
}

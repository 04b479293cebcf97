/** Moves a cursor, hides, reorders or joins text, or is no character at all. Variation selectors 1-16 only style. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu
const STYLE_ONLY = /[\u{FE00}-\u{FE0F}]/u

const reveal = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  if (STYLE_ONLY.test(character)) return character
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  if (code === 0x7f) return "\u2421"
  if (code >= 0xd800 && code <= 0xdfff) return "\uFFFD"
  return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`
}

/**
 * Untrusted text for a terminal or a log, over several lines: control characters, bidi marks, zero-width and
 * other invisible characters become visible ones. Only line feeds stay; `\r\n` counts as one.
 */
export const printable = (text: string): string =>
  text
    .replaceAll("\r\n", "\n")
    .replaceAll(INVISIBLE, (character) => (character === "\n" ? "\n" : reveal(character)))

/**
 * As `printable`, on one line and at most `limit` characters of the source long, so that nobody can forge a
 * second line.
 */
export const printableLine = (text: string, limit = 400): string => {
  const characters = Array.from(text.slice(0, 2 * limit + 2))
  const cut = characters.length > limit
  return `${characters.slice(0, limit).join("").replaceAll(INVISIBLE, reveal)}${cut ? "…" : ""}`
}

/** Text of several lines as one, with one space for all white space between two words. Not yet `printable`. */
export const joinedLines = (text: string): string => text.trim().replaceAll(/\s+/gu, " ")

/** The end of a long text, as `printable`, with a mark where something was left out. */
export const printableTail = (text: string, limit = 2000): string => {
  if (text.length <= limit) return printable(text)
  const tail = text.slice(-limit)
  return `…${printable(/^[\uDC00-\uDFFF]/.test(tail) ? tail.slice(1) : tail)}`
}

/**
 * Which commit messages come through `git format-patch` and `git am` as they are, and what becomes of the
 * others. A message travels as the text of a mail, in which lines that look like a patch, a header or the
 * start of the next mail are taken for one.
 */

/** What the mail reader strips from the front of a subject. */
const SUBJECT_PREFIX = /^(?:re:|:|\s|\[)/i

/** Ends the message, or starts a patch, a mail or a header, where it stands at the start of a line. */
const STRUCTURE = [
  /^diff\b/i,
  /^index\b/i,
  /^---/,
  /^\+\+\+/,
  /^@@/,
  /^>*From\b/,
  /^(?:Date|Subject|Sender|To|Cc|Reply-To|Message-Id|In-Reply-To|References|Content-[\w-]+|MIME-Version|X-[\w-]+):/i,
  // Scissors, wherever the receiver's configuration honours them.
  /^[-\s]*(?:-[\s-]*)?(?:>8|8<|%<|>%)/,
  /^GIT binary patch/,
  /^(?:literal|delta) \d+$/,
  /^Binary files /,
  /^Submodule /
]

/** Controls of a terminal and of text direction; line feed and tab are text. */
const UNSAFE = /[\p{Cc}\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFFD]/gu

const reveal = (character: string): string => {
  if (character === "\n" || character === "\t") return character
  const code = character.codePointAt(0) ?? 0
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  return code === 0x7f ? "\u2421" : `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`
}

const cleanSubject = (line: string): string => {
  let subject = line.replaceAll(/\s+/g, " ").trim()
  while (SUBJECT_PREFIX.test(subject)) {
    subject = subject
      .replace(/^\[([^\]]*)\]?/, (_, inside: string) => `(${inside.trim()})`)
      .replace(/^re:\s*/i, "Re ")
      .replace(/^[:\s]+/, "")
  }
  return subject === "" || subject === "()" ? "(no subject)" : subject
}

const quote = (line: string): string => (STRUCTURE.some((shape) => shape.test(line)) ? `| ${line}` : line)

/** A message with the same words that no mail reader takes apart. A safe message is its own safe form. */
export const safeMessage = (message: string): string => {
  const lines = message
    .replaceAll("\r\n", "\n")
    .replaceAll(UNSAFE, reveal)
    .split("\n")
    .map((line) => line.trimEnd())
  while (lines[0] === "") lines.shift()
  const end = lines.indexOf("")
  const head = lines.slice(0, end === -1 ? lines.length : end)
  const body: Array<string> = []
  for (const line of end === -1 ? [] : lines.slice(end)) {
    if (line !== "" || (body.length > 0 && body.at(-1) !== "")) body.push(quote(line))
  }
  while (body.at(-1) === "") body.pop()
  const subject = quote(cleanSubject(head.join(" ")))
  return body.length === 0 ? `${subject}\n` : `${subject}\n\n${body.join("\n")}\n`
}

/** Git adds or drops the last line feed by itself; anything else counts. */
export const sameMessage = (left: string, right: string): boolean =>
  left.replace(/\n+$/, "") === right.replace(/\n+$/, "")

/** Whether text would act on a terminal or hide something in it. */
export const isPlainText = (text: string): boolean =>
  !/[\n\t]/.test(text) && text.replaceAll(UNSAFE, "") === text

const CR = 0x0d
const LF = 0x0a
const MAIL = /^From [0-9a-f]{40} Mon Sep 17 00:00:00 2001$/

/** Lines with their line feed. */
const linesOf = (bytes: Buffer): ReadonlyArray<Buffer> => {
  const lines: Array<Buffer> = []
  let start = 0
  while (start < bytes.length) {
    const end = bytes.indexOf(LF, start)
    const next = end === -1 ? bytes.length : end + 1
    lines.push(bytes.subarray(start, next))
    start = next
  }
  return lines
}

const encodeLine = (line: Buffer): Buffer =>
  Buffer.from(
    line
      .toString("latin1")
      .replaceAll("=", "=3D")
      .replaceAll("\r", "=0D")
      .replaceAll(/[ \t]+(?=\n|$)/g, (blanks) =>
        Array.from(blanks, (blank) => (blank === " " ? "=20" : "=09")).join("")
      ),
    "latin1"
  )

const encodeMail = (lines: ReadonlyArray<Buffer>): ReadonlyArray<Buffer> => {
  if (!lines.some((line) => line.includes(CR))) return lines
  const end = lines.findIndex((line) => line.length === 1)
  const header = lines
    .slice(0, end)
    .filter(
      (line) => !/^(?:MIME-Version|Content-Type|Content-Transfer-Encoding):/i.test(line.toString("latin1"))
    )
  const encoding =
    "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable\n"
  return [...header, Buffer.from(encoding), ...lines.slice(end).map(encodeLine)]
}

/**
 * `git am` drops carriage returns at the end of lines, and a patch of a file that has them no longer applies.
 * Mails with one are therefore sent as quoted-printable, which stays readable; others are left as they are.
 */
export const quotedPrintable = (mbox: Uint8Array): Uint8Array => {
  const bytes = Buffer.from(mbox)
  if (!bytes.includes(CR)) return mbox
  const mails: Array<Array<Buffer>> = []
  for (const line of linesOf(bytes)) {
    if (MAIL.test(line.toString("latin1").trimEnd())) mails.push([])
    mails.at(-1)?.push(line)
  }
  return Buffer.concat(mails.flatMap(encodeMail))
}

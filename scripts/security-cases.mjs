// Writes the table of attacks in docs/security.md from the tests in test/security: their names say what is tried
// and what comes of it. `--check` only tells whether the table is up to date.
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const folder = `${root}test/security`
const document = `${root}docs/security.md`
const LAST_CASE = 30
const START = "<!-- cases: made by scripts/security-cases.mjs from test/security -->"
const END = "<!-- end of cases -->"

const TEST = /\bit(?:\.live|\.effect)?\(\s*"(\d+)[a-z]?\. ((?:[^"\\]|\\.)+)"/g
const GAP = /\bnotDefended\(\s*"(\d+)[a-z]?\. ((?:[^"\\]|\\.)+)",\s*"((?:[^"\\]|\\.)+)"/g

const plain = (literal) => JSON.parse(`"${literal}"`)
const cell = (text) => text.replaceAll(/[|_*<]/g, "\\$&")

const cases = readdirSync(folder)
  .filter((name) => name.endsWith(".test.ts"))
  .toSorted()
  .flatMap((name) => {
    const source = readFileSync(`${folder}/${name}`, "utf8")
    const tests = [...source.matchAll(TEST)].map(([, number, title]) => ({
      number: Number(number),
      row: [`${plain(title)}`, `defended: [${name}](../test/security/${name})`]
    }))
    const gaps = [...source.matchAll(GAP)].map(([, number, title, why]) => ({
      number: Number(number),
      row: [plain(title), `**not defended**: ${plain(why)}`]
    }))
    return [...tests, ...gaps]
  })
  .toSorted((left, right) => left.number - right.number)

const numbers = new Set(cases.map(({ number }) => number))
const missing = Array.from({ length: LAST_CASE }, (_, index) => index + 1).filter((n) => !numbers.has(n))
if (missing.length > 0) {
  process.stderr.write(`no test in test/security says anything about case ${missing.join(", ")}\n`)
  process.exit(1)
}

const table = [
  START,
  "",
  "| case | what is tried: what comes of it | |",
  "| --- | --- | --- |",
  ...cases.map(
    ({ number, row: [title, where] }) =>
      `| ${number > LAST_CASE ? "+" : number} | ${cell(title)} | ${cell(where)} |`
  ),
  "",
  END
].join("\n")

const before = readFileSync(document, "utf8")
const start = before.indexOf(START)
const end = before.indexOf(END)
if (start === -1 || end === -1) throw new Error(`${document} has lost its marks for the table`)
const after = before.slice(0, start) + table + before.slice(end + END.length)
if (process.argv.includes("--check")) {
  if (after === before) process.exit(0)
  process.stderr.write("docs/security.md is not what the tests say: node scripts/security-cases.mjs\n")
  process.exit(1)
}
writeFileSync(document, after)

import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { type Mutation, MUTATIONS } from "./mutations.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const TABLE = join(root, "docs/simulation.md")
const BEGIN = "<!-- mutations: written by `npm run simulate -- --mutate all` -->"
const END = "<!-- end of mutations -->"

const CONTROL = "control (nothing changed)"

const say = (line: string): void => void process.stdout.write(`${line}\n`)

interface Verdict {
  readonly name: string
  readonly caught: boolean
  readonly seed: number | null
  readonly tried: number
  readonly invariant: string
}

/** A copy of the sources and of the simulation, compiled. The project itself is not touched. */
const compileCopy = (mutation: Mutation | null): string => {
  const copy = mkdtempSync(join(tmpdir(), "symphony-mutation-"))
  for (const path of [
    "src",
    "test/simulation",
    "test/support",
    "package.json",
    "tsconfig.json",
    "tsconfig.simulation.json"
  ]) {
    cpSync(join(root, path), join(copy, path), { recursive: true })
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
  if (mutation !== null) {
    const path = join(copy, "src", mutation.file)
    const parts = readFileSync(path, "utf8").split(mutation.from)
    if (parts.length !== 2)
      throw new Error(`${mutation.name}: its line is ${parts.length - 1} times in src/${mutation.file}`)
    writeFileSync(path, parts.join(mutation.to))
  }
  const tsc = spawnSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.simulation.json"],
    {
      cwd: copy,
      encoding: "utf8"
    }
  )
  if (tsc.status !== 0) throw new Error(`the copy does not compile: ${tsc.stdout}`)
  return copy
}

const judge = (mutation: Mutation | null, seeds: number, from: number): Verdict => {
  const copy = compileCopy(mutation)
  try {
    const { stdout } = spawnSync(
      process.execPath,
      [
        join(copy, "dist-simulation/test/simulation/main.js"),
        "--seeds",
        String(seeds),
        "--from",
        String(from),
        "--until-found",
        ...(mutation?.deep === true ? ["--deep"] : [])
      ],
      { encoding: "utf8", maxBuffer: 1 << 28 }
    )
    const [, seed, detail] = /^seed (\d+) broke a promise.*\n {2}(.*)$/m.exec(stdout) ?? []
    const tried = Number(/^(\d+) seeds from/m.exec(stdout)?.[1] ?? 0)
    const name = mutation?.name ?? CONTROL
    if (seed === undefined || detail === undefined)
      return { name, caught: false, seed: null, tried, invariant: "" }
    const invariant = detail.split(": ")[0] ?? ""
    return {
      name,
      caught: mutation?.breaks.includes(invariant) ?? true,
      seed: Number(seed),
      tried,
      invariant
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

const rowOf = (verdict: Verdict): string => {
  const change = MUTATIONS.find(({ name }) => name === verdict.name)
  return `| ${verdict.name} | ${change === undefined ? "" : `\`src/${change.file}\``} | ${verdict.invariant || "none"} | ${
    verdict.seed === null ? `clean over ${verdict.tried} seeds` : `seed ${verdict.seed}`
  } |`
}

/** Replaces the rows of what was judged; those of the others stay. */
const writeTable = (verdicts: ReadonlyArray<Verdict>): void => {
  const text = readFileSync(TABLE, "utf8")
  const [head = "", rest = ""] = text.split(BEGIN)
  const [before = "", tail = ""] = rest.split(END)
  const rows = [...MUTATIONS.map(({ name }) => name), CONTROL].flatMap((name) => {
    const verdict = verdicts.find((each) => each.name === name)
    const row = before.split("\n").find((line) => line.startsWith(`| ${name} |`))
    return verdict === undefined ? (row ?? []) : rowOf(verdict)
  })
  const table = ["| mutation | in | broken promise | caught by |", "| --- | --- | --- | --- |", ...rows]
  writeFileSync(TABLE, `${head}${BEGIN}\n\n${table.join("\n")}\n\n${END}${tail}`)
}

const { values } = parseArgs({
  options: {
    mutate: { type: "string", default: "all" },
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" }
  }
})
const all = values.mutate === "all"
const chosen = all ? MUTATIONS : MUTATIONS.filter(({ name }) => name === values.mutate)
if (chosen.length === 0 && values.mutate !== "control") {
  process.stderr.write(
    `no mutation ${values.mutate}; there are control, ${MUTATIONS.map(({ name }) => name).join(", ")}\n`
  )
  process.exit(2)
}
const verdicts: Array<Verdict> = []
let held = true
// The control takes longest: it has to be clean over all seeds.
for (const mutation of all || values.mutate === "control" ? [...chosen, null] : chosen) {
  const verdict = judge(mutation, Number(values.seeds), Number(values.from))
  const right = mutation === null ? verdict.seed === null : verdict.caught
  held &&= right
  verdicts.push(verdict)
  say(
    `${right ? "ok    " : "FAILED"}  ${verdict.name}: ${verdict.invariant || "clean"} (${verdict.seed === null ? `${verdict.tried} seeds` : `seed ${verdict.seed}`})`
  )
}
writeTable(verdicts)
process.exitCode = held ? 0 : 1

/**
 * The script of the demo agent: a fenced block ```demo, one step a line, `#` starts a comment line. A line that
 * ends with `<<WORD` takes the lines up to `WORD` as its text. docs/demo-agent.md describes every step.
 */
export type Step =
  | {
      readonly name: "say" | "think" | "run" | "try" | "commit" | "ask" | "stderr" | "permission"
      readonly text: string
    }
  | { readonly name: "write" | "append"; readonly path: string; readonly text: string }
  | { readonly name: "done"; readonly title: string; readonly summary: string }
  | { readonly name: "transition"; readonly state: string; readonly notes: string }
  | { readonly name: "propose"; readonly title: string; readonly description: string }
  | { readonly name: "sleep" | "flood" | "line"; readonly amount: number }
  | { readonly name: "fail"; readonly code: number; readonly once: boolean; readonly text: string }
  | { readonly name: "crash"; readonly once: boolean }
  | { readonly name: "stop"; readonly reason: string }
  | { readonly name: "tokens"; readonly input: number; readonly output: number }
  | { readonly name: "tokens-none" | "hang" | "input" | "end" }

export interface Script {
  readonly source: string
  readonly steps: ReadonlyArray<Step>
}

export class ScriptError extends Error {}

const FENCE = /^(`{3,}|~{3,})demo[ \t]*\r?\n([\s\S]*?)^\1[ \t]*$/m

/** The script in a prompt; the first one counts. */
export const scriptIn = (prompt: string): string | undefined => FENCE.exec(prompt)?.[2]

const halves = (text: string): [string, string] => {
  const at = text.indexOf("|")
  return at < 0 ? [text.trim(), ""] : [text.slice(0, at).trim(), text.slice(at + 1).trim()]
}

const firstWord = (text: string): [string, string] => {
  const [, word = "", rest = ""] = /^(\S*)\s*([\s\S]*)$/.exec(text) ?? []
  return [word, rest]
}

const INTERNAL_ERROR = -32_603

const parseStep = (name: string, text: string, block: string | undefined, line: number): Step => {
  const bad = (expected: string): never => {
    throw new ScriptError(`line ${line}: ${name} takes ${expected}`)
  }
  const amount = (given: string, expected: string): number =>
    /^\d+$/.test(given) ? Number(given) : bad(expected)
  /** The block where there is one, else the rest of the line. */
  const whole = block ?? text
  switch (name) {
    case "say":
    case "think":
    case "run":
    case "try":
    case "commit":
    case "ask":
    case "stderr":
    case "permission":
      return whole === "" ? bad("a text") : { name, text: whole }
    case "write":
    case "append": {
      const [path, rest] = firstWord(text)
      return path === "" ? bad("a path and a text") : { name, path, text: block ?? `${rest}\n` }
    }
    case "done": {
      const [title, summary] = halves(whole)
      return title === ""
        ? bad("TITLE | SUMMARY")
        : { name, title, summary: summary === "" ? title : summary }
    }
    case "transition": {
      const [state, notes] = halves(whole)
      return state === "" ? bad("STATE | NOTES") : { name, state, notes }
    }
    case "propose": {
      const [title, description] = halves(whole)
      return title === "" ? bad("TITLE | DESCRIPTION") : { name, title, description }
    }
    case "sleep":
      return { name, amount: amount(text, "milliseconds") }
    case "flood":
      return { name, amount: amount(text, "a number of updates") }
    case "line":
      return { name, amount: amount(text, "a number of bytes") }
    case "fail":
    case "fail-once":
      return { name: "fail", code: INTERNAL_ERROR, once: name === "fail-once", text: whole }
    case "error": {
      const [code, rest] = firstWord(text)
      if (!/^-?\d+$/.test(code)) bad("a JSON-RPC code and a text")
      return { name: "fail", code: Number(code), once: false, text: block ?? rest }
    }
    case "crash":
      return text === "" || text === "once" ? { name, once: text === "once" } : bad("nothing or `once`")
    case "stop":
      return text === "" ? bad("a stop reason") : { name, reason: text }
    case "tokens": {
      if (text === "none") return { name: "tokens-none" }
      const [input, output] = firstWord(text)
      return {
        name,
        input: amount(input, "two numbers, or `none`"),
        output: amount(output, "two numbers, or `none`")
      }
    }
    case "hang":
    case "input":
    case "end":
      return { name }
    default:
      throw new ScriptError(`line ${line}: there is no step called ${name}`)
  }
}

export const parseScript = (source: string): Script => {
  const lines = source.split(/\r?\n/)
  const steps: Array<Step> = []
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1
    const text = (lines[index] ?? "").trim()
    if (text === "" || text.startsWith("#")) continue
    const heredoc = /^(.*?)\s*<<([A-Za-z_]\w*)$/.exec(text)
    const [name, rest] = firstWord(heredoc?.[1] ?? text)
    const word = heredoc?.[2]
    if (word === undefined) {
      steps.push(parseStep(name, rest, undefined, line))
      continue
    }
    const end = lines.findIndex((candidate, at) => at > index && candidate.trim() === word)
    if (end < 0) throw new ScriptError(`line ${line}: nothing ends the block <<${word}`)
    const body = lines.slice(index + 1, end)
    steps.push(parseStep(name, rest, body.map((entry) => `${entry}\n`).join(""), line))
    index = end
  }
  return { source, steps }
}

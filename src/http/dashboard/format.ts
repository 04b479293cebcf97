import { costText } from "../../domain/Cost.ts"
import type { Tokens } from "../../domain/Tokens.ts"
import { isoTime } from "../isoTime.ts"

/** `42s`, `3m`, `2h 05m`, `4d 3h`. */
export const duration = (seconds: number): string => {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m`
  if (whole < 86_400) {
    return `${Math.floor(whole / 3600)}h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`
  }
  return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3600)}h`
}

/** `2026-11-22 21:02:07Z`. */
export const clockTime = (millis: number): string =>
  isoTime(millis)
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z")

const compact = (count: number): string => {
  if (count < 1000) return String(count)
  if (count < 1_000_000) return `${(count / 1000).toFixed(count < 10_000 ? 1 : 0)}k`
  return `${(count / 1_000_000).toFixed(1)}M`
}

/** `—` where nobody counted; a count that is not what a model reported says so. */
export const tokenText = (tokens: Tokens): string => {
  if (tokens.source === "unknown" || tokens.source === "none") return "—"
  const mark = tokens.source === "scripted" ? " scripted" : tokens.source === "partial" ? "+" : ""
  return `${compact(tokens.total)}${mark}`
}

/** `—` where nobody said. */
export const spentText = ({ cost }: Tokens): string => (cost === undefined ? "—" : costText(cost))

/** `120k tokens, cost $0.42`; a price that nobody said is not mentioned. */
export const usageText = (tokens: Tokens): string => {
  const count = tokenText(tokens)
  return [
    count === "—" ? "tokens not known" : `${count} tokens`,
    ...(tokens.cost === undefined ? [] : [`cost ${spentText(tokens)}`])
  ].join(", ")
}

/** `1 commit`, `2 commits`. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

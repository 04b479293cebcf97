import { printableLine } from "../domain/printable.ts"
import type { Tokens } from "../domain/Tokens.ts"

/** Columns as wide as their widest cell; the last one is not padded. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => [...(row[column] ?? "")].length))
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === row.length - 1 ? cell : cell + " ".repeat((widths[column] ?? 0) - [...cell].length)
        )
        .join("  ")
    )
    .join("\n")
}

/** Unknown is said, never shown as 0; scripted tokens are labelled so. */
export const showTokens = (tokens: Tokens): string => {
  switch (tokens.source) {
    case "none":
      return "0"
    case "unknown":
      return "unknown"
    case "scripted":
      return `${tokens.total} scripted`
    case "partial":
      return `≥ ${tokens.total}`
    default:
      return String(tokens.total)
  }
}

export const cell = (text: string): string => printableLine(text)

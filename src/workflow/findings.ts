import type { KeyPath } from "./keys.ts"

/** Something wrong with the value of one key, before it has a line and a column. */
export interface Finding {
  readonly path: KeyPath
  readonly severity: "error" | "warning"
  /** Without the key. */
  readonly message: string
  readonly hint: string | null
}

export const refuse = (path: KeyPath, message: string, hint: string | null = null): Finding => ({
  path,
  severity: "error",
  message,
  hint
})

export const warn = (path: KeyPath, message: string, hint: string | null = null): Finding => ({
  path,
  severity: "warning",
  message,
  hint
})

/** `smolvm.volumes[0].host`, in one short line whatever the names are. */
export const renderKey = (path: KeyPath): string =>
  path
    .map((step, index) =>
      typeof step === "number" ? `[${step}]` : `${index === 0 ? "" : "."}${String(step)}`
    )
    .join("")
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?")
    .slice(0, 120)

const HARMLESS_TEXT = /^([A-Za-z][A-Za-z _]{0,19}|[-+]?\d[\d._,]{0,9} ?[a-z%]{0,3})$/

/**
 * A value as messages show it. A text is quoted only when it is a plain word or a number: anything else could
 * be a secret in the wrong place.
 */
export const describe = (value: unknown): string => {
  if (value === undefined || value === null) return "nothing"
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  if (typeof value === "string") {
    if (value.trim() === "") return "a blank text"
    return HARMLESS_TEXT.test(value) ? `"${value}"` : `a text of ${value.length} characters`
  }
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list"
  return "a map"
}

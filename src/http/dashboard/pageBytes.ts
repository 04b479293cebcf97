import type { VNode } from "preact"
import { renderToString } from "preact-render-to-string"
import { printable } from "../../domain/printable.ts"

/*
 * A page takes at most 100 kB, whatever is written in issues and by agents. Each list and each text has its share of
 * that in bytes, as they are written into the page, and leads to what is beyond.
 */

/** Of a text. */
export const bytesOf = (text: string): number =>
  Buffer.byteLength(printable(text).replaceAll(/[<>&"]/g, (character) => `&${character}xxx;`))

/** Of a part of a page. */
export const weightOf = (part: VNode): number => Buffer.byteLength(renderToString(part))

/** How many of the items, from the first, take at most `budget`, and what they take. At least one, where one is. */
export const fitting = <A>(
  items: Iterable<A>,
  costOf: (item: A) => number,
  budget: number
): { readonly count: number; readonly cost: number } => {
  let count = 0
  let cost = 0
  for (const item of items) {
    const more = costOf(item)
    if (count > 0 && cost + more > budget) break
    count += 1
    cost += more
  }
  return { count, cost }
}

/** The rows of a list that take at most `budget`, and how many there are beyond. */
export const within = <A>(
  items: ReadonlyArray<A>,
  row: (item: A) => VNode,
  budget: number
): { readonly rows: ReadonlyArray<VNode>; readonly more: number } => {
  const { count } = fitting(items, (item) => weightOf(row(item)), budget)
  return { rows: items.slice(0, count).map(row), more: items.length - count }
}

/** The beginning of a text that takes at most `budget`: the text itself, where all of it does. */
export const beginning = (text: string, budget: number): string => {
  if (text.length <= budget && bytesOf(text) <= budget) return text
  // No character takes less than a byte.
  const characters = Array.from(text.slice(0, budget))
  const { count } = fitting(characters, bytesOf, budget)
  return characters.slice(0, count).join("")
}

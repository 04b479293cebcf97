/** Longest text of one event, in UTF-16 units. */
export const MAX_TEXT = 16_384

/** Cuts a text and says by how much; never in the middle of a surrogate pair. */
export const capped = (text: string, limit: number = MAX_TEXT): string => {
  if (text.length <= limit) return text
  const at = /[\uD800-\uDBFF]/.test(text.charAt(limit - 1)) ? limit - 1 : limit
  return `${text.slice(0, at)}… (${text.length - at} more)`
}

/** For the one line of a message: no line ends, no control characters. */
export const oneLine = (text: string, limit: number): string =>
  capped(text.replaceAll(/[\p{Cc}\s]+/gu, " ").trim(), limit)

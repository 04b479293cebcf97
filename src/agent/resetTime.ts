import { DateTime, Option } from "effect"

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const UNITS: ReadonlyArray<readonly [RegExp, number]> = [
  [/^(?:ms|msecs?|millis(?:econds?)?)$/, 1],
  [/^(?:s|secs?|seconds?)$/, SECOND],
  [/^(?:m|mins?|minutes?)$/, MINUTE],
  [/^(?:h|hrs?|hours?)$/, HOUR],
  [/^(?:d|days?)$/, DAY],
  [/^(?:w|wks?|weeks?)$/, 7 * DAY]
]
const unitOf = (word: string): number | undefined =>
  UNITS.find(([pattern]) => pattern.test(word.toLowerCase()))?.[1]

/**
 * `1m3.5s`, `3 days, 4 hours and 9 minutes`, `90`: milliseconds, from the start of `text`. A number alone is
 * seconds; one with a word that is no unit, or a range, is not understood.
 */
const durationAt = (text: string): number | null => {
  const part = /(?:\s*,?\s*(?:and\s+)?)(\d+(?:\.\d+)?)\s*([a-z]*)/iy
  let total: number | null = null
  for (let found = part.exec(text); found !== null; found = part.exec(text)) {
    const [, amount = "", word = ""] = found
    const unit = unitOf(word)
    if (unit === undefined) {
      const alone = total === null && word === "" && !/^\s*[-–:/%\d\p{L}]/u.test(text.slice(part.lastIndex))
      return alone ? Number(amount) * SECOND : total
    }
    total = (total ?? 0) + Number(amount) * unit
  }
  return total
}

/** Seconds and milliseconds since the epoch are told apart by their size. */
const epoch = (value: number): number => (value < 100_000_000_000 ? value * 1000 : value)

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

const CLOCK = new RegExp(
  [
    /(?:resets?|again|retry)\s*(?:at|on)?\s+/, // what follows
    /(?:(?<month>[A-Z][a-z]{2,8})\.? (?<day>\d{1,2})(?:st|nd|rd|th)?(?:,? (?<year>\d{4}))?,?\s+(?:at\s+)?)?/,
    /(?<hour>\d{1,2})(?::(?<minute>\d\d))?\s*(?<half>[ap]m)?\s*/,
    /\(?(?<zone>UTC|GMT|[A-Z][a-z]+\/[A-Z][A-Za-z_/]+)\b/
  ]
    .map(({ source }) => source)
    .join(""),
  "i"
)

/** `resets Nov 27th, 2026 3:04 PM (Europe/Berlin)`, `resets at 3pm UTC`. Without a zone nobody knows when that is. */
const clockIn = (text: string, now: number): number | null => {
  const { month, day, year, hour, minute, half, zone = "" } = CLOCK.exec(text)?.groups ?? {}
  const hours = Number(hour)
  if (hour === undefined || (half === undefined && minute === undefined)) return null
  if (hours > (half === undefined ? 23 : 12) || Number(minute ?? 0) > 59) return null
  const timeZone = DateTime.zoneMakeNamed(/^(utc|gmt)$/i.test(zone) ? "UTC" : zone)
  if (Option.isNone(timeZone)) return null
  const today = DateTime.toParts(DateTime.makeZonedUnsafe(now, { timeZone: timeZone.value }))
  const monthOf = month === undefined ? today.month : MONTHS.indexOf(month.slice(0, 3).toLowerCase()) + 1
  if (monthOf === 0) return null
  const at = (inYear: number, onDay: number): number | null =>
    Option.getOrNull(
      Option.map(
        DateTime.makeZoned(
          {
            year: inYear,
            month: monthOf,
            day: onDay,
            hour: half === undefined ? hours : (hours % 12) + (half.toLowerCase() === "pm" ? 12 : 0),
            minute: Number(minute ?? 0)
          },
          { timeZone: timeZone.value, adjustForTimeZone: true }
        ),
        DateTime.toEpochMillis
      )
    )
  if (year !== undefined) return at(Number(year), Number(day))
  const first = at(today.year, day === undefined ? today.day : Number(day))
  if (first === null || first > now) return first
  return day === undefined ? at(today.year, today.day + 1) : at(today.year + 1, Number(day))
}

/** When a rate limit ends, in epoch milliseconds, from what agents are known to write; `null` if they do not say. */
export const resetTime = (text: string, now: number): number | null => {
  const wait = /\b(?:try again|retry(?:ing)?|resets?) (?:in|after):?\s+/i.exec(text)
  if (wait !== null) {
    const duration = durationAt(text.slice(wait.index + wait[0].length))
    if (duration !== null) return now + duration
  }
  const after = /\bretry[-_ ]?after[-_]?(ms|milliseconds|s|seconds)?["']?\s*[:=]\s*["']?/i.exec(text)
  if (after !== null) {
    const given = durationAt(text.slice(after.index + after[0].length))
    if (given !== null) return now + (/^m/i.test(after[1] ?? "") ? given / SECOND : given)
  }
  const stamp = /(?:reset\w*["']?\s*[:=]?\s*["']?|limit reached\s*\|\s*)(\d{10,13})\b/i.exec(text)
  if (stamp?.[1] !== undefined) return epoch(Number(stamp[1]))
  const iso = /reset\w*["']?\s*(?:at|on)?\s*[:=]?\s*["']?(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))/i.exec(
    text
  )
  if (iso?.[1] !== undefined)
    return Option.getOrNull(Option.map(DateTime.make(iso[1]), DateTime.toEpochMillis))
  return clockIn(text, now)
}
